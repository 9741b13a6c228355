"""What may be done with the stages of a pipeline, in the caller's session and under its claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import asyncpg

from gardenos.core.errors import Conflict, InvalidContent
from gardenos.crm.pipelines import store
from gardenos.crm.pipelines.entity import PIPELINES
from gardenos.crm.pipelines.models import USUAL, Stage, StageFields, StageKind
from gardenos.crm.records import faults, service
from gardenos.crm.records.service import Stored
from gardenos.db.session import TenantSession

_FIRST_NAME: Final = "Sales"


async def stages(session: TenantSession, pipeline_id: UUID) -> tuple[Stored, list[Stage]]:
    """A pipeline and its stages, from left to right. Raises `NotFound`."""
    pipeline = await service.get(session, PIPELINES, pipeline_id)
    return pipeline, await store.stages(session, pipeline_id)


async def put_stages(
    session: TenantSession,
    pipeline_id: UUID,
    wanted: Sequence[StageFields],
    *,
    versions: Sequence[int] | None,
) -> tuple[int, list[Stage]]:
    """Give a pipeline exactly these stages, in this order; its new version, and the stages.

    Raises `NotFound`, `PreconditionFailed`, `Forbidden`, `InvalidContent` for an id that is none of
    its stages, `Conflict` where a stage that would go, or be of another kind, holds deals.
    """
    with faults.told(PIPELINES, "change", {}):
        version = await store.touch(session, pipeline_id, versions)
    if version is None:
        await service.refused(session, PIPELINES, pipeline_id, versions=versions)
        raise AssertionError("unreachable: `refused` raises where something was to change")
    known = {stage.id: stage for stage in await store.stages(session, pipeline_id)}
    _refuse_strangers(wanted, known)
    kept = {stage.id for stage in wanted}
    gone = [stage for stage in known.values() if stage.id not in kept]
    turned = [
        known[stage.id]
        for stage in wanted
        if stage.id is not None and known[stage.id].kind is not stage.kind
    ]
    if gone or turned:
        await _refuse_with_deals(session, pipeline_id, [*gone, *turned])
    placed = list(enumerate(wanted))
    try:
        await store.remove(session, pipeline_id, [stage.id for stage in gone])
        await store.change(session, pipeline_id, [one for one in placed if one[1].id is not None])
        await store.add(session, pipeline_id, [one for one in placed if one[1].id is None])
    except asyncpg.ForeignKeyViolationError as error:
        raise Conflict("A stage that would go holds deals that you do not see.") from error
    except asyncpg.UniqueViolationError as error:
        raise Conflict("Two stages would swap their names. Do it in two steps.") from error
    return version, await store.stages(session, pipeline_id)


def _refuse_strangers(wanted: Sequence[StageFields], known: Mapping[UUID, Stage]) -> None:
    strangers = [
        {"pointer": f"/items/{n}/id", "detail": "is no stage of this pipeline"}
        for n, stage in enumerate(wanted)
        if stage.id is not None and stage.id not in known
    ]
    if strangers:
        raise InvalidContent(errors=strangers)


async def _refuse_with_deals(
    session: TenantSession, pipeline_id: UUID, stages: Sequence[Stage]
) -> None:
    held = await store.held(session, pipeline_id)
    full = [(stage, held[stage.id]) for stage in stages if stage.id in held]
    if not full:
        return
    said = "; ".join(
        f"{stage.name!r} holds {found.deals} {'deal' if found.deals == 1 else 'deals'}"
        + (f", {found.deleted} of them deleted" if found.deleted else "")
        for stage, found in full
    )
    raise Conflict(f"A stage that holds deals neither goes nor changes its kind: {said}.")


async def place(
    session: TenantSession, *, pipeline_id: UUID | None, stage_id: UUID | None
) -> tuple[UUID, UUID]:
    """The pipeline and stage for a deal that names one of them or neither.

    An agency without a pipeline gets its first one, where the role may make one. Raises
    `InvalidContent` for what is none here, `Conflict` where the agency has none.
    """
    found = await store.place(session, pipeline_id=pipeline_id, stage_id=stage_id)
    if found is None and pipeline_id is None and stage_id is None:
        await _make_first(session)
        found = await store.place(session, kind=StageKind.OPEN)
    if found is not None:
        return found
    if stage_id is not None:
        whose = "is no stage here" if pipeline_id is None else "is no stage of this pipeline"
        raise InvalidContent(errors=[{"pointer": "/stage_id", "detail": whose}])
    if pipeline_id is not None:
        detail = "is no pipeline here"
        raise InvalidContent(errors=[{"pointer": "/pipeline_id", "detail": detail}])
    raise Conflict("Your agency has no pipeline yet. Create one by POST /v1/pipelines.")


async def _make_first(session: TenantSession) -> None:
    try:
        made = await store.add_first(session, _FIRST_NAME)
    except asyncpg.InsufficientPrivilegeError as error:
        raise Conflict(
            "Your agency has no pipeline yet, and your role creates none. Ask a manager for one."
        ) from error
    if made is not None:
        await store.add(session, made, list(enumerate(USUAL)))
