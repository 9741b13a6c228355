"""Delivers webhooks: a task of the queue for each, so that none is lost and none holds up others."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from gardenos.ai.agents.base import BaseAIAgent, Context, Unfinished
from gardenos.crm.webhooks.guard import Guard
from gardenos.crm.webhooks.sending import GONE, Answer, Message, Sender
from gardenos.crm.webhooks.service import AGENT_TYPE, QUERIES, WAITS_S
from gardenos.orchestrator.task import AgentTask, Attempt, Cancel, Fail, Retry

if TYPE_CHECKING:
    from gardenos.core.config import Settings
    from gardenos.core.ids import TaskId
    from gardenos.db.session import TenantSession

_JITTER = 0.1


class WebhookTask(BaseModel):
    """Which delivery to make."""

    model_config = ConfigDict(extra="forbid")

    delivery_id: UUID


class WebhookResult(BaseModel):
    """That it was taken."""

    status: int
    took_ms: int


@dataclass(frozen=True, slots=True)
class _Try:
    """How one try went, for the log of deliveries."""

    message: Message
    answer: Answer
    wait_s: float | None
    """Until the next; None where it was the last."""


class WebhookDeliveryAgent(BaseAIAgent[WebhookTask, WebhookResult]):
    """Delivers a webhook, again and again until it is taken, for about a day. Uses no model."""

    agent_type = AGENT_TYPE

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._sender = Sender(Guard(), self.clock)
        self._tries: dict[TaskId, _Try] = {}

    def configure(self, settings: Settings) -> None:
        """Send to what the settings allow."""
        self._sender = Sender(Guard.of(settings), self.clock)

    async def load(
        self, session: TenantSession, tasks: Sequence[AgentTask]
    ) -> Mapping[TaskId, Any]:
        """The messages, with their secrets; none for a webhook that is gone or switched off."""
        wanted = {task.id: task.payload.get("delivery_id") for task in tasks}
        ids = [each for each in map(_uuid, wanted.values()) if each is not None]
        rows = await session.fetch(QUERIES["load_deliveries"], ids)
        found = {str(row["id"]): _message(row) for row in rows if row["active"]}
        return {task_id: found[str(i)] for task_id, i in wanted.items() if str(i) in found}

    async def work(self, request: WebhookTask, context: Context) -> WebhookResult | Unfinished:  # noqa: ARG002
        """Try once."""
        message: Message | None = context.loaded
        if message is None:
            return Cancel("The webhook is gone or switched off.")
        answer = await self._sender.send(message)
        wait_s = None if answer.is_good else _wait_s(context.task, answer)
        self._tries[context.task.id] = _Try(message, answer, wait_s)
        if answer.error is None:
            return WebhookResult(status=answer.status or 0, took_ms=answer.took_ms)
        return Fail(answer.error) if answer.status == GONE else Retry(answer.error, wait_s)

    async def run(self, task: AgentTask, loaded: Any) -> Attempt:
        """See `BaseAIAgent`; what the try came to goes along, to be written with its end."""
        try:
            attempt = await super().run(task, loaded)
            tried = self._tries.get(task.id)
            return Attempt(task, attempt.outcome, (tried,) if tried else ())
        finally:
            self._tries.pop(task.id, None)

    async def record_usage(self, session: TenantSession, attempts: Sequence[Attempt]) -> None:
        """Write every try into the log of deliveries, in the transaction that ends its run."""
        tries = [each for attempt in attempts for each in attempt.usage if isinstance(each, _Try)]
        if not tries:
            return
        now = self.clock.now()
        await session.execute(QUERIES["note_tries"], [_row(each, now) for each in tries])
        gone = {each.message.webhook_id for each in tries if each.answer.status == GONE}
        if gone:
            await session.execute(QUERIES["switch_off"], list(gone))

    async def aclose(self) -> None:
        """Close the connections, too."""
        await self._sender.aclose()
        await super().aclose()


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


def _message(row: Any) -> Message:
    return Message(
        delivery_id=row["id"],
        webhook_id=row["webhook_id"],
        url=row["url"],
        secrets=[secret for secret in (row["secret"], row["old_secret"]) if secret],
        entity=row["entity"],
        record_id=row["record_id"],
        verb=row["verb"],
        at=row["at"],
    )


def _wait_s(task: AgentTask, answer: Answer) -> float | None:
    """The seconds until the next try; None where there is none."""
    if answer.status == GONE or task.attempt >= task.max_retries:
        return None
    planned = WAITS_S[min(task.attempt, len(WAITS_S) - 1)]
    jittered = planned * random.uniform(1, 1 + _JITTER)  # noqa: S311 that receivers are not hit at once
    return max(jittered, answer.wait_s or 0.0)


def _row(tried: _Try, now: Any) -> dict[str, Any]:
    answer = tried.answer
    again = None if tried.wait_s is None else now + timedelta(seconds=tried.wait_s)
    state = "delivered" if answer.is_good else "pending" if again else "failed"
    return {
        "id": str(tried.message.delivery_id),
        "state": state,
        "status": answer.status,
        "took_ms": answer.took_ms,
        "answer": answer.text,
        "error": answer.error,
        "tried_at": now.isoformat(),
        "next_try_at": again.isoformat() if again else None,
    }
