"""The routes of fields, tags, views and attachments beside those of the CRM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest

from gardenos.crm.custom_fields.routes import router as custom_fields_router
from gardenos.crm.tags.routes import records as record_tags_router
from gardenos.crm.tags.routes import router as tags_router
from gardenos.crm.views.routes import router as views_router

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI

ROUTERS = (custom_fields_router, tags_router, record_tags_router, views_router)


class Make(Protocol):
    """Stores a record and gives it back."""

    async def __call__(self, path: str, **fields: Any) -> dict[str, Any]: ...


@pytest.fixture
def crm_app(crm_app: FastAPI) -> FastAPI:
    for router in ROUTERS:
        crm_app.include_router(router)
    return crm_app


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
