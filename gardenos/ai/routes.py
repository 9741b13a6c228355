"""`/ai`: all that is asked of agents and of the queue. The figures are `gardenos.ai.operations`."""

from __future__ import annotations

from fastapi import APIRouter

from gardenos.ai import dispatch, progress, schedules, tasks, work
from gardenos.ai.answers import WAITER

__all__ = ["WAITER", "router"]

router = APIRouter()
for part in (work, tasks, progress, schedules, dispatch):
    router.include_router(part.router)
