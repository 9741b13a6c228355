"""Lists of what belongs to one record, newest first: pages by id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

from pydantic import BaseModel

from gardenos.core.errors import InvalidCursor
from gardenos.core.page import CursorSigner, Page
from gardenos.crm.records.models import PageQuery

T = TypeVar("T", bound=BaseModel)


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
    last: UUID = items[-1].id  # type: ignore[attr-defined] every one of these has an id
    return Page(items, cursors.seal(scope, [str(last)]))
