"""A team as stored and as sent."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from gardenos.web.text import NotBlank

Name: TypeAlias = Annotated[NotBlank, Field(max_length=200)]
Members: TypeAlias = Annotated[
    list[UUID], Field(max_length=1000, description="Ids of members; all of them, each time.")
]


class NewTeam(BaseModel):
    """A team to make."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    members: Members = Field(default_factory=list[UUID])


class TeamChanges(BaseModel):
    """What may be changed about a team; what is absent stays as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name | None = None
    members: Members | None = None


class Team(BaseModel):
    """A team as stored."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    name: str
    members: list[UUID]
    version: int
    created_at: datetime
    updated_at: datetime


class TeamList(BaseModel):
    """All teams of the agency, by name."""

    items: list[Team]
