"""The home of an installation: its folders, the lock of whoever changes it, what it says is running."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_settings import SettingsError

from gardenos.cli.problems import CommandFailed
from gardenos.cli.processes import ProcessRecord
from gardenos.core.config import ENV_PREFIX, SECRETS_FOLDER, Settings, default_home
from gardenos.db.embedded import EmbeddedPostgres, reachable

_PRIVATE = 0o700
_ENTERABLE = 0o711  # PostgreSQL's own user must pass through where GardenOS runs as root


class Running(BaseModel):
    """What `up` left running, kept in `run/state.json`."""

    model_config = ConfigDict(frozen=True)

    ray: ProcessRecord
    """The `ray start --block` that everything but PostgreSQL descends from."""
    http_port: int
    dashboard_port: int
    ray_port: int
    started_at: datetime

    @property
    def ports(self) -> dict[str, Any]:
        """The ports as settings."""
        return self.model_dump(include={"http_port", "dashboard_port", "ray_port"})


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one installation."""

    folder: Path

    @classmethod
    def default(cls) -> Home:
        """`GARDENOS_HOME`, else `.garden` in the working folder."""
        return cls(default_home())

    @property
    def secrets(self) -> Path:
        """One file per secret."""
        return self.folder / SECRETS_FOLDER

    @property
    def logs(self) -> Path:
        """What our own processes log."""
        return self.folder / "logs"

    @property
    def run(self) -> Path:
        """The lock and the state."""
        return self.folder / "run"

    @property
    def command_log(self) -> Path:
        """Where commands keep the traceback of a failure."""
        return self.logs / "gardenos.log"

    @property
    def ray_log(self) -> Path:
        """What `ray start` prints."""
        return self.logs / "ray.log"

    @property
    def postgres(self) -> EmbeddedPostgres:
        """The embedded server, running or not."""
        return EmbeddedPostgres(reachable(self.folder / "postgres"))

    def make(self) -> None:
        """Make the folders, for nobody but this user."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(_ENTERABLE if os.geteuid() == 0 else _PRIVATE)
        for folder in (self.secrets, self.logs, self.run):
            folder.mkdir(exist_ok=True)
            folder.chmod(_PRIVATE)

    def settings(self) -> Settings:
        """The settings of this installation; while it runs, with the ports it was started on."""
        try:
            settings = Settings.load(self.folder)
        except SettingsError as error:
            # A setting that is JSON, and was not: only the sentence names it.
            named = re.search(r'field "(\w+)"', str(error))
            name = f"{ENV_PREFIX}{named[1].upper()}" if named else "A setting"
            raise CommandFailed(
                f"{name} is not usable: it is not JSON.",
                todo="Change it or unset it, then run the same command again.",
            ) from None
        except ValidationError as error:
            fault = error.errors()[0]
            # A fault names the field, or the variable or file that its value came from.
            name = str(fault["loc"][0]).upper().removeprefix(ENV_PREFIX)
            raise CommandFailed(
                f"{ENV_PREFIX}{name} is not usable: {fault['msg']}.",
                todo="Change it or unset it, then run the same command again.",
            ) from None
        running = self.running()
        if running is None:
            return settings
        at_default = settings.public_url == f"http://127.0.0.1:{settings.http_port}"
        public = {"public_url": f"http://127.0.0.1:{running.http_port}"} if at_default else {}
        return settings.model_copy(update=running.ports | public)

    def running(self) -> Running | None:
        """What runs, or None; a state left behind by killed processes counts as none."""
        running = self.recorded()
        return running if running and running.ray.process() else None

    def recorded(self) -> Running | None:
        """What `up` last wrote, whether it still holds or not."""
        try:
            return Running.model_validate_json(self._state.read_text("utf-8"))
        except (OSError, ValueError):
            return None

    def record(self, running: Running) -> None:
        """Write down what runs."""
        write_private(self._state, running.model_dump_json(indent=2) + "\n")

    def forget(self) -> None:
        """Nothing runs any more."""
        self._state.unlink(missing_ok=True)

    @property
    def _state(self) -> Path:
        return self.run / "state.json"

    @contextmanager
    def locked(self, what: str) -> Generator[None]:
        """Be the only one who starts or stops this installation.

        The kernel drops the lock with the process that holds it, so that none outlives a kill -9.
        Raises `CommandFailed` where another one is at it.
        """
        self.run.mkdir(parents=True, exist_ok=True)
        with (self.run / "lock").open("a+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise CommandFailed(
                    f"Another command is at work on {self.folder}: {file.read().strip()}.",
                    todo="Wait until it has finished, then try again.",
                ) from None
            file.truncate(0)
            file.write(f"`gardenos {what}`, process {os.getpid()}")
            file.flush()
            yield
            file.truncate(0)


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, whole or not at all."""
    half = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(half, "x", encoding="utf-8", opener=_private) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    finally:
        with contextlib.suppress(OSError):
            half.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
