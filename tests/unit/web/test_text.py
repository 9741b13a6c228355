from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from gardenos.web.text import (
    MAX_EXACT_INTEGER,
    Clean,
    Email,
    Moment,
    NotBlank,
    Number,
    blank_is_none,
    storable,
)

CLEAN = TypeAdapter[str](Clean)
EMAIL = TypeAdapter[str](Email)
NUMBER = TypeAdapter[Any](Number)
MOMENT = TypeAdapter[datetime](Moment)


class Person(BaseModel):
    """A model with optional text, as records have it."""

    name: Annotated[Annotated[Clean, Field(max_length=5)] | None, blank_is_none] = None


def codes(adapter: TypeAdapter[Any], value: object) -> list[str]:
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python(value)
    return [str(fault["type"]) for fault in caught.value.errors()]


@given(st.text(alphabet=st.characters()))
def test_text_is_stripped_and_storable_or_refused(text: str) -> None:
    try:
        clean = CLEAN.validate_python(text)
    except ValidationError:
        assert "\x00" in text or any(0xD800 <= ord(c) <= 0xDFFF for c in text)
    else:
        assert clean.strip() == text.strip()
        assert storable(clean).encode().decode() == clean


def test_what_postgresql_cannot_hold_is_named() -> None:
    assert codes(CLEAN, "a\x00b") == ["nul_character"]
    assert codes(CLEAN, "a\ud800b") == ["lone_surrogate"]
    assert codes(CLEAN, b"bytes\xff") != []
    assert CLEAN.validate_python(" 👩‍🚀\ufeff ") == "👩‍🚀\ufeff"


def test_blank_text_is_none_before_its_length_counts() -> None:
    assert Person(name="  " * 100).name is None
    assert Person(name=" Ada ").name == "Ada"
    assert Person(name=" Adaly ").name == "Adaly"
    with pytest.raises(ValidationError):
        Person(name="Ada Lovelace")


@pytest.mark.parametrize(
    "address",
    ["a@b", " ada@example.com ", "Ada.Lovelace+crm@Example.COM", "jörg@münchen.example", "'@x.y"],
)
def test_an_address_is_kept_as_people_type_it(address: str) -> None:
    assert EMAIL.validate_python(address) == address.strip()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ada",
        "@example.com",
        "ada@",
        "a@b@c",
        "a b@example.com",
        "a@exam\u00a0ple.com",
        "a@b\nc",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    assert codes(EMAIL, address) == ["email"]


def test_the_document_describes_what_an_address_and_a_text_that_says_something_are() -> None:
    address = EMAIL.json_schema()["pattern"]
    assert re.search(address, " Ada@Example.com ")
    assert re.search(address, "")  # where blank is none
    assert not re.search(address, "a b@example.com")
    assert not re.search(address, "a@b@c")
    something = TypeAdapter[str](NotBlank).json_schema()
    assert something["minLength"] == 1
    assert re.search(something["pattern"], " x ")
    assert not re.search(something["pattern"], " \n")
    assert not re.search(something["pattern"], "a\0b")


def test_an_address_is_bounded() -> None:
    assert codes(EMAIL, "a" * 310 + "@example.com") == ["too_long"]


@given(
    st.integers(-MAX_EXACT_INTEGER, MAX_EXACT_INTEGER)
    | st.floats(-MAX_EXACT_INTEGER, MAX_EXACT_INTEGER)
)
def test_a_number_survives_json(number: float) -> None:
    kept = NUMBER.validate_python(number)
    assert json.loads(json.dumps(kept)) == number
    assert type(kept) is type(number)


@pytest.mark.parametrize(
    "number", [math.nan, math.inf, -math.inf, 2**53, -(2**53), 1e300, 10**400, "7", True, None]
)
def test_a_number_that_json_readers_would_change_is_refused(number: object) -> None:
    assert codes(NUMBER, number)


def test_a_moment_is_told_in_utc() -> None:
    moment = MOMENT.validate_python("2026-01-01T00:30:00+02:00")
    assert moment == datetime(2025, 12, 31, 22, 30, tzinfo=UTC)
    assert moment.tzinfo is UTC


@pytest.mark.parametrize(
    "moment",
    [
        "2026-01-01T00:00:00",
        "yesterday",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        1e30,
        "0.5",
        "1767225600",
        1767225600,
        True,
    ],
)
def test_a_moment_that_is_not_written_out_with_its_zone_or_outside_the_calendar_is_refused(
    moment: object,
) -> None:
    assert codes(MOMENT, moment)
