from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import httpx
import pytest

from gardenos.core import errors
from gardenos.core.errors import Forbidden, GardenOSError, InvalidContent
from gardenos.sdk import UnexpectedAnswer
from gardenos.sdk.problems import from_response
from gardenos.testing import samples
from gardenos.testing.wire import Wire, problem

if TYPE_CHECKING:
    from gardenos.sdk import GardenOS

KINDS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, GardenOSError)
]


@pytest.mark.parametrize("kind", KINDS, ids=[kind.code for kind in KINDS])
def test_every_error_of_the_tree_survives_the_wire(kind: type[GardenOSError]) -> None:
    sent = kind(
        "Said so.", errors=[{"pointer": "/x", "detail": "is odd"}], extra={"instance": "/v1/x"}
    )
    got = from_response(httpx.Response(kind.status, json=sent.problem()))
    assert type(got) is kind
    assert got.problem() == sent.problem()


def test_a_problem_newer_than_the_client_keeps_its_status_and_code() -> None:
    error = from_response(problem(451, "withheld", "By order of a court."))
    assert isinstance(error, GardenOSError)
    assert (error.status, error.code, error.detail) == (451, "withheld", "By order of a court.")


def test_an_answer_without_a_problem_is_told_by_its_status() -> None:
    error = from_response(httpx.Response(403, text="not you"))
    assert type(error) is Forbidden
    assert "not you" in error.detail
    assert from_response(httpx.Response(302)).status == 302


def test_a_body_of_odd_json_is_no_trouble() -> None:
    for body in ("[1]", "null", '"x"', '{"type": 3, "detail": {"a": 1}, "errors": 5}', "\x00"):
        assert from_response(httpx.Response(422, text=body)).status == 422


def test_the_faulty_fields_are_named(wire: Wire, garden: GardenOS) -> None:
    fault = {"pointer": "/phone", "detail": "is too long"}
    wire.will(problem(422, "invalid-content", errors=[fault]))
    with pytest.raises(InvalidContent) as caught:
        garden.leads.create(phone="1" * 99)
    assert caught.value.errors == (fault,)


def test_an_answer_from_something_else_is_called_that(wire: Wire, garden: GardenOS) -> None:
    wire.will(httpx.Response(200, text="<html>It works!</html>"))
    with pytest.raises(UnexpectedAnswer, match="something other than a Lead"):
        garden.leads.get(samples.LEAD_ID)
