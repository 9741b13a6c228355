"""`client.duplicates`: records that may be one."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias
from uuid import UUID

from gardenos.sdk.base import Page, Result
from gardenos.sdk.bound import D, Namespace, endpoint, listing
from gardenos.sdk.call import Call, given, model, segment

_PATH = "/v1/duplicates"
DuplicateKind: TypeAlias = Literal["leads", "contacts", "companies"]
PairState: TypeAlias = Literal["open", "dismissed"]


class AlikeRecord(Result):
    """One of two records."""

    id: UUID
    title: str


class Pair(Result):
    """Two records that may be one."""

    id: UUID
    entity: DuplicateKind
    state: PairState
    score: float
    """How surely they are one, up to 0.99."""
    reasons: tuple[str, ...]
    records: tuple[AlikeRecord, ...]
    found_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None


PairRef: TypeAlias = Pair | UUID | str


class Duplicates(Namespace[D]):
    """Pairs of leads, contacts and companies that may be one."""

    @listing
    def list(
        self,
        *,
        entity: DuplicateKind | None = None,
        state: PairState | None = None,
        page_size: int = 100,
    ) -> Call[Page[Pair]]:
        """Open pairs, those found last first, one by one; or those that were dismissed."""
        params = given(entity=entity, state=state, limit=page_size)
        return Call("GET", _PATH, model(Page[Pair]), params=params)

    @endpoint
    def dismiss(self, pair: PairRef) -> Call[Pair]:
        """Say that the two are not one: they are listed no more. Raises `NotFound`."""
        return Call("POST", _of(pair, "/dismiss"), model(Pair))

    @endpoint
    def reopen(self, pair: PairRef) -> Call[Pair]:
        """Take that back. Raises `NotFound`."""
        return Call("POST", _of(pair, "/reopen"), model(Pair))


def _of(pair: PairRef, of_it: str) -> str:
    return f"{_PATH}/{segment(pair.id if isinstance(pair, Pair) else pair)}{of_it}"
