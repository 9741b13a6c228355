"""Signed addresses of files that a folder keeps, and how a file is called on its way out."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import Final, Literal
from urllib.parse import quote

from itsdangerous import BadData, URLSafeTimedSerializer
from pydantic import BaseModel, ConfigDict, ValidationError

from gardenos.core.errors import Forbidden

CONTENT: Final = "/v1/attachments/content/"
VALID_FOR: Final = timedelta(minutes=15)
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9 ._()-]")


class AddressExpired(Forbidden):
    """The address is not valid any more, or never was. Ask for a new one."""

    code = "address-expired"


class Leave(BaseModel):
    """What a signed address allows: one file, one way, so many bytes."""

    model_config = ConfigDict(frozen=True)

    does: Literal["put", "get"]
    key: str
    bytes: int
    name: str
    media_type: str


def _serializer(secret: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        secret, salt="attachment", signer_kwargs={"digest_method": hashlib.sha256}
    )


def sealed(secret: str, leave: Leave) -> str:
    """The last part of an address, which nobody else can make."""
    return str(_serializer(secret).dumps(leave.model_dump()))


def opened(secret: str, token: str, *, does: Literal["put", "get"]) -> Leave:
    """What an address allows. Raises `AddressExpired`."""
    try:
        found = _serializer(secret).loads(token, max_age=int(VALID_FOR.total_seconds()))
        leave = Leave.model_validate(found)
    except (BadData, ValidationError):
        raise AddressExpired from None
    if leave.does != does:
        raise AddressExpired
    return leave


def plain(name: str) -> str:
    """A file's name without what could be anything but part of a name: no slash, no quote."""
    return _UNSAFE.sub("_", name)


def disposition(name: str) -> str:
    """A Content-Disposition that saves a file under its name and can say nothing else (RFC 6266)."""
    return f"attachment; filename=\"{plain(name)}\"; filename*=UTF-8''{quote(name, safe='')}"
