"""`client.pipelines`: pipelines, their stages, and the board."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal, Required, TypeAlias, TypedDict, Unpack
from uuid import UUID

from gardenos.sdk.base import Items, Result
from gardenos.sdk.bound import D, endpoint
from gardenos.sdk.call import Call, model
from gardenos.sdk.records import (
    SENT,
    ChangingRecords,
    Record,
    Ref,
    Version,
    if_match,
    plain,
)

StageKind: TypeAlias = Literal["open", "won", "lost"]


class Pipeline(Record):
    """A pipeline as it was read."""

    name: str = SENT
    is_default: bool = SENT
    version: int = SENT
    """Rises with every change, also of its stages."""
    created_at: datetime = SENT
    updated_at: datetime = SENT
    deleted_at: datetime | None = SENT


class Stage(Result):
    """A stage of a pipeline."""

    id: UUID
    pipeline_id: UUID
    name: str
    kind: StageKind
    probability: int
    """In percent: how many deals that come here are won."""
    position: int


class Sum(Result):
    """What deals are worth together, in one currency."""

    currency: str
    amount: Decimal
    weighted: Decimal
    """By the probability of the stage."""


class BoardStage(Result):
    """A column of a board."""

    id: UUID
    name: str
    kind: StageKind
    probability: int
    position: int
    deals: int
    sums: tuple[Sum, ...] | None
    """None where your role does not see what deals are worth."""


class StageFields(TypedDict, total=False):
    """A stage as sent; its place is its place in the list, an `id` is that of one there is."""

    id: UUID | str | None
    name: Required[str]
    kind: StageKind
    probability: int | None


class PipelineFields(TypedDict, total=False):
    """What may be changed about a pipeline."""

    name: str
    is_default: bool


class NewPipeline(TypedDict, total=False):
    """A pipeline to store; it gets the usual stages unless said."""

    name: Required[str]
    is_default: bool
    stages: Sequence[StageFields]


class Pipelines(ChangingRecords[D, Pipeline]):
    """The agency's pipelines."""

    path = "/v1/pipelines"
    kind = Pipeline

    @endpoint
    def create(
        self, *, idempotency_key: str | None = None, **fields: Unpack[NewPipeline]
    ) -> Call[Pipeline]:
        """Store a pipeline."""
        return self._create(fields, idempotency_key)

    @endpoint
    def change(
        self,
        pipeline: Ref[Pipeline],
        *,
        version: Version | None = None,
        **changes: Unpack[PipelineFields],
    ) -> Call[Pipeline]:
        """Rename a pipeline, or make it the default one."""
        return self._change(pipeline, changes, version)

    @endpoint
    def stages(self, pipeline: Ref[Pipeline]) -> Call[Items[Stage]]:
        """The stages of a pipeline, from left to right."""
        return Call("GET", self._of(pipeline, "/stages"), model(Items[Stage]))

    @endpoint
    def put_stages(
        self,
        pipeline: Ref[Pipeline],
        stages: Sequence[StageFields],
        *,
        version: Version | None = None,
    ) -> Call[Items[Stage]]:
        """Give a pipeline exactly these stages, in this order; its version rises.

        One with an `id` stays, one without is new, one that is not sent goes. Raises `Conflict`
        where that one holds deals.
        """
        return Call(
            "PUT",
            self._of(pipeline, "/stages"),
            model(Items[Stage]),
            json={"items": plain(stages)},
            headers=if_match(pipeline, version),
        )

    @endpoint
    def board(self, pipeline: Ref[Pipeline]) -> Call[Items[BoardStage]]:
        """A pipeline at a glance: for each stage how many deals, and what they are worth."""
        return Call("GET", self._of(pipeline, "/board"), model(Items[BoardStage]))
