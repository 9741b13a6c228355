from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from gardenos.core.errors import NotFound, RateLimited, Unavailable
from gardenos.sdk import Unreachable
from gardenos.testing import samples
from gardenos.testing.wire import Wire, problem

if TYPE_CHECKING:
    from gardenos.sdk import AsyncGardenOS, GardenOS


@pytest.mark.parametrize(
    "passing",
    [
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("gone"),
        problem(429, "rate-limited"),
        problem(503, "unavailable"),
        httpx.Response(502, text="<html>"),
        httpx.Response(504),
        httpx.Response(404, text="Path '/v1/leads' not found. Ping http://.../-/routes"),
    ],
    ids=["connect", "read", "cut-off", "429", "503", "502", "504", "stopgap"],
)
def test_what_passes_is_waited_out(
    wire: Wire, garden: GardenOS, passing: httpx.Response | Exception
) -> None:
    wire.will(passing, passing, httpx.Response(200, json=samples.lead()))
    assert garden.leads.get(samples.LEAD_ID).id == samples.LEAD_ID
    assert len(wire.asked) == 3
    assert len(wire.slept) == 2


def test_a_post_is_repeated_under_one_key(wire: Wire, garden: GardenOS) -> None:
    wire.will(problem(503, "unavailable"), httpx.Response(201, json=samples.lead()))
    garden.leads.create(first_name="John")
    first, second = [request.headers["Idempotency-Key"] for request in wire.asked]
    assert first == second
    assert wire.asked[0].content == wire.asked[1].content == b'{"first_name":"John"}'


def test_two_posts_have_two_keys(wire: Wire, garden: GardenOS) -> None:
    wire.will(*[httpx.Response(201, json=samples.lead()) for _ in range(2)])
    for _ in range(2):
        garden.leads.create()
    first, second = [request.headers["Idempotency-Key"] for request in wire.asked]
    assert first != second


def test_a_patch_is_never_repeated(wire: Wire, garden: GardenOS) -> None:
    wire.will(problem(503, "database-unavailable"))
    with pytest.raises(Unavailable):
        garden.leads.change(samples.LEAD_ID, version=1, status="qualified")
    wire.will(httpx.ReadError("reset"))
    with pytest.raises(Unreachable):
        garden.leads.change(samples.LEAD_ID, version=1, status="qualified")
    assert len(wire.asked) == 2
    assert wire.slept == []


@pytest.mark.parametrize("status", [400, 401, 403, 409, 412, 422, 500])
def test_what_does_not_pass_is_not_repeated(wire: Wire, garden: GardenOS, status: int) -> None:
    wire.will(httpx.Response(status))
    with pytest.raises(Exception, match=str(status)):
        garden.leads.get(samples.LEAD_ID)
    assert len(wire.asked) == 1


@pytest.mark.parametrize(
    "refusal",
    [
        problem(404, "not-found"),
        httpx.Response(404, json={"code": 404, "error_code": "user_not_found", "msg": "No."}),
    ],
    ids=["problem", "gotrue"],
)
def test_what_gardenos_does_not_find_is_not_asked_for_again(
    wire: Wire, garden: GardenOS, refusal: httpx.Response
) -> None:
    wire.will(refusal)
    with pytest.raises(NotFound, match="No"):
        garden.leads.get(samples.LEAD_ID)
    assert len(wire.asked) == 1


def test_a_404_of_something_else_is_no_gardenos_in_the_end(wire: Wire, garden: GardenOS) -> None:
    wire.will(*[httpx.Response(404, text="Nothing here.") for _ in range(1000)])
    began = wire.time
    with pytest.raises(Unreachable, match=r"not GardenOS: 404 Not Found: Nothing here\."):
        garden.leads.get(samples.LEAD_ID)
    assert len(wire.asked) > 3
    assert wire.time - began < 60


def test_signing_in_waits_until_gardenos_itself_answers(wire: Wire, member: GardenOS) -> None:
    grant = {"access_token": "token-1", "refresh_token": "again", "expires_in": 3600}
    wire.will(
        httpx.Response(404, text="Nothing here."),
        httpx.Response(200, json=grant),
        httpx.Response(200, json=samples.lead()),
    )
    assert member.leads.get(samples.LEAD_ID).id == samples.LEAD_ID
    assert len(wire.slept) == 1


def test_retry_after_is_honoured(wire: Wire, garden: GardenOS) -> None:
    slow_down = problem(429, "rate-limited")
    slow_down.headers["Retry-After"] = "7"
    wire.will(slow_down, httpx.Response(200, json=samples.lead()))
    garden.leads.get(samples.LEAD_ID)
    (slept,) = wire.slept
    assert 7 <= slept <= 16


def test_retry_after_may_be_a_date_in_the_past(wire: Wire, garden: GardenOS) -> None:
    slow_down = problem(503, "unavailable")
    slow_down.headers["Retry-After"] = "Wed, 21 Oct 2015 07:28:00 GMT"
    wire.will(slow_down, httpx.Response(200, json=samples.lead()))
    garden.leads.get(samples.LEAD_ID)
    assert wire.slept[0] <= 1


def test_a_retry_after_beyond_the_deadline_is_not_waited_for(wire: Wire, garden: GardenOS) -> None:
    later = problem(429, "rate-limited", "Enough for today.")
    later.headers["Retry-After"] = "3600"
    wire.will(later)
    with pytest.raises(RateLimited, match="Enough for today") as caught:
        garden.leads.get(samples.LEAD_ID)
    assert caught.value.retry_after_s == 3600
    assert wire.slept == []


def test_the_deadline_ends_the_repetitions(wire: Wire, garden: GardenOS) -> None:
    wire.will(*[httpx.ConnectError("refused") for _ in range(1000)])
    began = wire.time
    with pytest.raises(Unreachable, match=r"garden\.test cannot be reached: refused"):
        garden.leads.get(samples.LEAD_ID)
    assert len(wire.asked) > 3
    assert wire.time - began < 60


def test_an_attempt_gets_no_more_time_than_the_call_has_left(wire: Wire, garden: GardenOS) -> None:
    def slowly(_request: httpx.Request) -> httpx.Response:
        wire.time += 45
        return httpx.Response(503)

    wire.will(slowly, httpx.Response(200, json=samples.lead()))
    garden.leads.get(samples.LEAD_ID)
    first, second = [request.extensions["timeout"]["read"] for request in wire.asked]
    assert first == 30
    assert second <= 15


def test_a_read_that_timed_out_had_its_time(wire: Wire, garden: GardenOS) -> None:
    wire.will(httpx.ReadTimeout("timed out"))
    with pytest.raises(Unreachable, match="timed out"):
        garden.leads.get(samples.LEAD_ID)
    assert len(wire.asked) == 1


async def test_the_async_client_repeats_alike(wire: Wire, agarden: AsyncGardenOS) -> None:
    wire.will(
        httpx.ConnectError("refused"),
        problem(503, "unavailable"),
        httpx.Response(200, json=samples.lead()),
    )
    assert (await agarden.leads.get(samples.LEAD_ID)).id == samples.LEAD_ID
    assert len(wire.slept) == 2
