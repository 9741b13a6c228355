"""Keyset pages: a cursor is the last row's sort key, signed together with the list it belongs to."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from itsdangerous import BadData, URLSafeSerializer

from gardenos.core.errors import InvalidCursor

T = TypeVar("T")

MAX_PAGE_SIZE = 200
DEFAULT_PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items of a list, and where the next ones begin."""

    items: Sequence[T]
    next_cursor: str | None


class CursorSigner:
    """Seals cursors with a secret, so that none can be forged or carried to another list."""

    def __init__(self, secret: str) -> None:
        self._secret = secret

    def _serializer(self, scope: str) -> URLSafeSerializer:
        return URLSafeSerializer(
            self._secret, salt=f"cursor:{scope}", signer_kwargs={"digest_method": hashlib.sha256}
        )

    def seal(self, scope: str, key: Sequence[Any]) -> str:
        """A cursor after `key` (JSON values), valid only for `scope`: agency, sort and filters."""
        return str(self._serializer(scope).dumps(list(key)))

    def open(self, scope: str, cursor: str) -> list[Any]:
        """The key sealed into `cursor`. Raises `InvalidCursor` for one of another scope or nobody."""
        try:
            key = self._serializer(scope).loads(cursor)
        except BadData:
            raise InvalidCursor from None
        if not isinstance(key, list):
            raise InvalidCursor
        return key
