"""Following tasks: many followers, one LISTEN connection, one statement a second, no connection held."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, TypeAlias
from uuid import UUID

from gardenos.core.claims import Claims
from gardenos.core.errors import GardenOSError, RateLimited, Unavailable
from gardenos.core.ids import AgencyId, TaskId
from gardenos.db.session import Database, Role
from gardenos.observability.events import CycleSaid, observe
from gardenos.orchestrator.control import tasks
from gardenos.orchestrator.control.acting import QUERIES
from gardenos.orchestrator.listener import Listener
from gardenos.orchestrator.store import TaskView

CHANNEL: Final = "gardenos_task_finished"
RECHECK_S = 1.0
"""How long a lost notification can delay an answer."""
MOST_STREAMS, MOST_STREAMS_OF_AGENCY = 256, 64
_COME_BACK_S = 5.0

Mark: TypeAlias = tuple[str, int, bool]
"""What tells one look at a task from the next: state, fence, whether it is to be cancelled."""


def mark(view: TaskView) -> Mark:
    """The mark of a task as it was seen."""
    return view.state.value, view.fence, view.cancel_requested_at is not None


@dataclass(eq=False, slots=True)
class _Follower:
    """Somebody who follows a task, and what they last saw of it."""

    changed: asyncio.Event = field(default_factory=asyncio.Event)
    seen: Mark | None = None


class Room:
    """A number of places, some of them at most for one agency."""

    def __init__(self, most: int, most_of_agency: int) -> None:
        self._most = most
        self._most_of_agency = most_of_agency
        self._taken: Counter[AgencyId] = Counter()

    @property
    def taken(self) -> int:
        """How many places are taken."""
        return self._taken.total()

    @contextmanager
    def place(self, agency_id: AgencyId) -> Generator[None]:
        """Have a place while the block runs.

        Raises `RateLimited` where the agency has all of its own, `Unavailable` where none is left.
        """
        if self._taken[agency_id] >= self._most_of_agency:
            raise RateLimited(
                f"Your agency follows {self._most_of_agency} tasks here already. "
                "Close a stream, or ask for the task with wait_s.",
                retry_after_s=_COME_BACK_S,
            )
        if self.taken >= self._most:
            raise Unavailable(
                f"This gateway has {self._most} streams open already. "
                "Ask for the task with wait_s, or come back shortly.",
                retry_after_s=_COME_BACK_S,
            )
        self._taken[agency_id] += 1
        try:
            yield
        finally:
            self._taken[agency_id] -= 1
            if not self._taken[agency_id]:
                del self._taken[agency_id]


class TaskWaiter:
    """Tells followers when their tasks change: by notifications of ends, and by a look each second.

    The look is one statement for all of them, which reads states and nothing else; whoever's task
    changed reads it under their own claims.
    """

    def __init__(self, database: Database, dsn: str, *, recheck_s: float = RECHECK_S) -> None:
        self._database = database
        self._recheck_s = recheck_s
        self._followers: defaultdict[UUID, set[_Follower]] = defaultdict(set)
        self._listener = Listener(dsn, CHANNEL, self._wake)
        self._looking: asyncio.Task[None] | None = None
        self._said = ""
        self.streams = Room(MOST_STREAMS, MOST_STREAMS_OF_AGENCY)

    def start(self) -> None:
        """Begin listening and looking."""
        self._listener.start()
        self._looking = asyncio.create_task(self._keep_looking(), name="followed-tasks")

    async def stop(self) -> None:
        """Listen and look no more; open waits end when their time is over."""
        await self._listener.stop()
        if self._looking:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    @property
    def followed(self) -> int:
        """How many tasks somebody follows."""
        return len(self._followers)

    async def wait(self, claims: Claims, task_id: TaskId, *, timeout_s: float) -> TaskView:
        """The task as it stands when it ended, or after `timeout_s` seconds, whichever is first.

        Raises `NotFound` for a task that is not the agency's.
        """
        async for view in self.follow(claims, task_id, timeout_s=timeout_s):
            if view.state.is_terminal:
                return view
        # Whatever it was a moment ago: what is answered is how it stands at the end of the wait.
        return await self._read(claims, task_id)

    async def follow(
        self, claims: Claims, task_id: TaskId, *, timeout_s: float
    ) -> AsyncGenerator[TaskView]:
        """The task as it stands, and again after each change, until it has ended or time is over.

        Changes that follow each other within a second may show as one. Raises `NotFound` for a
        task that is not the agency's.
        """
        loop = asyncio.get_running_loop()
        give_up = loop.time() + timeout_s
        # Registered before the first look: a change between the two still wakes us.
        with self._following(task_id) as follower:
            while True:
                follower.changed.clear()
                view = await self._read(claims, task_id)
                if mark(view) != follower.seen:
                    follower.seen = mark(view)
                    yield view
                if view.state.is_terminal or loop.time() >= give_up:
                    return
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(give_up):
                        await follower.changed.wait()
                if not follower.changed.is_set():
                    return

    async def _read(self, claims: Claims, task_id: TaskId) -> TaskView:
        async with self._database.session(claims) as session:
            return await tasks.get(session, task_id)

    @contextmanager
    def _following(self, task_id: TaskId) -> Generator[_Follower]:
        follower = _Follower()
        self._followers[task_id].add(follower)
        try:
            yield follower
        finally:
            self._followers[task_id].discard(follower)
            if not self._followers[task_id]:
                del self._followers[task_id]

    def _wake(self, payload: str) -> None:
        for part in payload.split(","):
            with suppress(ValueError):
                for follower in self._followers.get(UUID(part), ()):
                    follower.changed.set()

    async def _keep_looking(self) -> None:
        while True:
            await asyncio.sleep(self._recheck_s)
            sentence = "looks after those who wait"
            try:
                await self._look()
            except GardenOSError as error:
                sentence = f"sees nothing: {error.detail}"
            except Exception as error:  # noqa: BLE001 whoever waits is told of no failure, only later
                sentence = f"failed and goes on: {type(error).__name__}: {error}"
            if sentence != self._said:
                self._said = sentence
                observe(CycleSaid(loop="followed-tasks", sentence=sentence))

    async def _look(self) -> None:
        """Wake whoever last saw something else than there is now."""
        followed = list(self._followers)
        if not followed:
            return
        async with self._database.system(Role.WORKER) as session:
            rows = await session.fetch(QUERIES["watch_tasks"], followed)
        now: dict[UUID, Mark] = {
            row["id"]: (row["state"], row["fence"], row["cancelling"]) for row in rows
        }
        for task_id in followed:
            for follower in self._followers.get(task_id, ()):
                # One that has not read yet does so now; a task that is gone is read to say so.
                if follower.seen is not None and follower.seen != now.get(task_id):
                    follower.changed.set()
