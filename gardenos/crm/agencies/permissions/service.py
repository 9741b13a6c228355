"""What those who run an agency may decide about its roles; everybody sees it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import NamedTuple

from gardenos.core.claims import UserRole
from gardenos.core.errors import InvalidContent
from gardenos.crm.agencies.permissions.models import (
    CellChange,
    Mask,
    MaskChange,
    MaskChanges,
    MaskList,
    Matrix,
    MatrixChanges,
    Permission,
    Scope,
)
from gardenos.db import sql
from gardenos.db.session import TenantSession

QUERIES = sql.load("gardenos.crm.agencies.permissions")
_MAX_LISTED = 100


class _Entity(NamedTuple):
    scoped: bool
    fields: frozenset[str]
    custom: bool


async def _entities(session: TenantSession) -> dict[str, _Entity]:
    rows = await session.fetch(QUERIES["list_entities"])
    return {r["name"]: _Entity(r["scoped"], frozenset(r["fields"]), r["custom"]) for r in rows}


async def matrix(session: TenantSession) -> Matrix:
    """What holds for every role, entity and verb."""
    rows = await session.fetch(QUERIES["list_matrix"])
    return Matrix(items=[Permission.model_validate(dict(row)) for row in rows])


async def masks(session: TenantSession) -> MaskList:
    """Every mask of the agency."""
    rows = await session.fetch(QUERIES["list_masks"])
    return MaskList(items=[Mask.model_validate(dict(row)) for row in rows])


def _cell_fault(cell: CellChange, entities: dict[str, _Entity]) -> tuple[str, str] | None:
    entity = entities.get(cell.entity)
    if cell.role is UserRole.OWNER:
        return "role", "is the owner's, whom nothing narrows"
    if entity is None:
        return "entity", f"is none of: {', '.join(sorted(entities))}"
    if not entity.scoped and cell.scope in (Scope.OWN, Scope.TEAM):
        return "scope", f"{cell.entity} have no owners: it is none or agency"
    return None


def _mask_fault(mask: MaskChange, entities: dict[str, _Entity]) -> tuple[str, str] | None:
    entity = entities.get(mask.entity)
    if mask.role is UserRole.OWNER:
        return "role", "is the owner's, whom nothing narrows"
    if entity is None:
        return "entity", f"is none of: {', '.join(sorted(entities))}"
    own = entity.custom and mask.field.startswith("custom.") and mask.field != "custom."
    if mask.access is not None and not own and mask.field not in entity.fields:
        return "field", f"is none that {mask.entity} have and a mask can name"
    return None


def _refuse(faults: Sequence[tuple[str, str] | None], keys: Sequence[Hashable]) -> None:
    times = Counter(keys)
    listed = [
        {"pointer": f"/items/{number}/{fault[0]}", "detail": fault[1]}
        for number, fault in enumerate(faults)
        if fault
    ] + [
        {"pointer": f"/items/{number}", "detail": "says the same twice"}
        for number, key in enumerate(keys)
        if times[key] > 1
    ]
    if listed:
        raise InvalidContent(errors=listed[:_MAX_LISTED])


async def set_cells(session: TenantSession, changes: MatrixChanges) -> Matrix:
    """Set these cells; the whole matrix. Raises `InvalidContent`, and sets none of them then."""
    session.claims.require_admin()
    entities = await _entities(session)
    _refuse(
        [_cell_fault(cell, entities) for cell in changes.items],
        [(cell.role, cell.entity, cell.verb) for cell in changes.items],
    )
    given = [cell.model_dump(mode="json") for cell in changes.items]
    await session.execute(QUERIES["set_cells"], session.claims.agency_id, given)
    return await matrix(session)


async def set_masks(session: TenantSession, changes: MaskChanges) -> MaskList:
    """Set these masks; all of them. Raises `InvalidContent`, and sets none of them then."""
    session.claims.require_admin()
    entities = await _entities(session)
    _refuse(
        [_mask_fault(mask, entities) for mask in changes.items],
        [(mask.role, mask.entity, mask.field) for mask in changes.items],
    )
    given = [mask.model_dump(mode="json") for mask in changes.items]
    await session.execute(QUERIES["set_masks"], session.claims.agency_id, given)
    return await masks(session)
