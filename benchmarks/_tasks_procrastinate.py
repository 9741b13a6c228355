"""procrastinate: async tasks, psycopg's pool, uvloop, concurrent workers, LISTEN/NOTIFY.

Tasks of killed workers come back by the periodic task of its documentation ("Retry stalled jobs"):
there every tenth minute, here every one, which is cron's finest.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

import asyncpg
import procrastinate
import typer
import uvloop

from benchmarks._tasks_system import Agency, Kind, Processes, Setting, Tuning
from benchmarks._tasks_work import Work, work

_CONNECTIONS = 16
"""Per worker; its own default of four would make finished jobs wait for each other."""


def _app(dsn: str) -> procrastinate.App:
    connector = procrastinate.PsycopgConnector(conninfo=dsn, min_size=2, max_size=_CONNECTIONS)
    app = procrastinate.App(connector=connector)
    for kind in Kind:
        app.task(name=kind.value, queue=kind.value)(work)

    @app.periodic(cron="* * * * *")
    @app.task(queueing_lock="retry_stalled", name="retry_stalled", pass_context=True)
    async def retry_stalled(_context: object, timestamp: int) -> None:  # noqa: ARG001 # pyright: ignore[reportUnusedFunction] the app has it
        for job in await app.job_manager.get_stalled_jobs():
            await app.job_manager.retry_job(job)

    return app


class Procrastinate:
    """See `System`."""

    name = "procrastinate"
    recovery = "heartbeat 30 s, periodic retry of stalled jobs each minute"

    def __init__(self, setting: Setting) -> None:
        self._dsn = setting.admin_dsn
        self._processes = Processes("benchmarks._tasks_procrastinate", setting, self._dsn)
        self._app = _app(self._dsn)

    async def prepare(self) -> None:
        await self._app.open_async()
        await self._app.schema_manager.apply_schema_async()
        self._conn: asyncpg.Connection[Any] = await asyncpg.connect(self._dsn)

    async def close(self) -> None:
        await self._app.close_async()
        await self._conn.close()

    async def clear(self) -> None:
        await self._conn.execute("TRUNCATE procrastinate_jobs, procrastinate_events CASCADE")

    async def enqueue(
        self,
        works: Sequence[Work],
        *,
        kind: Kind,
        urgent: bool = False,
        agency: Agency = Agency.A,  # noqa: ARG002 it knows none
    ) -> None:
        deferrer = self._app.configure_task(kind.value, priority=int(urgent))
        if len(works) == 1:
            await deferrer.defer_async(**works[0].payload())
        else:
            await deferrer.batch_defer_async(*(each.payload() for each in works))

    @asynccontextmanager
    async def working(self, tunings: dict[Kind, Tuning]) -> AsyncGenerator[None]:
        try:
            for kind, tuning in tunings.items():
                for _ in range(tuning.processes):
                    self._processes.start(kind.value, str(tuning.each))
            yield
        finally:
            self._processes.stop()

    async def kill_and_restart(self) -> None:
        await asyncio.to_thread(self._processes.kill_and_restart)

    async def busy(self) -> bool:
        return await self._conn.fetchval(
            "SELECT EXISTS (SELECT FROM procrastinate_jobs WHERE status IN ('todo', 'doing') "
            "AND queue_name <> 'default')"
        )

    async def completed(self) -> int:
        return await self._conn.fetchval(
            "SELECT count(*) FROM procrastinate_jobs WHERE status = 'succeeded' "
            "AND queue_name <> 'default'"
        )

    async def completed_twice(self) -> int:
        return await self._conn.fetchval(
            "SELECT count(*) - count(DISTINCT job_id) FROM procrastinate_events "
            "WHERE type = 'succeeded'"
        )


async def _work(kind: str, concurrency: int) -> None:
    app = _app(os.environ["BENCH_TASKS_DSN"])
    async with app.open_async():
        print("ready", flush=True)
        await app.run_worker_async(queues=[kind, "default"], concurrency=concurrency)


def main(
    kind: Annotated[str, typer.Argument()], concurrency: Annotated[int, typer.Argument()]
) -> None:
    """One worker process, until it is ended."""
    logging.basicConfig(level=logging.WARNING)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_work(kind, concurrency))


if __name__ == "__main__":
    typer.run(main)
