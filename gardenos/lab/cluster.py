"""A lab's processes: started in order, found again by pid and start time, stopped in reverse order."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import yaml

from gardenos.lab import cuts, programs, settings, state, watch
from gardenos.lab.cuts import Cuts
from gardenos.lab.errors import LabError, LabRefused
from gardenos.lab.layout import (
    BASE_PORT,
    ETCDS,
    NODES,
    PARTS,
    PROXIES,
    SIDECARS,
    WIRES,
    Layout,
    number,
)
from gardenos.lab.passwords import Passwords
from gardenos.lab.programs import Programs
from gardenos.lab.state import Started, State

_OPEN, _ENTERABLE, _PRIVATE = 0o755, 0o711, 0o700
_ENDS_IN_S = 20.0
_LOG_TAIL = 3
_children: list[subprocess.Popen[bytes]] = []
"""Kept: a child that nobody holds is warned about, and these are to outlive us."""


class Lab:
    """One lab in one folder."""

    def __init__(self, layout: Layout, found: State) -> None:
        self.layout = layout
        self.state = found
        self._programs: Programs | None = None

    @classmethod
    def at(cls, folder: Path, *, base_port: int = BASE_PORT, to_api: bool = False) -> Lab:
        """The lab in `folder`; one that is there already keeps its ports."""
        known = state.read(folder / "run") or State(base_port=base_port)
        known = known.model_copy(update={"to_api": to_api})
        return cls(Layout(folder, known.base_port), known)

    @property
    def programs(self) -> Programs:
        """What it runs. Raises `LabRefused` where something is not installed."""
        if self._programs is None:
            self._programs = programs.find()
        return self._programs

    @property
    def passwords(self) -> Passwords:
        """The passwords of this lab."""
        return Passwords.ensure(self.layout.secrets)

    @property
    def exists(self) -> bool:
        """Whether there ever was one in this folder."""
        return state.read(self.layout.run) is not None

    def prepare(self) -> None:
        """Make folders, passwords and settings files. Raises `LabRefused`."""
        layout = self.layout
        user = self.programs.user
        layout.folder.mkdir(parents=True, exist_ok=True)
        layout.folder.chmod(_ENTERABLE if user else _PRIVATE)
        for folder in (layout.run, layout.logs):
            folder.mkdir(exist_ok=True)
            folder.chmod(_OPEN)
        for folder in (*(layout.part(name) for name in PARTS), layout.slices):
            folder.mkdir(exist_ok=True)
            folder.chmod(_PRIVATE)
            self._hand_over(folder)
        self._refuse_unreachable()
        for name in NODES:
            told = settings.patroni(layout, name, self.passwords, programs=self.programs.postgres)
            self._put(layout.part(name) / "patroni.yaml", yaml.safe_dump(told, sort_keys=False))
        shared = settings.shared_haproxy().read_text("utf-8")
        for name in PROXIES:
            folder = layout.part(name)
            self._put(folder / "00-shared.cfg", shared)
            self._put(folder / "10-servers.cfg", settings.haproxy_servers(layout))
        state.write(layout.run, self.state)

    def _refuse_unreachable(self) -> None:
        folder = self.layout.folder
        for parent in folder.parents if self.programs.user else ():
            if not parent.stat().st_mode & 0o001:
                raise LabRefused(
                    f"The lab does not run as root, and its own user may not enter {parent}. "
                    "Set GARDENOS_HOME to a folder others may enter, such as /var/lib/gardenos."
                )

    def _put(self, path: Path, text: str) -> None:
        """Settings, with passwords in them: for the user that runs the part alone."""
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        self._hand_over(path)

    def _hand_over(self, path: Path) -> None:
        if self.programs.user:
            shutil.chown(path, self.programs.user, self.programs.user)

    def taken_ports(self) -> list[str]:
        """Where a part that does not run would find its port taken, as words."""
        found: list[str] = []
        for name, addresses in self.layout.listeners().items():
            if self.process(name) is None and not (name in NODES and self.postmaster(name)):
                found += [f"{one} ({name})" for one in addresses if is_taken(*one)]
        return found

    def process(self, name: str) -> psutil.Process | None:
        """A part's process; a node's is its Patroni."""
        known = self.state.started.get(name)
        return known.process() if known else None

    def postmaster(self, node: str) -> psutil.Process | None:
        """A node's PostgreSQL, whether its Patroni lives or not."""
        data = self.layout.data(node)
        with contextlib.suppress(OSError, ValueError, IndexError, psutil.Error):
            pid = int((data / "postmaster.pid").read_text().splitlines()[0])
            process = psutil.Process(pid)
            if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()) == data:
                return process
        return None

    def start(self, name: str) -> bool:
        """Start a part unless it runs; whether it had to be started. Does not wait for it."""
        if self.process(name) is not None:
            return False
        folder = self.layout.part(name)
        command, environment = self._command(name)
        user = self.programs.user
        with (self.layout.logs / f"{name}.log").open("ab") as log:
            child = subprocess.Popen(  # noqa: S603 our own programs
                command,
                cwd=folder,  # by which the wires tell whose process it is
                env=self._environment(folder) | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=user,
                group=user,
                extra_groups=[] if user else None,
            )
        _children.append(child)
        try:
            born = psutil.Process(child.pid).create_time()
        except psutil.Error:
            raise LabError(f"{name} ended at once. {self.last_words(name)}") from None
        self.state = self.state.with_started(name, Started(pid=child.pid, create_time=born))
        state.write(self.layout.run, self.state)
        return True

    def _environment(self, folder: Path) -> dict[str, str]:
        found = self.programs.environment
        return {"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": str(folder), **found}

    def _command(self, name: str) -> tuple[list[str], dict[str, str]]:
        layout, found = self.layout, self.programs
        if name == WIRES:
            command = found.module("gardenos.lab.wires", str(layout.folder), str(layout.base))
            return command, {}
        if name in ETCDS:
            return [str(found.etcd), *settings.etcd(layout, name)], {}
        if name in NODES:
            return found.module("patroni", str(layout.part(name) / "patroni.yaml")), {}
        if name in PROXIES:
            files = [str(layout.part(name) / one) for one in ("00-shared.cfg", "10-servers.cfg")]
            command = [str(found.haproxy), "-db", "-f", files[0], "-f", files[1]]
            return command, settings.haproxy_environment(layout, number(name))
        flags = settings.sidecar(layout, name, to_api=self.state.to_api)
        return found.module("gardenos.discovery", *flags), {}

    def last_words(self, name: str) -> str:
        """The end of a part's log, as part of a sentence."""
        log = self.layout.logs / f"{name}.log"
        with contextlib.suppress(OSError):
            lines = log.read_text("utf-8", errors="replace").splitlines()[-_LOG_TAIL:]
            return f"{log} ends with: {' '.join(lines)}"
        return ""

    def await_that(
        self, holds: Callable[[], bool], *, within_s: float, what: str, parts: tuple[str, ...] = ()
    ) -> None:
        """Ask until it is so. Raises `LabError` after `within_s`, or where one of `parts` ended."""
        give_up = time.monotonic() + within_s
        while not holds():
            for name in parts:
                if self.process(name) is None:
                    raise LabError(f"{name} has ended. {self.last_words(name)}")
            if time.monotonic() > give_up:
                raise LabError(f"{what} did not come about within {within_s:.0f} s.")
            time.sleep(0.1)

    def cut(self, wanted: Cuts) -> None:
        """Have the wires cut this and nothing else; returns once they do."""
        token = cuts.order(self.layout.run, wanted)
        folder = self.layout.part(WIRES)
        self.await_that(
            lambda: cuts.obeyed(folder) == token, within_s=10, what="The cut", parts=(WIRES,)
        )

    @property
    def cuts(self) -> Cuts:
        """What is cut off now."""
        return cuts.ordered(self.layout.run)[1]

    def everyone(self) -> list[psutil.Process]:
        """Every process of this lab, whoever its parent is: each works in its part's folder."""
        return state.workers_in(self.layout.folder)

    def down(self) -> list[str]:
        """Stop everything, proxies first; the parts that ran."""
        ran = [name for name in PARTS if self.process(name) or self._orphaned(name)]
        for process in self.everyone():  # a stopped process would not hear that it is to end
            with contextlib.suppress(psutil.Error):
                process.resume()
        self._end_parts(*SIDECARS, *PROXIES)
        self._end_nodes()
        for name in (*ETCDS, WIRES):  # one by one: together they wait for each other to lead
            self._end_parts(name)
        stubborn = _end(self.everyone())
        _reap()
        if stubborn:
            named = ", ".join(str(process.pid) for process in stubborn)
            raise LabError(f"Some of the lab's processes do not end: {named}.")
        if self.exists:
            self.state = self.state.model_copy(update={"started": {}})
            state.write(self.layout.run, self.state)
            cuts.order(self.layout.run, Cuts())
        return ran

    def _end_parts(self, *names: str) -> None:
        _end([process for process in map(self.process, names) if process])

    def _end_nodes(self) -> None:
        """The leader first, so that its replicas get the last it has to say.

        Patroni would hand over to another at each end, and make a new timeline; it is killed first.
        """
        led = watch.leader(watch.members(self.layout))
        for patroni in filter(None, map(self.process, NODES)):
            with contextlib.suppress(psutil.Error):
                patroni.kill()
        for name in sorted(NODES, key=lambda name: name != led):
            postmaster = self.postmaster(name)
            _end([postmaster] if postmaster else [], ask=signal.SIGINT)

    def _orphaned(self, name: str) -> bool:
        return name in NODES and self.postmaster(name) is not None


def _reap() -> None:
    """Forget the children that have ended."""
    _children[:] = [child for child in _children if child.poll() is None]


def _end(
    asked: list[psutil.Process], *, ask: signal.Signals = signal.SIGTERM
) -> list[psutil.Process]:
    """Ask to end, wait, kill; those that would not die."""
    for process in asked:
        with contextlib.suppress(psutil.Error):
            process.send_signal(ask)
    _gone, alive = psutil.wait_procs(asked, timeout=_ENDS_IN_S)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.kill()
    _gone, alive = psutil.wait_procs(alive, timeout=5)
    return alive


def is_taken(host: str, port: int) -> bool:
    """Whether somebody listens there, or nobody may."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return True
    return False
