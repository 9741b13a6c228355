"""A task as stored and as sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, TypeAlias
from uuid import UUID

from pydantic import Field

from gardenos.crm.records.models import Custom, Fields, Record, Text20000
from gardenos.web.text import Moment, NotBlank

LIMITS: Final[Mapping[str, int]] = {"title": 300, "description": 20_000}
"""Characters each text field holds; the table's CHECKs say the same."""

Title: TypeAlias = Annotated[NotBlank, Field(max_length=300)]


class TaskStatus(StrEnum):
    """Whether a task is still to be done."""

    OPEN = "open"
    DONE = "done"
    CANCELLED = "cancelled"


class TaskPriority(StrEnum):
    """How much it matters."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


class TaskFields(Fields):
    """What may be set on a task besides its title."""

    description: Text20000 = None
    status: TaskStatus = Field(
        default=TaskStatus.OPEN, description="`done` sets `completed_at`, another one empties it."
    )
    priority: TaskPriority = TaskPriority.NORMAL
    due_at: Moment | None = None
    assignee_id: UUID | None = Field(default=None, description="The member who has to do it.")
    lead_id: UUID | None = None
    contact_id: UUID | None = None
    company_id: UUID | None = None
    deal_id: UUID | None = None
    custom: Custom = Field(default_factory=dict[str, Any])


class NewTask(TaskFields):
    """A task to store."""

    title: Title


class TaskChanges(TaskFields):
    """Changes to a task: fields sent replace the stored ones, null empties them."""

    title: Title = Field(default_factory=str)


class Task(Record):
    """A task as stored."""

    id: UUID
    title: str
    description: str | None
    status: TaskStatus
    priority: TaskPriority
    due_at: datetime | None
    completed_at: datetime | None
    assignee_id: UUID | None
    lead_id: UUID | None
    contact_id: UUID | None
    company_id: UUID | None
    deal_id: UUID | None
    custom: dict[str, Any]
    version: int = Field(description="Rises with every change; the ETag is this number in quotes.")
    created_by: UUID | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None
