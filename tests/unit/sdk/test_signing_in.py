from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from gardenos.core.errors import InvalidToken, Unauthenticated, Unavailable
from gardenos.sdk import AsyncGardenOS, GardenOS, UnexpectedAnswer
from gardenos.testing import samples
from gardenos.testing.wire import Wire, problem

if TYPE_CHECKING:
    from collections.abc import Mapping


def grant(number: int, *, expires_in: int = 3600) -> httpx.Response:
    return httpx.Response(
        200,
        json={
            "access_token": f"access-{number}",
            "token_type": "bearer",
            "expires_in": expires_in,
            "refresh_token": f"refresh-{number}",
            "user": {},
        },
    )


def found() -> httpx.Response:
    return httpx.Response(200, json=samples.lead())


def asked_for_token(request: httpx.Request) -> Mapping[str, Any]:
    assert request.url.path == "/auth/v1/token"
    assert "Authorization" not in request.headers
    return {"grant_type": request.url.params["grant_type"], **json.loads(request.content)}


def test_the_first_request_signs_in(wire: Wire, member: GardenOS) -> None:
    wire.will(grant(1), found(), found())
    member.leads.get(samples.LEAD_ID)
    member.leads.get(samples.LEAD_ID)
    assert asked_for_token(wire.asked[0]) == {
        "grant_type": "password",
        "email": "ada@example.org",
        "password": "correct horse",
    }
    assert [r.headers["Authorization"] for r in wire.asked[1:]] == ["Bearer access-1"] * 2


def test_a_token_is_refreshed_before_it_expires(wire: Wire, member: GardenOS) -> None:
    wire.will(grant(1, expires_in=3600), found())
    member.leads.get(samples.LEAD_ID)
    wire.time += 3600 - 29
    wire.will(grant(2), found())
    member.leads.get(samples.LEAD_ID)
    assert asked_for_token(wire.asked[2]) == {
        "grant_type": "refresh_token",
        "refresh_token": "refresh-1",
    }
    assert wire.asked[3].headers["Authorization"] == "Bearer access-2"


def test_a_short_lived_token_is_used_for_most_of_its_life(wire: Wire, member: GardenOS) -> None:
    wire.will(grant(1, expires_in=30), found())
    member.leads.get(samples.LEAD_ID)
    wire.time += 25
    wire.will(found())
    member.leads.get(samples.LEAD_ID)
    assert wire.paths.count("POST /auth/v1/token") == 1


def test_a_refused_token_is_refreshed_once(wire: Wire, member: GardenOS) -> None:
    wire.will(grant(1), problem(401, "invalid-token"), grant(2), found())
    assert member.leads.get(samples.LEAD_ID).id == samples.LEAD_ID
    assert wire.asked[3].headers["Authorization"] == "Bearer access-2"

    wire.will(problem(401, "invalid-token"), grant(3), problem(401, "invalid-token"))
    with pytest.raises(InvalidToken):
        member.leads.get(samples.LEAD_ID)
    assert wire.answers == []


def test_a_body_is_sent_again_whole_after_a_refresh(wire: Wire, member: GardenOS) -> None:
    wire.will(grant(1), problem(401, "invalid-token"), grant(2))
    wire.will(httpx.Response(201, json=samples.lead()))
    member.leads.create(first_name="John")
    before, after = wire.asked[1], wire.asked[3]
    assert before.content == after.content == b'{"first_name":"John"}'
    assert before.headers["Idempotency-Key"] == after.headers["Idempotency-Key"]


def test_a_session_that_ended_is_begun_anew(wire: Wire, member: GardenOS) -> None:
    ended = httpx.Response(400, json={"error_code": "refresh_token_not_found", "msg": "Gone."})
    wire.will(grant(1), problem(401, "invalid-token"), ended, grant(2), found())
    member.leads.get(samples.LEAD_ID)
    assert asked_for_token(wire.asked[3])["grant_type"] == "password"


def test_a_wrong_password_is_said_so(wire: Wire, member: GardenOS) -> None:
    refusal = {"code": 400, "error_code": "invalid_credentials", "msg": "Invalid credentials"}
    wire.will(httpx.Response(400, json=refusal))
    with pytest.raises(Unauthenticated, match=r"ada@example\.org was refused: Invalid") as caught:
        member.leads.get(samples.LEAD_ID)
    assert "correct horse" not in repr(caught.getrepr())
    assert len(wire.asked) == 1


def test_a_sign_in_that_is_down_is_waited_out(wire: Wire, member: GardenOS) -> None:
    wire.will(httpx.Response(503), httpx.ConnectError("refused"), grant(1), found())
    member.leads.get(samples.LEAD_ID)
    assert len(wire.slept) == 2
    assert wire.asked[0].extensions["timeout"]["read"] == 30


def test_a_sign_in_that_stays_down_ends_at_the_deadline(wire: Wire, member: GardenOS) -> None:
    wire.will(*[problem(503, "database-unavailable") for _ in range(1000)])
    with pytest.raises(Unavailable):
        member.leads.get(samples.LEAD_ID)
    assert set(wire.paths) == {"POST /auth/v1/token"}


def test_a_sign_in_answered_by_something_else_is_called_that(wire: Wire, member: GardenOS) -> None:
    wire.will(httpx.Response(200, text="<html>"))
    with pytest.raises(UnexpectedAnswer, match="other than a token"):
        member.leads.get(samples.LEAD_ID)


def test_a_given_token_cannot_be_refreshed(wire: Wire, garden: GardenOS) -> None:
    wire.will(problem(401, "invalid-token", "It has expired."))
    with pytest.raises(InvalidToken, match="It has expired"):
        garden.leads.get(samples.LEAD_ID)
    assert wire.asked[0].headers["Authorization"] == "Bearer token-1"


@pytest.mark.parametrize(
    "how", [{}, {"email": "a@b"}, {"password": "x"}, {"token": "t", "email": "a@b"}]
)
def test_one_way_of_signing_in_is_needed(how: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="Give either token"):
        GardenOS("http://garden.test", **how)


async def test_requests_at_once_refresh_once(wire: Wire) -> None:
    garden = AsyncGardenOS(
        "http://garden.test",
        email="ada@example.org",
        password="correct horse",
        transport=httpx.MockTransport(Tokens(wire).answer),
    )
    async with garden:
        leads = await asyncio.gather(*(garden.leads.get(samples.LEAD_ID) for _ in range(20)))
        wire.time += 1
        leads += await asyncio.gather(*(garden.leads.get(samples.LEAD_ID) for _ in range(20)))
    assert len(leads) == 40
    assert wire.paths.count("POST /auth/v1/token") == 2


class Tokens:
    """A server whose tokens are good for one second of the wire's clock and refreshed once each."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._issued: dict[str, float] = {}

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self._wire.asked.append(request)
        await asyncio.sleep(0)
        if request.url.path == "/auth/v1/token":
            body = asked_for_token(request)
            expected = f"refresh-{len(self._issued)}"
            assert body["grant_type"] == "password" or body["refresh_token"] == expected
            number = len(self._issued) + 1
            self._issued[f"Bearer access-{number}"] = self._wire.time
            return grant(number)
        if self._issued.get(request.headers["Authorization"]) == self._wire.time:
            return found()
        return problem(401, "invalid-token")
