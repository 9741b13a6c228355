"""How each kind of fault is done to a running installation, and undone where nobody else does it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from gardenos.cli import database, processes
from gardenos.db.embedded import EmbeddedPostgresError
from tests.chaos.model import Model, Mood
from tests.chaos.plan import Fault, Kind
from tests.support.garden import Garden

AGENTS = ("LeadAnalysisAgent", "FollowUpAgent", "SlowAgent")
_NODE = ("ray::DashboardAgent", "ray::RuntimeEnvAgent")
"""Parts of the raylet: it ends itself where one of them dies, and the node with it."""
_POSTGRES_PATIENCE_S = 30.0
_CUT = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


class Saboteur:
    """Breaks things. What lasts is ended by a timer, or at the latest by `restore`."""

    def __init__(self, garden: Garden, model: Model, *, lease_s: float) -> None:
        self._garden = garden
        self._model = model
        self._lease_s = lease_s
        self._timers: list[threading.Timer] = []
        self._frozen: set[int] = set()
        self._lock = threading.Lock()
        self._strikes: dict[Kind, Callable[[Fault], str]] = {
            Kind.AGENT: lambda fault: self._kill_one(self._replicas(*AGENTS), fault),
            Kind.ORCHESTRATOR: lambda fault: self._kill_one(
                self._replicas("AIOrchestrator"), fault
            ),
            Kind.CONTROLLER: lambda fault: self._kill_one(
                self._named("ray::ServeController"), fault
            ),
            Kind.PROXY: lambda fault: self._kill_one(
                [*self._named("ray::ProxyActor"), *self._named("ray::HAProxyManager")], fault
            ),
            Kind.HAPROXY: lambda fault: self._kill_one(self._named("haproxy"), fault),
            Kind.WORKER: lambda fault: self._kill_one(
                [pid for pid in self._named("ray::") if pid not in self._named(*_NODE)], fault
            ),
            Kind.POSTGRES: self._kill_postgres,
            Kind.FROZEN: self._freeze,
            Kind.CONNECTIONS: lambda _: f"{self._cut()} connections",
            Kind.MODEL_HANGS: lambda fault: self._upset(Mood.HANGS, fault),
            Kind.MODEL_FAILS: lambda fault: self._upset(Mood.FAILS, fault),
        }

    def strike(self, fault: Fault) -> str:
        """Do it; what was hit, or why there was nothing to hit (then it begins with `nothing`)."""
        return self._strikes[fault.kind](fault)

    def restore(self) -> None:
        """End everything that lasts, now."""
        for timer in self._timers:
            timer.cancel()
            timer.join()
        self._model.mood = Mood.WELL
        with self._lock:
            for pid in self._frozen:
                _signal(pid, signal.SIGCONT)
            self._frozen.clear()
        self._start_postgres()

    # -- processes -------------------------------------------------------------------------

    def _named(self, *names: str) -> list[int]:
        """Processes of this installation whose name begins so, or whose program is called so."""
        found: list[int] = []
        for process in processes.marked(self._garden.home.folder):
            with suppress(psutil.Error):
                first = (process.cmdline() or [""])[0]
                if first.startswith(names) or Path(first).name in names:
                    found.append(process.pid)
        return found

    def _replicas(self, *deployments: str) -> Sequence[int]:
        """The replicas that Serve says run; none while it says nothing."""
        return sorted(pid for name in deployments for pid in self._garden.replica_pids(name))

    def _kill_one(self, pids: Sequence[int], fault: Fault) -> str:
        pid = _one_of(pids, fault.choice)
        if pid is None:
            return "nothing of that kind runs"
        _signal(pid, signal.SIGKILL)
        return f"process {pid}"

    def _freeze(self, fault: Fault) -> str:
        pid = _one_of(self._replicas(*AGENTS), fault.choice)
        if pid is None:
            return "nothing of that kind runs"
        with self._lock:
            self._frozen.add(pid)
            _signal(pid, signal.SIGSTOP)
        self._after(fault.lasts * self._lease_s, lambda: self._thaw(pid))
        return f"process {pid} for {fault.lasts * self._lease_s:.1f} s"

    def _thaw(self, pid: int) -> None:
        with self._lock:
            self._frozen.discard(pid)
            _signal(pid, signal.SIGCONT)

    # -- the database ----------------------------------------------------------------------

    def _kill_postgres(self, fault: Fault) -> str:
        pid = self._garden.home.postgres.pid()
        if pid is None:
            return "nothing of that kind runs"
        _signal(pid, signal.SIGKILL)
        self._after(fault.lasts, self._start_postgres)
        return f"process {pid}, back after {fault.lasts:.1f} s"

    def _start_postgres(self) -> None:
        # A killed server is not gone at once: until its parent has noticed, the next one is refused.
        retrying = Retrying(
            retry=retry_if_exception_type(EmbeddedPostgresError),
            stop=stop_after_delay(_POSTGRES_PATIENCE_S),
            wait=wait_fixed(0.3),
            reraise=True,
        )
        with self._lock:
            retrying(self._garden.home.postgres.start)

    def _cut(self) -> int:
        home = self._garden.home
        dsn = database.plan(home, home.settings()).admin_dsn
        assert dsn is not None

        async def cut() -> int:
            conn = await asyncpg.connect(dsn, timeout=5)
            try:
                return await conn.fetchval(_CUT)
            finally:
                await conn.close()

        try:
            return asyncio.run(cut())
        except (OSError, TimeoutError, asyncpg.PostgresError):
            return 0  # it is away already

    # -- the model -------------------------------------------------------------------------

    def _upset(self, mood: Mood, fault: Fault) -> str:
        self._model.mood = mood
        self._after(fault.lasts, self._calm)
        return f"for {fault.lasts:.1f} s"

    def _calm(self) -> None:
        self._model.mood = Mood.WELL

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, act)
        timer.daemon = True
        self._timers.append(timer)
        timer.start()


def _one_of(pids: Sequence[int], choice: float) -> int | None:
    return pids[min(int(choice * len(pids)), len(pids) - 1)] if pids else None


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
