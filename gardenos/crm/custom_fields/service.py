"""What may be done with the definitions of custom fields."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final
from uuid import UUID

import asyncpg

from gardenos.core.errors import Conflict, Forbidden
from gardenos.crm.custom_fields.models import FieldKind
from gardenos.crm.records import Field
from gardenos.crm.records.entity import untyped
from gardenos.crm.records.kinds import Kind, Slot
from gardenos.db import sql
from gardenos.db.session import TenantSession

QUERIES = sql.load("gardenos.crm.custom_fields")


async def prepare(session: TenantSession, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """A definition to store. Raises `Conflict` where values are stored that do not fit it."""
    kept = {name: value for name, value in values.items() if name != "convert"}
    kept.setdefault("options", {})
    await _fit(session, kept, converts=bool(values.get("convert")))
    return kept


async def prepare_change(
    session: TenantSession, field_id: UUID, values: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Changes to a definition. Raises `Conflict` where values are stored that would not fit it."""
    kept = {name: value for name, value in values.items() if name != "convert"}
    if "kind" not in kept and "options" not in kept:
        return kept
    row = await session.fetchrow(QUERIES["read_definition"], field_id)
    if row is None or row["archived"]:
        return kept
    if kept.get("kind", row["kind"]) != row["kind"]:
        kept.setdefault("options", {})
    await _fit(session, {**row, **kept}, converts=bool(values.get("convert")))
    return kept


async def _fit(session: TenantSession, field: Mapping[str, Any], *, converts: bool) -> None:
    key, kind = field["key"], field["kind"]
    arguments = field["entity"], key, kind, field["options"]
    try:
        found = await session.fetchrow(QUERIES["count_values"], *arguments)
    except asyncpg.InsufficientPrivilegeError as error:
        raise Forbidden(f"{error} Ask an owner or admin of your agency.") from error
    # Null where the definition itself is none: then the table says what is wrong with it.
    if found is None or found["total"] is None:
        return
    total, fitting, convertible = found
    counts = {"values": total, "fitting": fitting, "convertible": convertible}
    lost = total - convertible
    if converts and lost:
        raise Conflict(
            f"{lost} of {total} values stored under {key} cannot become {kind} without loss, so "
            "nothing was changed. Correct those values, or keep the kind.",
            extra=counts,
        )
    if not converts and total > fitting:
        raise Conflict(
            f"{total - fitting} of {total} values stored under {key} are not of the kind {kind}; "
            f"{convertible - fitting} of them can be converted. Send `convert: true` to convert them "
            "where all can be; nothing was changed.",
            extra=counts,
        )
    if converts:
        await session.execute(QUERIES["allow_conversion"], key)


_COMPARED: Final[Mapping[FieldKind, tuple[Kind, Slot]]] = {
    FieldKind.NUMBER: (Kind.NUMBER, Slot.NUMBER),
    FieldKind.MONEY: (Kind.DECIMAL, Slot.NUMBER),
    FieldKind.BOOLEAN: (Kind.BOOLEAN, Slot.NUMBER),
    FieldKind.DATE: (Kind.DATE, Slot.DATE),
    FieldKind.RELATION: (Kind.ID, Slot.TEXT),
}
"""What lists take the values for; all others are text."""


async def typed(session: TenantSession, entity: str, keys: Collection[str]) -> Mapping[str, Field]:
    """What these keys of `custom` are to a list; those without a definition as free values."""
    rows = await session.fetch(QUERIES["find_definitions"], entity, list(keys))
    defined = {row["key"]: _field(row["key"], FieldKind(row["kind"])) for row in rows}
    return {**await untyped(session, entity, keys), **defined}


def _field(key: str, kind: FieldKind) -> Field:
    compared, slot = _COMPARED.get(kind, (Kind.TEXT, Slot.TEXT))
    several = kind is FieldKind.MULTI_CHOICE
    return Field(
        name=f"custom.{key}",
        kind=compared,
        key=key,
        slot=slot,
        small=kind is FieldKind.EMAIL,
        several=several,
        # Ids have no order that says anything, and of several choices none is the first.
        sortable=not several and kind is not FieldKind.RELATION,
    )
