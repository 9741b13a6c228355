"""The secrets of an installation: generated for it alone, one file each, readable by nobody else."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from gardenos.cli.home import Home, write_private

SUPERUSER_PASSWORD = "postgres_superuser_password"  # noqa: S105 a file's name
"""Not read by `Settings`: only `up` and `migrate` act as the embedded server's superuser."""
APP_PASSWORD = "postgres_app_password"  # noqa: S105 a file's name
DATABASE_URL = "gardenos_database_url"
ADMIN_DATABASE_URL = "gardenos_admin_database_url"
"""Only where the database is the lab's: it takes the embedded one's place."""
_SECRET_BYTES = 48


def _signing_key() -> str:
    from gardenos.auth.keys import new_signing_key

    return new_signing_key()


GENERATORS: Mapping[str, Callable[[], str]] = {
    "gardenos_cursor_secret": lambda: secrets.token_urlsafe(_SECRET_BYTES),
    "gardenos_jwt_secret": lambda: secrets.token_urlsafe(_SECRET_BYTES),
    "gardenos_jwt_signing_key": _signing_key,
}
"""What every installation needs, by the name of its file."""
EMBEDDED: Mapping[str, Callable[[], str]] = {
    SUPERUSER_PASSWORD: lambda: secrets.token_hex(24),
    APP_PASSWORD: lambda: secrets.token_hex(24),
}
"""What the embedded PostgreSQL needs besides."""


def ensure(home: Home, generators: Mapping[str, Callable[[], str]]) -> list[str]:
    """Generate the secrets that are not there yet; their names. What is there stays as it is."""
    made: list[str] = []
    for name, generate in generators.items():
        path = home.secrets / name
        if path.exists():
            _close(path)
            continue
        write_private(path, generate())
        made.append(name)
    return made


def read(home: Home, name: str) -> str | None:
    """A secret, or None where there is no such file."""
    try:
        return (home.secrets / name).read_text("utf-8").strip()
    except FileNotFoundError:
        return None


def put(home: Home, name: str, value: str) -> None:
    """Store a secret that follows from others, such as a connection string."""
    if read(home, name) != value:
        write_private(home.secrets / name, value)


def drop(home: Home, name: str) -> None:
    """Forget a secret that follows from others."""
    (home.secrets / name).unlink(missing_ok=True)


def new_password() -> str:
    """A password for a person to keep: 120 bits, no letters that are mistaken for others."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(6)) for _ in range(4))


def _close(path: Path) -> None:
    """A secret that was copied in with an open mode is closed."""
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
