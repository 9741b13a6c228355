"""What an agent may do to its own task, and never to the others of its batch."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import pytest

from gardenos.core.ids import TaskId
from gardenos.db.session import TenantSession
from gardenos.orchestrator.executor import Executor
from gardenos.orchestrator.runs import Interrupted
from gardenos.orchestrator.task import AgentTask, Attempt, Done, Outcome, Retry, Snooze
from gardenos.orchestrator.writer import MAX_RESULT_BYTES
from tests.unit.orchestrator.conftest import Patient, Tasks

if TYPE_CHECKING:
    from gardenos.db.session import Database


RING: dict[str, Any] = {}
RING["ring"] = RING
ENDS: dict[str | None, Outcome] = {
    None: Done({}),
    "with a NUL": Done({"text": "a\x00b"}),
    "with half a pair": Done({"text": "\ud800"}),
    "with a socket": Done({"made": object()}),
    "with no mapping": Done(cast("Any", 7)),
    "with a ring": Done(RING),
    "with too much": Done({"text": "x" * (MAX_RESULT_BYTES + 1)}),
    "with a NUL to say": Retry("a\x00b"),
    "with a strange wait": Retry("later", float("nan")),
    "with no date": Snooze(cast("Any", "tomorrow")),
}


class Poisoned(Patient):
    """Does what its payload names."""

    async def load(
        self, session: TenantSession, tasks: Sequence[AgentTask]
    ) -> Mapping[TaskId, Any]:
        for task in tasks:
            if task.payload.get("load") == "exits":
                raise SystemExit(3)
            if task.payload.get("load") == "rubbish":
                return cast("Any", None)
        return {}

    async def run(self, task: AgentTask, loaded: Any) -> Attempt:
        match task.payload.get("run"):
            case "raises":
                raise LookupError("no such thing")
            case "exits":
                raise SystemExit(3)
            case "interrupts":
                raise KeyboardInterrupt
            case "cancels itself":
                raise asyncio.CancelledError
            case "cancels its task":
                cast("asyncio.Task[Any]", asyncio.current_task()).cancel()
                await asyncio.Event().wait()
            case "returns nothing":
                return cast("Any", None)
            case "ends strangely":
                return Attempt(task, cast("Outcome", "done"))
            case "pays":
                raise Interrupted(["a call"]) from LookupError("paid and failed")
            case _:
                pass
        return Attempt(task, ENDS[task.payload.get("ends")])

    async def persist(self, session: TenantSession, attempts: Sequence[Attempt]) -> None:
        for attempt in attempts:
            if attempt.task.payload.get("stores") == "exits":
                raise SystemExit(3)
            if attempt.task.payload.get("stores") == "hangs":
                await asyncio.Event().wait()

    async def record_usage(self, session: TenantSession, attempts: Sequence[Attempt]) -> None:
        return None


UNWRITTEN = "How it ended could not be written down; the agent's log says why."


@pytest.mark.parametrize(
    ("poison", "why"),
    [
        ({"run": "raises"}, "LookupError: no such thing"),
        ({"run": "exits"}, "SystemExit: 3"),
        ({"run": "interrupts"}, "KeyboardInterrupt"),
        ({"run": "cancels itself"}, "It cancelled itself."),
        ({"run": "cancels its task"}, "It cancelled itself."),
        ({"run": "returns nothing"}, "Its agent returned NoneType, which is no outcome."),
        ({"run": "ends strangely"}, "Its agent returned str, which is no outcome."),
        ({"run": "pays"}, "LookupError: paid and failed"),
        ({"ends": "with a NUL"}, "Its result could not be stored: UntranslatableCharacterError"),
        ({"ends": "with half a pair"}, "Its result could not be stored: "),
        ({"ends": "with a socket"}, "Its result could not be stored: "),
        ({"ends": "with no mapping"}, "Its result could not be stored: TypeError"),
        ({"ends": "with a ring"}, "Its result could not be stored: "),
        (
            {"ends": "with too much"},
            "Its result could not be stored: ValueError: it has 1048589 bytes",
        ),
        ({"ends": "with a NUL to say"}, "ab"),
        ({"ends": "with a strange wait"}, "later"),
        ({"ends": "with no date"}, UNWRITTEN),
        ({"load": "exits"}, "What it needs could not be read: SystemExit: 3"),
        ({"load": "rubbish"}, "What it needs could not be read: TypeError"),
        ({"stores": "exits"}, "Its result could not be stored: SystemExit: 3"),
        ({"stores": "hangs"}, "Its result could not be stored: TimeoutError"),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else "",
)
async def test_a_poison_task_dies_alone(
    db: Database, tasks: Tasks, poison: dict[str, Any], why: str
) -> None:
    executor = Executor(db, Poisoned(), store_within_s=1.0 if "stores" in poison else 30.0)
    report = await executor.run_batch(await tasks.leased({}, poison, {}))
    assert report.outcomes == {"done": 2, "retry": 1}
    assert len(report.ended) == 3
    first, spoilt, last = reversed(await tasks.all())
    assert (first.state.value, last.state.value) == ("succeeded", "succeeded")
    assert (spoilt.state.value, spoilt.attempt) == ("queued", 1)
    assert (spoilt.error or {})["detail"].startswith(why)


class Deaf(Patient):
    """Does not hear that it is stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.told = asyncio.Event()

    async def run(self, task: AgentTask, loaded: Any) -> Attempt:
        while task.payload.get("deaf") and not self.may_end.is_set():
            try:
                await self.may_end.wait()
            except asyncio.CancelledError:
                self.told.set()
        return Attempt(task, Done({}))


@pytest.fixture
def deaf() -> Generator[Deaf]:
    agent = Deaf()
    yield agent
    agent.may_end.set()


async def test_a_run_that_does_not_hear_its_deadline_gives_its_place_to_others(
    db: Database, tasks: Tasks, deaf: Deaf
) -> None:
    executor = Executor(
        db, deaf, deadline_s=0.01, concurrency=1, settle_every_s=0.01, stops_within_s=0.05
    )
    report = await executor.run_batch(await tasks.leased({"deaf": True}))
    assert (report.outcomes, deaf.told.is_set()) == ({"retry": 1}, True)
    after = await executor.run_batch(await tasks.leased({}))
    assert after.outcomes == {"done": 1}
