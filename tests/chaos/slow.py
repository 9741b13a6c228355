"""An agent of a user's own that takes its time, so that faults meet tasks at work."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from gardenos.ai.agents import BaseAIAgent, Context
from gardenos.db.session import TenantSession
from gardenos.orchestrator.task import Attempt


class Nap(BaseModel):
    """How long to take."""

    model_config = ConfigDict(extra="forbid")

    seconds: Annotated[float, Field(ge=0, le=60)]


class Rested(BaseModel):
    """How long it took."""

    seconds: float


class SlowAgent(BaseAIAgent[Nap, Rested]):
    """Sleeps. Its only effect is its task's result."""

    agent_type: ClassVar[str] = "chaos_slow"

    async def work(self, request: Nap, context: Context) -> Rested:
        await asyncio.sleep(request.seconds)
        return Rested(seconds=request.seconds)

    async def persist(self, session: TenantSession, attempts: Sequence[Attempt]) -> None:
        """Nothing to store."""
