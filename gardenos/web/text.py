"""Values as the database can hold them: text without NUL and lone surrogates, numbers, moments."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

_NO_NUL: Final = "^[^\\u0000]*$"
_NOT_BLANK: Final = "^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$"
_ADDRESS: Final = "^\\s*(?:[^@\\s\\u0000]+@[^@\\s\\u0000]+)?\\s*$"
MAX_EXACT_INTEGER: Final = 2**53 - 1
"""The largest whole number that every JSON reader keeps exact."""


def storable(value: str) -> str:
    """`value`, unless PostgreSQL would refuse it. Raises a pydantic error that says why."""
    if "\x00" in value:
        raise PydanticCustomError("nul_character", "contains a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("lone_surrogate", "contains half of a surrogate pair") from None
    return value


def _storable_if_text(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else value


def _blank_is_none(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def email_like(value: str) -> str:
    """`value`, if it has one @ with something on either side and no blanks; else a pydantic error.

    No more than that: what people typed is kept, and whether mail arrives no pattern can tell.
    """
    name, at, domain = value.partition("@")
    if not (name and at and domain) or "@" in domain or any(c.isspace() for c in value):
        raise PydanticCustomError("email", "is not an e-mail address: one @, no blanks")
    return value


def _written_out(value: Any) -> Any:
    # Pydantic reads numbers, also as text, as seconds since 1970; a document says nothing of that.
    try:
        float(value)
    except (TypeError, ValueError):
        return value
    raise PydanticCustomError("moment", "is a number; write date, time and zone out")


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("moment", "is no moment between the years 1 and 9999") from None


Clean = Annotated[
    str,
    StringConstraints(strip_whitespace=True),
    # Before, or pydantic would refuse half a surrogate pair in words that help nobody.
    BeforeValidator(_storable_if_text),
    Field(json_schema_extra={"pattern": _NO_NUL}),
]
"""Stripped text that PostgreSQL can hold; bound it with `Field(max_length=...)`."""

NotBlank = Annotated[Clean, Field(min_length=1), Field(json_schema_extra={"pattern": _NOT_BLANK})]
"""Clean text that says something."""

Email = Annotated[
    Clean,
    AfterValidator(email_like),
    Field(max_length=320, json_schema_extra={"pattern": _ADDRESS}),
]
"""An address as people type them; the document's pattern allows for `blank_is_none`."""

blank_is_none = BeforeValidator(_blank_is_none)
"""For optional text: a blank value means none."""

Number = (
    Annotated[int, Field(strict=True, ge=-MAX_EXACT_INTEGER, le=MAX_EXACT_INTEGER)]
    | Annotated[
        float,
        Field(strict=True, allow_inf_nan=False, ge=-MAX_EXACT_INTEGER, le=MAX_EXACT_INTEGER),
    ]
)
"""A finite number that survives JSON unchanged."""

Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_in_utc)]
"""A time with its zone, as the same time in UTC."""
