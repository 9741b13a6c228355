"""An agency as stored and as sent."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from gardenos.core.ids import AgencyId
from gardenos.web.text import NotBlank


class Agency(BaseModel):
    """The caller's agency."""

    model_config = ConfigDict(frozen=True)

    id: AgencyId
    name: str
    version: int
    created_at: datetime
    updated_at: datetime


class AgencyChanges(BaseModel):
    """What may be changed about an agency."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[NotBlank, Field(max_length=200)]
