"""Agents that score leads and draft follow-ups, and the language models they may ask."""
