"""Operations one after another in the caller's session, each in a savepoint of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import structlog
from pydantic import BaseModel, ValidationError

from gardenos.core.errors import Erased, GardenOSError, InvalidContent, Unavailable
from gardenos.crm.records import service
from gardenos.crm.records.bulk.models import BulkCreate, BulkErased, BulkUpdate, Kept
from gardenos.crm.records.entity import Entity, Values
from gardenos.crm.records.models import Fields
from gardenos.crm.records.service import Stored
from gardenos.db.session import TenantSession
from gardenos.web import conditional, problems

Result: TypeAlias = dict[str, Any]
"""A `BulkResult` as JSON has it, without what is absent."""
_log = structlog.get_logger(__name__)


async def apply(
    session: TenantSession, entity: Entity, operations: Sequence[Kept], *, first: int = 0
) -> list[Result]:
    """Carry out operations, the first of which is the request's `first`; what became of each.

    One that fails leaves nothing behind and spoils no other. Raises `Unavailable`, and what says
    the same of the database: then nothing of all this stands.
    """
    return [
        await _tried(session, entity, operation, f"/operations/{number}")
        for number, operation in enumerate(operations, first)
    ]


def failed(results: Sequence[Result]) -> int:
    """How many of them failed."""
    return sum("problem" in result for result in results)


async def _tried(session: TenantSession, entity: Entity, operation: Kept, where: str) -> Result:
    try:
        async with session.savepoint():
            return await _done(session, entity, operation)
    except (Unavailable, *problems.BUSY):
        raise
    except GardenOSError as error:
        return refusal(error, operation, where)
    except Exception as error:
        if isinstance(error, asyncpg.ForeignKeyViolationError) and _is_of_agency(error):
            raise
        _log.exception("bulk_operation_crashed", entity=entity.noun, op=operation.op)
        return refusal(GardenOSError(), operation, where)


def _is_of_agency(error: Any) -> bool:
    return str(error.constraint_name).endswith("_agency_id_fkey")


async def _done(session: TenantSession, entity: Entity, operation: Kept) -> Result:
    if isinstance(operation, BulkErased):
        raise Erased("This operation was erased with a person before it was done.")
    if isinstance(operation, BulkCreate):
        values = _given(entity.new, operation.record)
        return _stored(await service.create(session, entity, values), HTTPStatus.CREATED)
    record_id = _id(operation.id)
    versions = None if operation.version is None else [operation.version]
    if isinstance(operation, BulkUpdate):
        values = _given(entity.changes, operation.changes)
        stored = await service.change(session, entity, record_id, values, versions=versions)
        return _stored(stored, HTTPStatus.OK)
    await service.delete(session, entity, record_id, versions=versions)
    return {"status": HTTPStatus.NO_CONTENT.value, "id": str(record_id)}


def _given(model: type[Fields] | None, values: Mapping[str, Any]) -> Values:
    assert model is not None  # noqa: S101 the request's model has no such operation then
    try:
        return model.model_validate(values).given()
    except ValidationError as error:
        raise problems.from_validation(
            [{**fault, "loc": ("body", *fault["loc"])} for fault in error.errors()]
        ) from None


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InvalidContent(errors=[{"pointer": "id", "detail": "is no UUID"}]) from None


def _stored(stored: Stored, status: HTTPStatus) -> Result:
    return {
        "status": status.value,
        "id": str(stored.id),
        "version": stored.version,
        "etag": conditional.etag(stored.version),
    }


def encode(answer: Any) -> bytes:
    """Results as JSON: what a request called its fields may be in them, half a character included."""
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def refusal(error: GardenOSError, operation: BaseModel, where: str) -> Result:
    """The result of an operation that failed; its problem points into the whole request."""
    problem = error.problem()
    part = "record" if isinstance(operation, BulkCreate) else "changes"
    for fault in problem.get("errors", ()):
        pointer = str(fault["pointer"])
        inside = f"{where}/{part}{pointer}"
        fault["pointer"] = inside if pointer.startswith("/") else f"{where}/{pointer}".rstrip("/")
    result: Result = {"status": error.status, "problem": problem}
    named = getattr(operation, "id", None)
    if named is not None and _is_id(named):
        result["id"] = str(UUID(named))
    return result


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
