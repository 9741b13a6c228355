"""Lists that are paged by id, newest first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Protocol, TypeVar
from uuid import UUID

from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from gardenos.core.errors import InvalidCursor
from gardenos.core.page import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, CursorSigner

LINK: dict[str, Any] = {
    "Link": {"description": 'The next page, `rel="next"`.', "schema": {"type": "string"}}
}
"""For a route's OpenAPI."""


class PageQuery(BaseModel):
    """How much of a list, and from where on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE_SIZE)] = DEFAULT_PAGE_SIZE
    cursor: Annotated[
        str | None, Field(max_length=1000, description="`next_cursor` of the page before.")
    ] = None


class Identified(Protocol):
    """What has an id."""

    @property
    def id(self) -> UUID: ...


T = TypeVar("T", bound=Identified)


def opened(cursors: CursorSigner, scope: str, cursor: str | None) -> UUID | None:
    """The id before which a page begins; None for the first. Raises `InvalidCursor`."""
    if cursor is None:
        return None
    match cursors.open(scope, cursor):
        case [str(found)]:
            return UUID(found)
        case _:
            raise InvalidCursor


def cut(
    found: Sequence[T], page: PageQuery, cursors: CursorSigner, scope: str
) -> tuple[list[T], str | None]:
    """A page of what was found, one more than it holds, and the cursor of the next."""
    items = list(found[: page.limit])
    if len(found) <= page.limit:
        return items, None
    return items, cursors.seal(scope, [str(items[-1].id)])


def listed(request: Request, body: BaseModel, next_cursor: str | None) -> Response:
    """A page as it is answered, with the `Link` to the next."""
    headers: dict[str, str] = {}
    if next_cursor:
        query = request.url.include_query_params(cursor=next_cursor).query
        headers["Link"] = f'<{request.url.path}?{query}>; rel="next"'
    return Response(body.model_dump_json(), headers=headers, media_type="application/json")
