"""The passwords of a lab: made for it alone, one file each, for nobody else to read."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Passwords:
    """One per login."""

    superuser: str = field(repr=False)
    app: str = field(repr=False)
    replicator: str = field(repr=False)
    rewind: str = field(repr=False)
    patroni: str = field(repr=False)
    """For what changes something over Patroni's REST API."""

    @classmethod
    def ensure(cls, folder: Path) -> Self:
        """Those of this lab; missing ones are made."""
        folder.mkdir(mode=0o700, exist_ok=True)
        return cls(**{one.name: _ensure(folder / f"{one.name}_password") for one in fields(cls)})


def _ensure(path: Path) -> str:
    if not path.exists():
        half = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        handle = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(secrets.token_urlsafe(24))
        half.replace(path)
    return path.read_text("utf-8").strip()
