"""What may be done with saved views: they are held to the list they are of, when saved and when used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from gardenos.core.errors import Conflict, InvalidContent, InvalidRequest, NotFound
from gardenos.crm.records import Entity, known
from gardenos.crm.records.query import Query, custom_keys, parse, resolve
from gardenos.db import sql
from gardenos.db.session import TenantSession

QUERIES = sql.load("gardenos.crm.views")
_NO_FILTERS: Final = frozenset({"limit", "cursor", "total", "sort", "fields", "include", "view"})
_CUSTOM: Final = "custom."


def parameters(view: Mapping[str, Any]) -> dict[str, str]:
    """A view as parameters of its list."""
    found: dict[str, str] = dict(view["filters"])
    if view["sort"]:
        found["sort"] = ",".join(view["sort"])
    if view["columns"]:
        plain = ["custom" if name.startswith(_CUSTOM) else name for name in view["columns"]]
        found["fields"] = ",".join(dict.fromkeys(plain))
    return found


async def prepare(session: TenantSession, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """A view to save. Raises `InvalidContent` for what its list would not take."""
    entity = known().get(values["entity"])
    if entity is None:
        detail = f"is no list; there are {', '.join(sorted(known()))}"
        raise InvalidContent(errors=[{"pointer": "/entity", "detail": detail}])
    await _check(session, entity, {"filters": {}, "sort": [], "columns": [], **values})
    return values


async def prepare_change(
    session: TenantSession, view_id: UUID, values: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Changes to a view. Raises `InvalidContent` for what its list would not take."""
    changed = {"filters", "sort", "columns"} & values.keys()
    row = await session.fetchrow(QUERIES["read_view"], view_id) if changed else None
    if row is not None:
        nothing: dict[str, Any] = {"filters": {}, "sort": [], "columns": []}
        await _check(session, known()[row["entity"]], {**nothing, **values})
    return values


async def _check(session: TenantSession, entity: Entity, view: Mapping[str, Any]) -> None:
    misplaced = sorted(_NO_FILTERS & view["filters"].keys())
    if misplaced:
        detail = "is no filter; a view has `sort` and `columns` for the rest"
        raise InvalidContent(
            errors=[{"pointer": f"/filters/{name}", "detail": detail} for name in misplaced]
        )
    try:
        await _read(session, entity, parameters(view))
    except InvalidRequest as error:
        raise InvalidContent(errors=[_pointed(fault) for fault in error.errors]) from error


async def _read(session: TenantSession, entity: Entity, sent: Mapping[str, str]) -> Query:
    query = parse(entity, sent.items())
    keys = custom_keys(query)
    if not keys:
        return query
    fields = await entity.custom(session, entity.noun, keys)
    return resolve(query, fields.get)


def _pointed(fault: Mapping[str, Any]) -> dict[str, Any]:
    name = fault["pointer"]
    where = {"sort": "/sort", "fields": "/columns"}.get(name, f"/filters/{name}")
    return {"pointer": where, "detail": fault["detail"]}


async def applied(
    session: TenantSession, entity: Entity, view_id: UUID, sent: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """The parameters of a list with those of a view, where the request does not say otherwise.

    Raises `NotFound` for a view that is not there or of another list, `Conflict` for one that names
    what is gone.
    """
    row = await session.fetchrow(QUERIES["read_view"], view_id)
    view: Mapping[str, Any] | None = None if row is None else dict(row)
    if view is None or view["entity"] != entity.noun:
        raise NotFound(
            f"There is no view {view_id} of {entity.noun} here. It may be deleted or private."
        )
    wanted = parameters(view)
    try:
        await _read(session, entity, wanted)
        gone = _archived(view)
    except InvalidRequest as error:
        gone = [f"{fault['pointer']} ({fault['detail']})" for fault in error.errors]
    if gone:
        raise Conflict(
            f"The view {view['name']!r} names what is gone: {', '.join(gone)}. Change or delete it.",
            errors=[{"pointer": "view", "detail": f"names {one}"} for one in gone],
        )
    said = {name for name, _ in sent}
    return [*sent, *((name, text) for name, text in wanted.items() if name not in said)]


def _archived(view: Mapping[str, Any]) -> list[str]:
    named = [*view["filters"], *(name.removeprefix("-") for name in view["sort"]), *view["columns"]]
    keys = {
        name.removeprefix(_CUSTOM).partition(".")[0] for name in named if name.startswith(_CUSTOM)
    }
    return [f"{_CUSTOM}{key}" for key in sorted(keys & set(view["archived"]))]
