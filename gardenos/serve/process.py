"""What every replica sets up once: settings, logs, metrics, its own pool of connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ray.util import metrics as ray_metrics

from gardenos.core.config import Settings
from gardenos.core.errors import GardenOSError
from gardenos.db.readiness import PatientDatabase
from gardenos.observability import events, logs, metrics
from gardenos.orchestrator.board import Board
from gardenos.orchestrator.tally import Reporter


class DatabaseUnset(GardenOSError):
    """There is no database to work with. Set GARDENOS_DATABASE_URL, or run `gardenos up`."""

    code = "database-unset"


@dataclass(frozen=True, slots=True)
class Process:
    """A replica's process, set up."""

    settings: Settings
    database: PatientDatabase
    dsn: str
    unsubscribe: Sequence[Callable[[], None]]
    reporter: Reporter | None

    async def close(self) -> None:
        """Leave the last totals, give the connections back, and write down no more events."""
        if self.reporter is not None:
            await self.reporter.stop()
        await self.database.pool.close()
        for forget in self.unsubscribe:
            forget()


async def set_up(
    name: str, *, settings: Settings | None = None, pool_max: int, board: Board | None = None
) -> Process:
    """Set this process up; `name` is what its connections show in pg_stat_activity.

    On the `board` it leaves its metrics, for the orchestrator to add up.
    Raises `DatabaseUnset`, `PrivilegedRole`; an unreachable database is no reason not to start.
    """
    settings = settings or Settings.load()
    logs.configure(settings.log_level)
    if settings.database_url is None:
        raise DatabaseUnset
    dsn = settings.database_url.get_secret_value()
    database = await PatientDatabase.open(dsn, max_size=pool_max, name=name)
    subscribers = (logs.log_event, metrics.count_event)
    unsubscribe = [events.subscribe(each) for each in subscribers]
    metrics.name_process(name.removeprefix("gardenos-"))
    reporter = None
    if board is not None:
        reporter = Reporter(board, refresh=lambda: _gauge_connections(database))
        reporter.start()
    return Process(settings, database, dsn, unsubscribe, reporter)


def _gauge_connections(database: PatientDatabase) -> None:
    pool = database.pool
    metrics.set_connections(
        idle=pool.get_idle_size(), size=pool.get_size(), most=pool.get_max_size()
    )


class RayMetrics:
    """Events as metrics of Ray, which its agent exports for Prometheus from every node."""

    def __init__(self, tags: Mapping[str, str]) -> None:
        self._tags = dict(tags)
        self._runs = self._counter("gardenos_agent_runs", "Runs ended, by outcome.", "outcome")
        self._zombies = self._counter("gardenos_agent_zombies", "Results dropped for an old fence.")
        self._calls = self._counter("gardenos_agent_llm_calls", "Calls to models.", "outcome")

    def _counter(self, name: str, text: str, *keys: str) -> Any:
        counter = ray_metrics.Counter(name, text, tag_keys=(*self._tags, *keys))
        counter.set_default_tags(self._tags)
        return counter

    def count(self, event: events.Event) -> None:
        """Subscribe this to events."""
        match event:
            case events.RunsEnded(outcome=outcome, runs=runs):
                self._runs.inc(len(runs), tags={"outcome": outcome})
            case events.ZombieDropped():
                self._zombies.inc()
            case events.LLMCalled(outcome=outcome):
                self._calls.inc(tags={"outcome": outcome})
            case _:
                pass
