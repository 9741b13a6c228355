"""Stages in PostgreSQL, always in the caller's session."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from gardenos.crm.pipelines.models import Stage, StageFields, StageKind
from gardenos.db import sql
from gardenos.db.session import TenantSession

QUERIES = sql.load("gardenos.crm.pipelines")


@dataclass(frozen=True, slots=True)
class Held:
    """The deals in a stage."""

    deals: int
    deleted: int


async def stages(session: TenantSession, pipeline_id: UUID) -> list[Stage]:
    """The stages of a pipeline, from left to right."""
    rows = await session.fetch(QUERIES["list_stages"], pipeline_id)
    return [Stage.model_validate(dict(row)) for row in rows]


def _placed(stages: Sequence[tuple[int, StageFields]]) -> list[dict[str, Any]]:
    return [
        {
            "id": None if stage.id is None else str(stage.id),
            "name": stage.name,
            "kind": stage.kind,
            "probability": stage.chance,
            "position": position,
        }
        for position, stage in stages
    ]


async def add(
    session: TenantSession, pipeline_id: UUID, stages: Sequence[tuple[int, StageFields]]
) -> None:
    """Put new stages at their positions."""
    agency_id = session.claims.agency_id
    await session.execute(QUERIES["add_stages"], agency_id, pipeline_id, _placed(stages))


async def change(
    session: TenantSession, pipeline_id: UUID, stages: Sequence[tuple[int, StageFields]]
) -> None:
    """Give stages that there are these positions and values."""
    await session.execute(QUERIES["change_stages"], pipeline_id, _placed(stages))


async def remove(session: TenantSession, pipeline_id: UUID, ids: Collection[UUID]) -> None:
    """Remove stages. Raises asyncpg's `ForeignKeyViolationError` where one holds a deal."""
    await session.execute(QUERIES["remove_stages"], pipeline_id, list(ids))


async def held(session: TenantSession, pipeline_id: UUID) -> Mapping[UUID, Held]:
    """The deals in each stage of a pipeline that holds any."""
    rows = await session.fetch(QUERIES["held_deals"], pipeline_id)
    return {row["stage_id"]: Held(row["deals"], row["deleted"]) for row in rows}


async def touch(
    session: TenantSession, pipeline_id: UUID, versions: Sequence[int] | None
) -> int | None:
    """Count a change of a pipeline, and lock it; its version, None where it is at none of these."""
    version: int | None = await session.fetchval(QUERIES["touch_pipeline"], pipeline_id, versions)
    return version


async def unset_default(session: TenantSession, keep: UUID | None = None) -> None:
    """Have no other pipeline be the default."""
    await session.execute(QUERIES["unset_default"], keep)


async def add_first(session: TenantSession, name: str) -> UUID | None:
    """A first pipeline, without stages; None where there is one meanwhile."""
    claims = session.claims
    made: UUID | None = await session.fetchval(
        QUERIES["add_first_pipeline"], claims.agency_id, claims.sub, name
    )
    return made


async def place(
    session: TenantSession,
    *,
    pipeline_id: UUID | None = None,
    stage_id: UUID | None = None,
    kind: StageKind | None = None,
) -> tuple[UUID, UUID] | None:
    """The pipeline and the first stage that fit; None where none does."""
    row = await session.fetchrow(QUERIES["find_place"], pipeline_id, stage_id, kind)
    return (row["pipeline_id"], row["stage_id"]) if row else None
