"""`client.todos`: what people have to do, `/v1/tasks`. What agents do is `client.tasks`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Required, TypeAlias, TypedDict, Unpack
from uuid import UUID

from gardenos.sdk.bound import D, endpoint
from gardenos.sdk.call import Call
from gardenos.sdk.records import SENT, Record, Ref, Version
from gardenos.sdk.tags import TaggedRecords

TodoStatus: TypeAlias = Literal["open", "done", "cancelled"]
TodoPriority: TypeAlias = Literal["low", "normal", "high"]


class Todo(Record):
    """A task for a person, as it was read."""

    title: str = SENT
    description: str | None = SENT
    status: TodoStatus = SENT
    priority: TodoPriority = SENT
    due_at: datetime | None = SENT
    completed_at: datetime | None = SENT
    assignee_id: UUID | None = SENT
    lead_id: UUID | None = SENT
    contact_id: UUID | None = SENT
    company_id: UUID | None = SENT
    deal_id: UUID | None = SENT
    custom: dict[str, Any] = SENT
    version: int = SENT
    created_by: UUID | None = SENT
    created_at: datetime = SENT
    updated_at: datetime = SENT
    deleted_at: datetime | None = SENT


class TodoFields(TypedDict, total=False):
    """What a caller may set on a task; `status="done"` sets `completed_at`."""

    description: str | None
    status: TodoStatus
    priority: TodoPriority
    due_at: datetime | str | None
    assignee_id: UUID | str | None
    lead_id: UUID | str | None
    contact_id: UUID | str | None
    company_id: UUID | str | None
    deal_id: UUID | str | None
    custom: dict[str, Any]


class NewTodo(TodoFields, total=False):
    """A task to store."""

    title: Required[str]


class TodoChanges(TodoFields, total=False):
    """What may be changed."""

    title: str


class Todos(TaggedRecords[D, Todo]):
    """The agency's tasks for people."""

    path = "/v1/tasks"
    kind = Todo

    @endpoint
    def create(
        self, *, idempotency_key: str | None = None, **fields: Unpack[NewTodo]
    ) -> Call[Todo]:
        """Store a task."""
        return self._create(fields, idempotency_key)

    @endpoint
    def change(
        self, todo: Ref[Todo], *, version: Version | None = None, **changes: Unpack[TodoChanges]
    ) -> Call[Todo]:
        """Change a task as it was read."""
        return self._change(todo, changes, version)
