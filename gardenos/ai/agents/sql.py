"""The statements of all agents."""

from __future__ import annotations

from gardenos.db import sql

QUERIES = sql.load(__package__ or "gardenos.ai.agents")
