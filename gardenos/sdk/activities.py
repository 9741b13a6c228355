"""`client.activities`: what happened, never changed afterwards."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Required, TypeAlias, TypedDict, Unpack
from uuid import UUID

from gardenos.sdk.bound import D, endpoint
from gardenos.sdk.call import Call
from gardenos.sdk.records import SENT, Record, Records

ActivityKind: TypeAlias = Literal["note", "call", "meeting", "email", "message", "agent_run"]
Direction: TypeAlias = Literal["in", "out"]


class Activity(Record):
    """What happened with a lead, a contact, a company or a deal."""

    kind: ActivityKind = SENT
    lead_id: UUID | None = SENT
    contact_id: UUID | None = SENT
    company_id: UUID | None = SENT
    deal_id: UUID | None = SENT
    subject: str | None = SENT
    body: str | None = SENT
    direction: Direction | None = SENT
    outcome: str | None = SENT
    duration_s: int | None = SENT
    details: dict[str, Any] = SENT
    occurred_at: datetime = SENT
    created_by: UUID | None = SENT
    created_at: datetime = SENT


class NewActivity(TypedDict, total=False):
    """What to record, of one record at least; it happened now unless said."""

    kind: Required[ActivityKind]
    lead_id: UUID | str | None
    contact_id: UUID | str | None
    company_id: UUID | str | None
    deal_id: UUID | str | None
    subject: str | None
    body: str | None
    direction: Direction | None
    outcome: str | None
    duration_s: int | None
    details: dict[str, Any]
    occurred_at: datetime | str | None


class Activities(Records[D, Activity]):
    """What happened with the agency's records."""

    path = "/v1/activities"
    kind = Activity

    @endpoint
    def create(
        self, *, idempotency_key: str | None = None, **fields: Unpack[NewActivity]
    ) -> Call[Activity]:
        """Record what happened."""
        return self._create(fields, idempotency_key)
