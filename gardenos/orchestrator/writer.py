"""Writes down how runs ended.

The effect of a task and its finish share one transaction under the task's own claims, and the
finish counts only with the current fence. So a task may run more than once, but its effect
stands once, whoever dies when.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import asyncpg
import structlog
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random

from gardenos.core.errors import DatabaseUnavailable
from gardenos.core.ids import TaskId
from gardenos.db.session import Database, Role, TenantSession
from gardenos.orchestrator import queue, settlement
from gardenos.orchestrator.runs import said
from gardenos.orchestrator.store import QUERIES
from gardenos.orchestrator.task import Agent, Attempt, Done, Retry

MAX_RESULT_BYTES = 1_048_576
_TRIES = 5
_json = json.JSONEncoder(ensure_ascii=False).encode
_log = structlog.get_logger(__name__)

Ends: TypeAlias = list[tuple[Attempt, bool]]
"""Attempts as they were written, and whether their fence held."""

# The database ends one of two transactions that wait for each other; nothing is wrong with either.
_unless_deadlocked = retry(
    retry=retry_if_exception_type(asyncpg.TransactionRollbackError),
    stop=stop_after_attempt(_TRIES),
    wait=wait_random(0, 0.1),
    reraise=True,
)


class Writer:
    """Writes the ends of one agent's runs."""

    def __init__(self, database: Database, agent: Agent, *, within_s: float) -> None:
        """What takes longer than `within_s` seconds counts as what cannot be stored."""
        self._database = database
        self._agent = agent
        self._within_s = within_s

    async def write(self, attempts: Sequence[Attempt]) -> Ends:
        """Write ends of one agency: together or, where one of them spoils that, each by itself.

        What cannot be stored is left out: first the result, then what the run used. An end that
        cannot even be written so is left to whoever sent the task. Raises `DatabaseUnavailable`.
        """
        try:
            async with asyncio.timeout(self._within_s):
                return await self._settle(attempts)
        except DatabaseUnavailable:
            raise
        except BaseException as error:
            if we_are_cancelled():
                raise
            _log.warning("results_unstored", tasks=len(attempts), error=said(error))
            if len(attempts) > 1:
                return [end for each in attempts for end in await self.write([each])]
            plainer = _plainer(attempts[0], error)
            return await self.write([plainer]) if plainer else []

    @_unless_deadlocked
    async def _settle(self, attempts: Sequence[Attempt]) -> Ends:
        async with self._database.session(attempts[0].task.claims, role=Role.AGENT) as session:
            held = await self._finish_done(session, attempts)
            unfinished = [
                settlement.settle(attempt.task, attempt.outcome)
                for attempt in attempts
                if not isinstance(attempt.outcome, Done)
            ]
            held |= await queue.settle(session, unfinished)
            await self._agent.record_usage(session, [a for a in attempts if a.usage])
        return [(attempt, attempt.task.id in held) for attempt in attempts]

    async def _finish_done(
        self, session: TenantSession, attempts: Sequence[Attempt]
    ) -> set[TaskId]:
        done = {
            a.task.id: (a, _encoded(a.outcome)) for a in attempts if isinstance(a.outcome, Done)
        }
        if not done:
            return set()
        rows = await session.fetch(
            QUERIES["finish_batch"],
            list(done),
            [attempt.task.fence for attempt, _ in done.values()],
            [result for _, result in done.values()],
        )
        written = [row["id"] for row in rows]
        await self._agent.persist(session, [done[task_id][0] for task_id in written])
        await queue.hint_finished(session, [row["id"] for row in rows if row["awaited"]])
        return set(written)


def we_are_cancelled() -> bool:
    """Whether somebody cancels this task; an agent's own CancelledError is a failure like any other."""
    current = asyncio.current_task()
    return current is not None and current.cancelling() > 0


def _encoded(outcome: Done) -> str:
    """The result as JSON, if it is of a size that lists of tasks can carry. Raises `ValueError`."""
    encoded = _json(dict(outcome.result))
    size = len(encoded.encode("utf-8", "surrogatepass"))
    if size > MAX_RESULT_BYTES:
        raise ValueError(f"it has {size} bytes; more than {MAX_RESULT_BYTES} are too many")
    return encoded


def _plainer(attempt: Attempt, error: BaseException) -> Attempt | None:
    """The attempt with less to store, after `error` said it could not be; None where little is left."""
    if isinstance(attempt.outcome, Done):
        why = f"Its result could not be stored: {said(error)}"
        return Attempt(attempt.task, Retry(why), attempt.usage)
    if attempt.usage:
        return replace(attempt, usage=())
    plainest = Retry("How it ended could not be written down; the agent's log says why.")
    return None if attempt.outcome == plainest else Attempt(attempt.task, plainest)
