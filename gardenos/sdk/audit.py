"""`client.audit`: who changed what, and when."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

from gardenos.sdk.base import Page, Result
from gardenos.sdk.bound import D, Namespace, listing
from gardenos.sdk.call import Call, given, model
from gardenos.sdk.records import plain

AuditVerb: TypeAlias = Literal["create", "update", "delete", "restore", "purge", "erase"]


class AuditEntry(Result):
    """One change of one record."""

    id: int
    at: datetime
    actor: UUID | None
    """The user whose claims it ran under; None: nobody's."""
    actor_kind: Literal["member", "key", "agent", "system"]
    request_id: str | None
    entity: str
    record_id: str
    verb: AuditVerb
    changes: dict[str, Any]
    """`{field: [before, after]}`, without what your role does not see."""
    erased_at: datetime | None


class Audit(Namespace[D]):
    """The log of every change."""

    @listing
    def list(
        self,
        *,
        entity: str | None = None,
        record_id: UUID | str | None = None,
        actor: UUID | str | None = None,
        verb: AuditVerb | None = None,
        request_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        page_size: int = 100,
    ) -> Call[Page[AuditEntry]]:
        """Changes, newest first, one by one; from `since` on, before `until`."""
        params = plain(
            given(
                entity=entity,
                record_id=record_id,
                actor=actor,
                verb=verb,
                request_id=request_id,
                limit=page_size,
            )
            | {"at.gte": since, "at.lt": until}
        )
        named = {name: value for name, value in params.items() if value is not None}
        return Call("GET", "/v1/audit", model(Page[AuditEntry]), params=named)
