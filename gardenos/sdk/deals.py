"""`client.deals`."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, Required, TypeAlias, TypedDict, Unpack
from uuid import UUID

from gardenos.sdk.base import Page, Result
from gardenos.sdk.bound import D, endpoint, listing
from gardenos.sdk.call import Call, given, model, post
from gardenos.sdk.records import SENT, Record, Ref, Version, if_match, plain
from gardenos.sdk.timeline import TimedRecords

DealStatus: TypeAlias = Literal["open", "won", "lost"]


class Deal(Record):
    """A deal as it was read."""

    external_id: str | None = SENT
    name: str = SENT
    amount: Decimal | None = SENT
    currency: str | None = SENT
    expected_close: date | None = SENT
    pipeline_id: UUID = SENT
    stage_id: UUID = SENT
    status: DealStatus = SENT
    """The kind of its stage."""
    closed_at: datetime | None = SENT
    close_reason: str | None = SENT
    contact_id: UUID | None = SENT
    company_id: UUID | None = SENT
    lead_id: UUID | None = SENT
    notes: str | None = SENT
    custom: dict[str, Any] = SENT
    owner_id: UUID | None = SENT
    version: int = SENT
    created_at: datetime = SENT
    updated_at: datetime = SENT
    deleted_at: datetime | None = SENT


class DealStage(Result):
    """A stage that a deal came into, and what it was worth then."""

    id: UUID
    deal_id: UUID
    from_stage_id: UUID | None
    """None for the first one."""
    stage_id: UUID
    pipeline_id: UUID
    amount: Decimal | None
    currency: str | None
    moved_by: UUID | None
    moved_at: datetime


class DealFields(TypedDict, total=False):
    """What a caller may set on a deal. Another `stage_id` moves it, also into another pipeline."""

    external_id: str | None
    amount: Decimal | int | str | None
    currency: str | None
    expected_close: date | str | None
    pipeline_id: UUID | str
    stage_id: UUID | str
    close_reason: str | None
    contact_id: UUID | str | None
    company_id: UUID | str | None
    lead_id: UUID | str | None
    notes: str | None
    custom: dict[str, Any]
    owner_id: UUID | str | None


class NewDeal(DealFields, total=False):
    """A deal to store: in the agency's default pipeline and its first stage unless said."""

    name: Required[str]


class DealChanges(DealFields, total=False):
    """What may be changed."""

    name: str


class Deals(TimedRecords[D, Deal]):
    """The agency's deals."""

    path = "/v1/deals"
    kind = Deal

    @endpoint
    def create(
        self, *, idempotency_key: str | None = None, **fields: Unpack[NewDeal]
    ) -> Call[Deal]:
        """Store a deal."""
        return self._create(fields, idempotency_key)

    @endpoint
    def change(
        self, deal: Ref[Deal], *, version: Version | None = None, **changes: Unpack[DealChanges]
    ) -> Call[Deal]:
        """Change a deal as it was read, or move it: `change(deal, stage_id=...)`."""
        return self._change(deal, changes, version)

    @endpoint
    def win(
        self,
        deal: Ref[Deal],
        *,
        reason: str | None = None,
        stage_id: UUID | str | None = None,
        version: Version | None = None,
        idempotency_key: str | None = None,
    ) -> Call[Deal]:
        """Move a deal into its pipeline's won stage, and say why. With `version`, only that one."""
        how = given(reason=reason, stage_id=stage_id)
        return self._move(deal, "/win", how, version, idempotency_key)

    @endpoint
    def lose(
        self,
        deal: Ref[Deal],
        *,
        reason: str | None = None,
        stage_id: UUID | str | None = None,
        version: Version | None = None,
        idempotency_key: str | None = None,
    ) -> Call[Deal]:
        """Move a deal into its pipeline's lost stage, and say why. With `version`, only that one."""
        how = given(reason=reason, stage_id=stage_id)
        return self._move(deal, "/lose", how, version, idempotency_key)

    @endpoint
    def reopen(
        self,
        deal: Ref[Deal],
        *,
        stage_id: UUID | str | None = None,
        version: Version | None = None,
        idempotency_key: str | None = None,
    ) -> Call[Deal]:
        """Move a deal that was won or lost back into the open stage it was in last."""
        return self._move(deal, "/reopen", given(stage_id=stage_id), version, idempotency_key)

    @listing
    def stages(self, deal: Ref[Deal], *, page_size: int = 100) -> Call[Page[DealStage]]:
        """Where a deal has stood and what it was worth then, newest first."""
        params = {"limit": page_size}
        return Call("GET", self._of(deal, "/stages"), model(Page[DealStage]), params=params)

    def _move(
        self,
        deal: Ref[Deal],
        where: str,
        how: dict[str, Any],
        version: Version | None,
        idempotency_key: str | None,
    ) -> Call[Deal]:
        return post(
            self._of(deal, where),
            model(Deal),
            json=plain(how),
            idempotency_key=idempotency_key,
        ).with_headers(if_match(None, version))
