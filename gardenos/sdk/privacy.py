"""`client.privacy`: what is stored of a person, handed over and erased."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from gardenos.sdk.base import Items, Result
from gardenos.sdk.bound import D, Namespace, endpoint
from gardenos.sdk.call import Call, given, model, post, raw
from gardenos.sdk.records import plain

_PATIENCE_S = 270.0
"""Every table is read."""


class PersonRecord(Result):
    """A lead or contact that is the person."""

    kind: Literal["lead", "contact"]
    id: UUID
    first_name: str | None
    last_name: str | None
    email: str | None
    created_at: datetime
    deleted_at: datetime | None


class Erased(Result):
    """How many rows of each table were changed."""

    rows: dict[str, int]


class Privacy(Namespace[D]):
    """For owners and admins."""

    @endpoint
    def find(self, email: str) -> Call[Items[PersonRecord]]:
        """The leads and contacts that have an e-mail, in any capitals, also deleted ones."""
        return Call(
            "GET", "/v1/privacy/persons", model(Items[PersonRecord]), params={"email": email}
        )

    @endpoint
    def export(
        self,
        *,
        email: str | None = None,
        lead_ids: Sequence[UUID | str] = (),
        contact_ids: Sequence[UUID | str] = (),
    ) -> Call[bytes]:
        """Everything that is stored about a person, as a ZIP with a JSON file for each table."""
        who = _who(email, lead_ids, contact_ids)
        return Call("POST", "/v1/privacy/export", raw, json=who, patience_s=_PATIENCE_S)

    @endpoint
    def erase(
        self,
        *,
        email: str | None = None,
        lead_ids: Sequence[UUID | str] = (),
        contact_ids: Sequence[UUID | str] = (),
        idempotency_key: str | None = None,
    ) -> Call[Erased]:
        """Erase a person. There is no way back; done twice, it is done once."""
        return post(
            "/v1/privacy/erase",
            model(Erased),
            json=_who(email, lead_ids, contact_ids),
            patience_s=_PATIENCE_S,
            idempotency_key=idempotency_key,
        )


def _who(
    email: str | None, lead_ids: Sequence[UUID | str], contact_ids: Sequence[UUID | str]
) -> dict[str, Any]:
    return plain(
        given(email=email, lead_ids=list(lead_ids) or None, contact_ids=list(contact_ids) or None)
    )
