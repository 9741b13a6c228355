"""Records made over HTTP, for tests of what belongs to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    import httpx


class Make(Protocol):
    """Stores a record and gives it back."""

    async def __call__(self, path: str, **fields: Any) -> dict[str, Any]: ...


@pytest.fixture
def make(api: httpx.AsyncClient) -> Make:
    """Stores records for the agency's owner."""

    async def stored(path: str, **fields: Any) -> dict[str, Any]:
        response = await api.post(f"/v1/{path}", json=fields)
        assert response.status_code == 201, response.text
        return response.json()

    return stored


def etag(record: dict[str, Any]) -> dict[str, str]:
    """The precondition of a change to a record as it was read."""
    return {"If-Match": f'"{record["version"]}"'}
