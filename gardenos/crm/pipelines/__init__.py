"""Pipelines: the stages that deals go through, from left to right."""
