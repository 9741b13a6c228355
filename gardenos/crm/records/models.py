"""What the models of all records have in common."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool
from pydantic_core import PydanticCustomError

from gardenos.core.currencies import CODES
from gardenos.core.page import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from gardenos.web.text import Clean, Email, NotBlank, Number, blank_is_none

MAX_CUSTOM_KEYS: Final = 100
MAX_CUSTOM_KEY_CHARS: Final = 64
MAX_CUSTOM_TEXT_CHARS: Final = 2000

Text20: TypeAlias = Annotated[Annotated[Clean, Field(max_length=20)] | None, blank_is_none]
Text50: TypeAlias = Annotated[Annotated[Clean, Field(max_length=50)] | None, blank_is_none]
Text100: TypeAlias = Annotated[Annotated[Clean, Field(max_length=100)] | None, blank_is_none]
Text200: TypeAlias = Annotated[Annotated[Clean, Field(max_length=200)] | None, blank_is_none]
Text500: TypeAlias = Annotated[Annotated[Clean, Field(max_length=500)] | None, blank_is_none]
Text20000: TypeAlias = Annotated[Annotated[Clean, Field(max_length=20_000)] | None, blank_is_none]
Name: TypeAlias = Annotated[NotBlank, Field(max_length=200)]
OptionalEmail: TypeAlias = Annotated[Email | None, blank_is_none]


def _in_use(code: str) -> str:
    if code not in CODES:
        raise PydanticCustomError(
            "currency", "is no currency in use by ISO 4217; write its code, as in EUR"
        )
    return code


Currency: TypeAlias = Annotated[
    str,
    AfterValidator(_in_use),
    Field(
        description="By ISO 4217, as in EUR.",
        examples=["EUR"],
        json_schema_extra={"enum": [*CODES]},
    ),
]


class Money(BaseModel):
    """An amount of money in a custom field."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: Annotated[str, Field(pattern=r"^-?[0-9]{1,14}(\.[0-9]{1,4})?$", examples=["12.50"])]
    currency: Currency


CustomKey: TypeAlias = Annotated[NotBlank, Field(max_length=MAX_CUSTOM_KEY_CHARS)]
_CustomText: TypeAlias = Annotated[Clean, Field(max_length=MAX_CUSTOM_TEXT_CHARS)]
_Choices: TypeAlias = Annotated[
    list[Annotated[Clean, Field(max_length=200)]], Field(max_length=200)
]
CustomValue: TypeAlias = StrictBool | Number | _CustomText | Money | _Choices | None
Custom: TypeAlias = Annotated[
    dict[CustomKey, CustomValue],
    Field(
        max_length=MAX_CUSTOM_KEYS,
        description="Values of your own: text, numbers, true or false, money, lists of choices.",
        examples=[{"total_visits": 7, "newsletter": True}],
    ),
]


def _exact(value: Any) -> Any:
    # True is an int to Python, and "1_000" a number.
    if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
        raise PydanticCustomError("amount", "is no amount; write it as in 1500.00")
    return value


def _plain(value: Decimal) -> Decimal:
    return value.normalize() + 0 if value else Decimal(0)


Amount: TypeAlias = Annotated[
    Decimal,
    BeforeValidator(_exact),
    AfterValidator(_plain),
    Field(ge=0, max_digits=18, decimal_places=4, allow_inf_nan=False, examples=["1500.00"]),
]
"""An amount of money, as text or number; kept exactly, to four decimals."""


class Fields(BaseModel):
    """What may be set on a record; absent means not said."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def given(self) -> dict[str, Any]:
        """The fields that were sent."""
        return self.model_dump(exclude_unset=True)


_INCLUDED: Final[dict[str, Any]] = {
    "description": "What `include` asked for: by kind, then by id.",
    "type": "object",
    "additionalProperties": {"type": "object", "additionalProperties": {"type": "object"}},
}


def _sparse(schema: dict[str, Any]) -> None:
    schema["required"] = ["id"]
    schema["properties"]["included"] = _INCLUDED


class Record(BaseModel):
    """A record as stored. What is sent has fewer fields where `fields` or the role says so."""

    model_config = ConfigDict(frozen=True, json_schema_extra=_sparse)


class PageQuery(BaseModel):
    """Which part of a list."""

    model_config = ConfigDict(frozen=True)

    limit: int = Field(default=DEFAULT_PAGE_SIZE, ge=1, le=MAX_PAGE_SIZE)
    cursor: str | None = Field(
        default=None, max_length=2000, description="`next_cursor` of the page before."
    )
