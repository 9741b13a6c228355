from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Annotated, Any

import asyncpg
import httpx
import pytest
from fastapi import APIRouter, Body, FastAPI, Query
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from gardenos.core import errors
from gardenos.core.errors import GardenOSError
from gardenos.web import problems
from gardenos.web.conditional import IfMatch
from gardenos.web.text import Clean


class Order(BaseModel):
    """A body to get wrong."""

    lines: dict[str, int]


class Named(BaseModel):
    """A body with a bounded text."""

    name: Annotated[Clean, Field(min_length=1, max_length=5)]


def failing(error: Callable[[], Exception]) -> FastAPI:
    """An application whose one route ends in an error."""
    app = FastAPI()
    problems.install(app)

    @app.get("/fail", responses=problems.responses(*problems.COMMON))
    async def fail() -> None:
        raise error()

    @app.post("/orders")
    async def order(
        _order: Annotated[Order, Body()], times: Annotated[int, Query(le=3)] = 1
    ) -> int:
        return times

    @app.post("/names")
    async def name(_named: Named) -> None: ...

    more = APIRouter()

    @more.put("/names")
    async def rename(_named: Named, _if_match: IfMatch) -> None: ...

    @more.get("/names")
    async def names(like: Annotated[str | None, Query(max_length=5)] = None) -> str | None:
        return like

    app.include_router(more)
    return app


async def answer(app: FastAPI, method: str = "GET", url: str = "/fail", **sent: Any) -> Any:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gardenos.test") as client:
        return await client.request(method, url, **sent)


def subclasses(kind: type[GardenOSError]) -> list[type[GardenOSError]]:
    return [kind, *(found for sub in kind.__subclasses__() for found in subclasses(sub))]


OURS = [kind for kind in subclasses(GardenOSError) if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", OURS)
async def test_every_error_of_ours_is_its_own_problem(kind: type[GardenOSError]) -> None:
    found = await answer(failing(kind))
    assert found.status_code == kind.status
    assert found.headers["content-type"] == "application/problem+json"
    body = found.json()
    assert body["type"] == f"urn:gardenos:problem:{kind.code}"
    assert body["status"] == kind.status
    assert body["instance"] == "/fail"
    assert body["detail"].endswith(".")
    assert ("www-authenticate" in found.headers) == issubclass(kind, errors.Unauthenticated)


@pytest.mark.parametrize(("seconds", "header"), [(0.1, "1"), (1.2, "2"), (30, "30")])
async def test_a_wait_is_told_in_whole_seconds(seconds: float, header: str) -> None:
    found = await answer(failing(lambda: errors.RateLimited(retry_after_s=seconds)))
    assert found.headers["retry-after"] == header


async def test_what_nobody_foresaw_says_nothing_of_the_inside() -> None:
    found = await answer(failing(lambda: RuntimeError("password=hunter2")))
    assert found.status_code == 500
    assert found.json()["type"] == "urn:gardenos:problem:internal"
    assert "hunter2" not in found.text


@pytest.mark.parametrize(
    "kind",
    [
        asyncpg.LockNotAvailableError,
        asyncpg.DeadlockDetectedError,
        asyncpg.SerializationError,
        asyncpg.QueryCanceledError,
    ],
)
async def test_a_busy_database_asks_to_come_again(kind: type[asyncpg.PostgresError]) -> None:
    found = await answer(failing(lambda: kind("canceling statement due to lock timeout")))
    assert (found.status_code, found.headers["retry-after"]) == (503, "1")
    assert found.json()["type"] == "urn:gardenos:problem:unavailable"
    assert "statement" not in found.text


async def test_a_missing_parent_that_is_no_agency_is_a_fault_of_ours() -> None:
    found = await answer(failing(lambda: asyncpg.ForeignKeyViolationError("no such import")))
    assert found.status_code == 500
    assert found.json()["type"] == "urn:gardenos:problem:internal"


async def test_a_framework_error_is_one_of_ours_where_there_is_one() -> None:
    plain = await answer(failing(lambda: HTTPException(404)))
    assert plain.json()["detail"] == errors.NotFound().detail
    said = await answer(failing(lambda: HTTPException(400, "There was an error in the form.")))
    assert said.json()["type"] == "urn:gardenos:problem:invalid-request"
    assert said.json()["detail"] == "There was an error in the form."
    nowhere = await answer(failing(RuntimeError), url="/nowhere")
    assert (nowhere.status_code, nowhere.json()["instance"]) == (404, "/nowhere")


async def test_a_framework_error_without_one_keeps_its_status_and_headers() -> None:
    found = await answer(failing(RuntimeError), "DELETE")
    assert (found.status_code, found.headers["allow"]) == (405, "GET")
    assert found.headers["content-type"] == "application/problem+json"
    assert found.json()["type"] == "about:blank"
    assert found.json()["detail"] == "DELETE /fail: Method Not Allowed."


async def test_the_methods_of_a_path_are_those_of_all_its_routes() -> None:
    app = failing(RuntimeError)
    found = await answer(app, "DELETE", "/names")
    assert (found.status_code, found.headers["allow"]) == (405, "GET, POST, PUT")
    options = await answer(app, "OPTIONS", "/names")
    assert (options.status_code, options.headers["allow"]) == (405, "GET, POST, PUT")


async def test_an_absent_precondition_is_428_whatever_else_is_wrong() -> None:
    app = failing(RuntimeError)
    for sent in ({"name": "Ada"}, {"name": 7}):
        found = await answer(app, "PUT", "/names", json=sent)
        assert found.status_code == 428
        assert found.json()["type"] == "urn:gardenos:problem:precondition-required"
    met = await answer(app, "PUT", "/names", json={"name": "Ada"}, headers={"If-Match": "*"})
    assert met.status_code == 200


async def test_a_faulty_body_is_422_and_a_faulty_parameter_400() -> None:
    app = failing(RuntimeError)
    body = await answer(app, "POST", "/orders", json={"lines": {"a/b~c": "x", "d": "y"}})
    assert body.status_code == 422
    assert [error["pointer"] for error in body.json()["errors"]] == [
        "/lines/a~1b~0c",
        "/lines/d",
    ]
    both = await answer(app, "POST", "/orders?times=9", json={"lines": {"a": "x"}})
    assert both.status_code == 400
    assert [error["pointer"] for error in both.json()["errors"]] == ["times", "/lines/a"]
    none = await answer(app, "POST", "/orders", headers={"Content-Type": "application/json"})
    assert (none.status_code, none.json()["errors"][0]["pointer"]) == (422, "")
    text = await answer(app, "POST", "/orders", content=b"{}", headers={"Content-Type": "a/b"})
    assert text.status_code == 415


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("x" * 6, "is longer than 5 characters"),
        ("  ", "is blank"),
        ("a\0", "contains a NUL character"),
        ("\udfff", "contains half of a surrogate pair"),
        (7, "Input should be a valid string"),
    ],
)
async def test_what_is_wrong_with_a_text_is_said_of_a_text(name: object, said: str) -> None:
    sent = json.dumps({"name": name}).encode()
    found = await answer(
        failing(RuntimeError),
        "POST",
        "/names",
        content=sent,
        headers={"Content-Type": "application/json"},
    )
    assert found.json()["errors"] == [{"pointer": "/name", "detail": said}]


async def test_what_is_quoted_back_is_bounded_and_can_be_sent() -> None:
    lines = {f"{n}\ud800" + "x" * 1000: "no" for n in range(500)}
    found = await answer(
        failing(RuntimeError),
        "POST",
        "/orders",
        content=json.dumps({"lines": lines}).encode(),
        headers={"Content-Type": "application/json"},
    )
    assert found.status_code in (400, 422)
    assert len(found.content) < 60_000
    assert len(found.json().get("errors", [])) <= 100


def test_the_document_names_every_error_and_describes_no_other() -> None:
    document = failing(RuntimeError).openapi()
    described = document["paths"]["/fail"]["get"]["responses"]
    assert {"400", "401", "403", "500", "503"} <= set(described)
    assert "`unknown-parameter`" in described["400"]["description"]
    schema = described["401"]["content"]["application/problem+json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/Problem"}
    assert {"Problem", "FieldProblem"} <= set(document["components"]["schemas"])
    assert "HTTPValidationError" not in json.dumps(document)
    assert "422" not in document["paths"]["/orders"]["post"]["responses"]


def test_the_document_says_of_every_route_what_all_have_in_common() -> None:
    paths = failing(RuntimeError).openapi()["paths"]
    assert {"500"} <= set(paths["/names"]["get"]["responses"])
    assert "413" not in paths["/names"]["get"]["responses"]
    assert {"413", "500"} <= set(paths["/names"]["post"]["responses"])
    [like] = paths["/names"]["get"]["parameters"]
    assert (like["schema"]["type"], like["schema"]["maxLength"]) == ("string", 5)
    assert "anyOf" not in like["schema"]
    [if_match] = paths["/names"]["put"]["parameters"]
    assert if_match["required"]
    for tags in ("*", '"3"', ' W/"3", "4" '):
        assert re.search(if_match["schema"]["pattern"], tags)
    for none in ("", "3", '"1" "2"'):
        assert not re.search(if_match["schema"]["pattern"], none)


def test_asking_for_the_document_twice_gives_the_same() -> None:
    app = failing(RuntimeError)
    assert json.dumps(app.openapi()) == json.dumps(app.openapi())
