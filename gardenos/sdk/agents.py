"""`client.agents`: any type of agent, also those that somebody added."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import datetime
from typing import Any

from gardenos.sdk.base import Items
from gardenos.sdk.bound import D, Namespace, endpoint
from gardenos.sdk.call import Call, Step, given, model, segment
from gardenos.sdk.orchestrator import outcome
from gardenos.sdk.results import AgentType, Run


class Agents(Namespace[D]):
    """Every type of agent of the installation."""

    @endpoint
    def types(self) -> Call[Items[AgentType]]:
        """The types there are, with the JSON Schemas of what they take and give."""
        return Call("GET", "/ai/agent-types", model(Items[AgentType]))

    @endpoint
    def run(
        self,
        agent_type: str,
        input: Mapping[str, Any],  # noqa: A002 what the route calls it
        *,
        priority: int | None = None,
        max_retries: int | None = None,
        run_at: datetime | None = None,
        timeout_s: float = 60.0,
        idempotency_key: str | None = None,
    ) -> Generator[Step, Any, Run]:
        """Have an agent do a piece of work, and wait for what comes out.

        Raises `NotFound` for a type that there is not, `InvalidContent` for an input it does not
        take, `TaskUnfinished` after `timeout_s`, `TaskFailed` where the agent gave up.
        """
        when = None if run_at is None else run_at.isoformat()
        body = {"input": dict(input)} | given(
            priority=priority, max_retries=max_retries, run_at=when
        )
        task_id, output = yield from outcome(
            self.driver,
            f"/ai/agents/{segment(agent_type)}/run",
            body,
            timeout_s=timeout_s,
            idempotency_key=idempotency_key,
        )
        return Run(task_id=task_id, output=output)
