"""Agents, the models they ask, and the scoring that never depends on one."""
