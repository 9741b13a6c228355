"""Slices as files of one folder, for machines without Kubernetes."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Generator
from pathlib import Path

from gardenos.discovery.slices import Foreign, Slice, parse, render
from gardenos.discovery.store import Conflict, StoreAway, now

NAMESPACE = "local"
LOCK_S = 1.0


class FileStore:
    """A slice is `<service>.json`; a lock makes compare-and-set one step for all that use it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, service: str) -> Slice | Foreign | None:
        """The slice of a service; a reader needs no lock, the file is replaced whole."""
        try:
            document = json.loads(self._file(service).read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreAway(f"{self._file(service)} cannot be read: {error.strerror}") from error
        except ValueError:
            return Foreign(f"{self._file(service)} holds no JSON")
        return parse(service, document) if isinstance(document, dict) else Foreign("no object")

    def write(self, wanted: Slice) -> None:
        """Write it if the file is still the version that was read."""
        try:
            with self._locked():
                present = self.read(wanted.service)
                version = present.version if isinstance(present, Slice) else ""
                if isinstance(present, Foreign) or version != wanted.version:
                    raise Conflict(f"{self._file(wanted.service)} has changed")
                self._replace(wanted, int(version or 0) + 1)
        except OSError as error:
            raise StoreAway(f"{self._folder} cannot be written: {error.strerror}") from error

    def close(self) -> None:
        """Nothing is kept open."""

    def _replace(self, wanted: Slice, version: int) -> None:
        document = render(wanted, namespace=NAMESPACE, at=now())
        document["metadata"]["resourceVersion"] = str(version)
        draft = self._folder / f".{wanted.service}.{os.getpid()}"
        with draft.open("w", encoding="utf-8") as file:
            json.dump(document, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._file(wanted.service))

    @contextlib.contextmanager
    def _locked(self) -> Generator[None]:
        deadline = time.monotonic() + LOCK_S
        with (self._folder / ".lock").open("a") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    # A process may be stopped while it holds the lock: a cycle does not wait.
                    if time.monotonic() > deadline:
                        raise StoreAway(f"{lock.name} is held by another process") from None
                    time.sleep(0.01)
            yield  # closing the file lets go

    def _file(self, service: str) -> Path:
        return self._folder / f"{service}.json"
