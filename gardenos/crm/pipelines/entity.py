"""Pipelines as the records engine knows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from gardenos.core.errors import Conflict
from gardenos.crm.pipelines import store
from gardenos.crm.pipelines.models import (
    USUAL,
    NewPipeline,
    Pipeline,
    PipelineChanges,
    Stage,
    StageFields,
)
from gardenos.crm.records import Entity, fields_of
from gardenos.crm.records.entity import Values, plain_related, show
from gardenos.db.session import TenantSession


async def _prepare(session: TenantSession, values: Values) -> Values:
    if values.get("is_default"):
        await store.unset_default(session)
    return {name: value for name, value in values.items() if name != "stages"}


async def _add_stages(session: TenantSession, pipeline_id: UUID, values: Values) -> None:
    sent: Sequence[Any] = values.get("stages") or ()
    stages = [StageFields.model_validate(one) for one in sent] or USUAL
    await store.add(session, pipeline_id, list(enumerate(stages)))


async def _prepare_change(session: TenantSession, pipeline_id: UUID, values: Values) -> Values:
    if values.get("is_default"):
        await store.unset_default(session, keep=pipeline_id)
    return values


async def _refuse_with_deals(session: TenantSession, pipeline_id: UUID) -> None:
    held = await store.held(session, pipeline_id)
    deals = sum(one.deals - one.deleted for one in held.values())
    if deals:
        raise Conflict(
            f"The pipeline holds {deals} {'deal' if deals == 1 else 'deals'}. "
            "Move them to another one first."
        )


PIPELINES: Final = Entity(
    noun="pipelines",
    singular="pipeline",
    record=Pipeline,
    new=NewPipeline,
    changes=PipelineChanges,
    fields=fields_of(
        Pipeline, {"name": 200}, name={"match_column": "name_key", "sort_column": "name_key"}
    ),
    search=("name",),
    unique={"pipelines_name_key": "name", "pipelines_default_key": "is_default"},
    prepare=_prepare,
    after_create=_add_stages,
    prepare_change=_prepare_change,
    before_delete=_refuse_with_deals,
)
STAGES: Final = show(plain_related("stages", tuple(fields_of(Stage, {"name": 200}).values())))
