"""Passwords: hashed as GoTrue hashes them, off the event loop, for they take a while on purpose."""

from __future__ import annotations

import asyncio

import bcrypt

from gardenos.auth.errors import ValidationFailed, WeakPassword

MIN_CHARS = 8
MAX_BYTES = 72
"""bcrypt reads no further; a longer password would be taken for another that begins alike."""
_COST = 10
"""GoTrue's: all hashes cost alike to compare, whoever made them, and so does `_NOBODY`."""
_NOBODY = f"$2b${_COST}${'.' * 53}".encode()
"""Compared with where there is no user: the answer takes as long as for one who exists."""


def refuse_unfit(password: str) -> None:
    """Raise `WeakPassword` for a short one, `ValidationFailed` for one bcrypt would cut off."""
    if len(password.encode()) > MAX_BYTES:
        raise ValidationFailed(f"Password cannot be longer than {MAX_BYTES} characters")
    if len(password) < MIN_CHARS:
        raise WeakPassword(
            f"Password should be at least {MIN_CHARS} characters.", reasons=["length"]
        )


async def hashed(password: str) -> str:
    """The hash to store."""
    salt = bcrypt.gensalt(_COST)
    return (await asyncio.to_thread(bcrypt.hashpw, password.encode(), salt)).decode()


async def matches(password: str, stored: str | None) -> bool:
    """Whether `stored` is the hash of `password`; takes as long where there is none."""
    given = password.encode()
    # No stored password is this long, yet the time must not tell.
    fits = len(given) <= MAX_BYTES
    found = await asyncio.to_thread(_compare, given[:MAX_BYTES], (stored or "").encode())
    return found and fits and stored is not None


def _compare(given: bytes, stored: bytes) -> bool:
    try:
        return bcrypt.checkpw(given, stored or _NOBODY)
    except ValueError:
        # A hash that is not bcrypt's: GoTrue can import Argon2 and scrypt.
        return bcrypt.checkpw(given, _NOBODY) and False
