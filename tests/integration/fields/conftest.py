"""Records made over HTTP, for tests of what belongs to them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    from fastapi import FastAPI

    from gardenos.web.services import Services


class Make(Protocol):
    """Stores a record and gives it back."""

    async def __call__(self, path: str, **fields: Any) -> dict[str, Any]: ...


@pytest.fixture
def crm_app(crm_app: FastAPI, tmp_path: Path) -> FastAPI:
    """The application with a home of its own, for files."""
    services: Services = crm_app.state.services
    changed = {"home": tmp_path, "public_url": "http://gardenos.test", "attachment_max_bytes": 5000}
    settings = services.settings.model_copy(update=changed)
    crm_app.state.services = replace(services, settings=settings)
    return crm_app


@pytest.fixture
def make(api: httpx.AsyncClient) -> Make:
    """Stores records for the agency's owner."""

    async def stored(path: str, **fields: Any) -> dict[str, Any]:
        sure = {"Allow-Duplicate": "true"}
        response = await api.post(f"/v1/{path}", json=fields, headers=sure)
        assert response.status_code == 201, response.text
        return response.json()

    return stored


def etag(record: dict[str, Any]) -> dict[str, str]:
    """The precondition of a change to a record as it was read."""
    return {"If-Match": f'"{record["version"]}"'}
