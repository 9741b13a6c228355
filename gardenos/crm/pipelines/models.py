"""A pipeline and its stages, as stored and as sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Self, TypeAlias
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from gardenos.crm.records.models import Fields, Name, Record

MAX_STAGES: Final = 50
_CERTAIN: Final = {"won": 100, "lost": 0}


class StageKind(StrEnum):
    """What a deal in the stage is."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


class StageFields(Fields):
    """A stage as sent; its place is its place in the list."""

    id: UUID | None = Field(default=None, description="Of a stage there is; absent for a new one.")
    name: Name
    kind: StageKind = StageKind.OPEN
    probability: int | None = Field(
        default=None,
        ge=0,
        le=100,
        strict=True,
        description="In percent: how many deals that come here are won. 50 for an open stage unless "
        "said, 100 for a won and 0 for a lost one.",
    )

    @model_validator(mode="after")
    def _certain(self) -> Self:
        certain = _CERTAIN.get(self.kind)
        if certain is not None and self.probability not in (None, certain):
            raise PydanticCustomError(
                "probability",
                "a {kind} stage has the probability {certain}",
                {"kind": self.kind.value, "certain": certain},
            )
        return self

    @property
    def chance(self) -> int:
        """Its probability, said or usual."""
        if self.probability is not None:
            return self.probability
        return _CERTAIN.get(self.kind, 50)


def _in_order(stages: list[StageFields]) -> list[StageFields]:
    names = Counter(stage.name.lower() for stage in stages)
    ids = Counter(stage.id for stage in stages if stage.id is not None)
    for what, counted in (("name", names), ("id", ids)):
        if any(times > 1 for times in counted.values()):
            raise PydanticCustomError("stages", "two stages have the same {what}", {"what": what})
    if all(stage.kind is not StageKind.OPEN for stage in stages):
        raise PydanticCustomError("stages", "none of the stages is open")
    return stages


Stages: TypeAlias = Annotated[
    list[StageFields],
    Field(min_length=1, max_length=MAX_STAGES),
    AfterValidator(_in_order),
]
USUAL: Final[Sequence[StageFields]] = (
    StageFields(name="Qualified", probability=20),
    StageFields(name="Meeting", probability=40),
    StageFields(name="Proposal", probability=60),
    StageFields(name="Negotiation", probability=80),
    StageFields(name="Won", kind=StageKind.WON),
    StageFields(name="Lost", kind=StageKind.LOST),
)
"""The stages of a pipeline that was made without any."""


class NewPipeline(Fields):
    """A pipeline to store."""

    name: Name
    is_default: bool = Field(
        default=False, strict=True, description="Whether deals go here that name no pipeline."
    )
    stages: Stages = Field(
        default_factory=list, description="From left to right; the usual ones unless said."
    )


class PipelineChanges(Fields):
    """Changes to a pipeline. Its stages are changed by `PUT .../stages`."""

    name: Name = Field(default_factory=str)
    is_default: bool = Field(
        default=False, strict=True, description="`true` takes it from the one that was."
    )


class Pipeline(Record):
    """A pipeline as stored; its stages are at `/v1/pipelines/{id}/stages`."""

    id: UUID
    name: str
    is_default: bool
    version: int = Field(
        description="Rises with every change, also of its stages; the ETag is this number in quotes."
    )
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None


class Stage(BaseModel):
    """A stage as stored."""

    model_config = ConfigDict(frozen=True)

    id: UUID
    pipeline_id: UUID
    name: str
    kind: StageKind
    probability: int
    position: int


class NewStages(Fields):
    """All stages of a pipeline, from left to right."""

    items: Stages


class StageList(BaseModel):
    """The stages of a pipeline, from left to right."""

    items: list[Stage]
