from __future__ import annotations

from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Query
from pydantic import BaseModel, Field

from gardenos.web import problems
from gardenos.web.params import StrictRoute


class Search(BaseModel):
    """Parameters as one model, two of them under another name."""

    limit: int = 10
    score_gte: int | None = Field(default=None, alias="score.gte")
    tags: list[str] | None = None


async def language(lang: str = "en") -> str:
    """A dependency with a parameter of its own."""
    return lang


@pytest.fixture
def app() -> FastAPI:
    router = APIRouter(route_class=StrictRoute)

    @router.get("/search/{kind}")
    async def search(
        kind: str,
        query: Annotated[Search, Query()],
        lang: Annotated[str, Depends(language)],
    ) -> dict[str, Any]:
        return {"kind": kind, "lang": lang, **query.model_dump()}

    @router.get("/plain")
    async def plain(
        a: str = "", ids: Annotated[list[int] | None, Query(alias="id")] = None
    ) -> dict[str, Any]:
        return {"a": a, "ids": ids}

    @router.get("/none")
    async def none() -> dict[str, Any]:
        return {}

    app = FastAPI()
    problems.install(app)
    app.include_router(router)
    return app


async def get(app: FastAPI, url: str) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://gardenos.test") as client:
        return await client.get(url)


@pytest.mark.parametrize(
    "url",
    [
        "/search/x",
        "/search/x?limit=5&score.gte=3&tags=a&tags=b&lang=de",
        "/plain?a=1&id=1&id=2",
        "/none",
        "/none?",
    ],
)
async def test_declared_parameters_pass(app: FastAPI, url: str) -> None:
    assert (await get(app, url)).status_code == 200


@pytest.mark.parametrize(
    ("url", "unknown"),
    [
        ("/search/x?kind=y", ["kind"]),
        ("/search/x?score_gte=3", ["score_gte"]),
        ("/search/x?query=1&Limit=2", ["Limit", "query"]),
        ("/plain?ids=1", ["ids"]),
        ("/none?x", ["x"]),
        ("/none?=1", [""]),
        ("/none?%ff=1", ["\ufffd"]),
    ],
)
async def test_undeclared_parameters_are_named(app: FastAPI, url: str, unknown: list[str]) -> None:
    answer = await get(app, url)
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:gardenos:problem:unknown-parameter"
    assert [error["pointer"] for error in answer.json()["errors"]] == unknown


async def test_the_answer_says_which_parameters_there_are(app: FastAPI) -> None:
    known = (await get(app, "/search/x?y=1")).json()["detail"]
    assert known.endswith("It takes: `lang`, `limit`, `score.gte`, `tags`.")
    assert (await get(app, "/none?y=1")).json()["detail"].endswith("It takes: none.")


async def test_a_parameter_sent_twice_is_refused_where_one_is_meant(app: FastAPI) -> None:
    for url in ("/search/x?limit=5&limit=6", "/plain?a=1&a=1", "/search/x?lang=de&lang="):
        answer = await get(app, url)
        assert answer.status_code == 400
        assert answer.json()["type"] == "urn:gardenos:problem:invalid-request"


async def test_many_unknown_parameters_make_no_long_answer(app: FastAPI) -> None:
    query = "&".join(f"{n}{'x' * 300}=1" for n in range(100))
    answer = await get(app, f"/none?{query}")
    assert len(answer.json()["errors"]) == 20
    assert len(answer.content) < 5000
