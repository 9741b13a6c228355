"""What is searched for, and what is found."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from gardenos.web.text import NotBlank

MAX_CHARS: Final = 200
MAX_WORDS: Final = 10
MAX_HITS: Final = 100


class Kind(StrEnum):
    """What can be found."""

    LEADS = "leads"
    CONTACTS = "contacts"
    COMPANIES = "companies"
    DEALS = "deals"
    ACTIVITIES = "activities"


class SearchQuery(BaseModel):
    """The parameters of a search."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    q: Annotated[NotBlank, Field(max_length=MAX_CHARS)] = Field(
        description="Words, of which the last may be the beginning of one; or a telephone number."
    )
    types: str | None = Field(
        default=None,
        max_length=100,
        description=f"Some of {', '.join(Kind)}, with commas; all unless said.",
    )
    limit: int = Field(default=20, ge=1, le=MAX_HITS)


class Hit(BaseModel):
    """A record that was found."""

    model_config = ConfigDict(frozen=True)

    entity: Kind
    id: UUID
    title: str = Field(description="What it is called.")
    score: float = Field(description="How well it fits; comparable within one answer.")
    matches: dict[str, str] = Field(
        description="The fields that hold one of the words, as HTML: escaped, the words in <mark>."
    )
    lead_id: UUID | None = Field(description="Of an activity: whom it was with.")
    contact_id: UUID | None
    company_id: UUID | None
    deal_id: UUID | None


class Found(BaseModel):
    """The best of what was found."""

    model_config = ConfigDict(frozen=True)

    items: list[Hit]
    truncated: bool = Field(description="Whether more fits than is shown: say more words.")
    corrected: list[str] | None = Field(
        description="The words that were looked for instead, where nothing has those that were sent."
    )
