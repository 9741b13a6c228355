"""Lists of what belongs to one record, newest first: pages by id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar
from uuid import UUID

from gardenos.core.errors import InvalidCursor
from gardenos.core.page import CursorSigner, Page
from gardenos.crm.records.models import PageQuery


class Identified(Protocol):
    """What has an id."""

    @property
    def id(self) -> UUID:
        """Of its creation's order."""
        ...


T = TypeVar("T", bound=Identified)


def before(cursors: CursorSigner, scope: str, query: PageQuery) -> UUID | None:
    """The id to go on behind; None for the first page. Raises `InvalidCursor`."""
    if query.cursor is None:
        return None
    match cursors.open(scope, query.cursor):
        case [str(found)]:
            return UUID(found)
        case _:
            raise InvalidCursor


def page(cursors: CursorSigner, scope: str, query: PageQuery, found: Sequence[T]) -> Page[T]:
    """A page of what was found, of which there is one more than the page holds where one follows."""
    items = found[: query.limit]
    if len(found) <= query.limit:
        return Page(items, None)
    return Page(items, cursors.seal(scope, [str(items[-1].id)]))
