"""pgqueuer: asyncpg, uvloop, a connection of its own for each worker, its autovacuum settings.

All of it as its pages on performance and heartbeats advise; durability is its default (`durable`).
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

import asyncpg
import typer
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

from benchmarks._tasks_system import Agency, Kind, Processes, Setting, Tuning
from benchmarks._tasks_work import Work, work


class PgQueuerSystem:
    """See `System`."""

    name = "pgqueuer"
    recovery = "heartbeat 30 s, then any worker picks them again"

    def __init__(self, setting: Setting) -> None:
        self._dsn = setting.admin_dsn
        self._processes = Processes("benchmarks._tasks_pgqueuer", setting, self._dsn)

    async def prepare(self) -> None:
        self._conn: asyncpg.Connection[Any] = await asyncpg.connect(self._dsn)
        self._queries = Queries(AsyncpgDriver(self._conn))
        await self._queries.install()
        await self._queries.optimize_autovacuum()

    async def close(self) -> None:
        await self._conn.close()

    async def clear(self) -> None:
        await self._conn.execute("TRUNCATE pgqueuer, pgqueuer_log, pgqueuer_statistics")

    async def enqueue(
        self,
        works: Sequence[Work],
        *,
        kind: Kind,
        urgent: bool = False,
        agency: Agency = Agency.A,  # noqa: ARG002 it knows none
    ) -> None:
        payloads: list[bytes | None] = [json.dumps(each.payload()).encode() for each in works]
        if len(payloads) == 1:
            await self._queries.enqueue(kind.value, payloads[0], int(urgent))
        else:
            many = len(payloads)
            await self._queries.enqueue([kind.value] * many, payloads, [int(urgent)] * many)

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
        return await self._conn.fetchval("SELECT EXISTS (SELECT FROM pgqueuer)")

    async def completed(self) -> int:
        return await self._conn.fetchval(
            "SELECT count(DISTINCT job_id) FROM pgqueuer_log WHERE status = 'successful'"
        )

    async def completed_twice(self) -> int:
        return await self._conn.fetchval(
            "SELECT count(*) - count(DISTINCT job_id) FROM pgqueuer_log WHERE status = 'successful'"
        )


async def _work(kind: str, concurrency: int) -> None:
    conn: asyncpg.Connection[Any] = await asyncpg.connect(os.environ["BENCH_TASKS_DSN"])
    pgq = PgQueuer(AsyncpgDriver(conn))

    @pgq.entrypoint(kind)
    async def entry(job: Job) -> None:  # pyright: ignore[reportUnusedFunction] the queue has it
        await work(**json.loads(job.payload or b"{}"))

    print("ready", flush=True)
    # The cap must be at least twice the batch.
    await pgq.run(batch_size=max(1, concurrency // 2), max_concurrent_tasks=max(2, concurrency))


def main(
    kind: Annotated[str, typer.Argument()], concurrency: Annotated[int, typer.Argument()]
) -> None:
    """One worker process, until it is ended."""
    logging.basicConfig(level=logging.WARNING)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_work(kind, concurrency))


if __name__ == "__main__":
    typer.run(main)
