"""What PostgreSQL refuses, in the words of the API."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

import asyncpg

from gardenos.core.errors import Conflict, Forbidden, GardenOSError, InvalidContent
from gardenos.crm.records.entity import Entity, Values

_OWN_WORDS: Final = re.compile(r"Your role .*\.", re.DOTALL)
"""How the sentences of our own functions begin; PostgreSQL's name policies and tables."""
_AGENCY_KEY: Final = "_agency_id_fkey"
_CUSTOM: Final = "custom_fields"
"""What the database calls the rule that custom values fit their definitions."""


def forbidden(entity: Entity, verb: str) -> Forbidden:
    """What a role lacks that may not do this."""
    return Forbidden(
        f"Your role does not {verb} this {entity.singular}. Ask an owner or admin of your agency."
    )


@contextmanager
def told(entity: Entity, verb: str, values: Values) -> Generator[None]:
    """Turn what the database refuses of a statement with these values into an error of ours.

    Raises `Forbidden`, `Conflict` and `InvalidContent`, each with a sentence.
    """
    try:
        yield
    except asyncpg.InsufficientPrivilegeError as error:
        # Without its details, which `str` adds.
        message = str(error.args[0])
        if _OWN_WORDS.fullmatch(message):
            raise Forbidden(f"{message} Ask an owner or admin of your agency.") from None
        raise forbidden(entity, verb) from error
    except asyncpg.UniqueViolationError as error:
        raise _taken(entity, error, values) from error
    except asyncpg.ForeignKeyViolationError as error:
        raise _absent(entity, error) or error from error
    except asyncpg.CheckViolationError as error:
        raise _unfit(entity, error) or error from error


def _taken(entity: Entity, error: asyncpg.UniqueViolationError, values: Values) -> Conflict:
    field = entity.unique.get(_constraint(error), "id")
    deleted = ", perhaps a deleted one," if entity.deletes else ""
    which = f"the {field} {values[field]!r}" if field in values else f"the same {field}"
    return Conflict(
        f"Another {entity.singular}{deleted} has {which}.",
        errors=[{"pointer": f"/{field}", "detail": "is taken"}],
    )


def _absent(entity: Entity, error: asyncpg.ForeignKeyViolationError) -> GardenOSError | None:
    constraint = _constraint(error)
    if constraint.endswith(_AGENCY_KEY):
        return None
    named = constraint.removesuffix("_fkey")
    # A key of more columns names them all, the one in question last.
    field = max((name for name in entity.fields if named.endswith(f"_{name}")), key=len, default="")
    if not field:
        return None
    include = next((one for one in entity.includes.values() if one.field == field), None)
    what = "member" if include and include.of == "members" else field.removesuffix("_id")
    detail = f"is no {what.replace('_', ' ')} here"
    return InvalidContent(errors=[{"pointer": f"/{field}", "detail": detail}])


def _unfit(entity: Entity, error: asyncpg.CheckViolationError) -> GardenOSError | None:
    constraint = _constraint(error)
    if constraint == _CUSTOM:
        wrong: Any = error
        pointer = f"/custom/{wrong.column_name}"
        return InvalidContent(errors=[{"pointer": pointer, "detail": str(wrong.detail)}])
    found = entity.checks.get(constraint)
    if found is None:
        return None
    field, detail = found
    return InvalidContent(errors=[{"pointer": f"/{field}", "detail": detail}])


def _constraint(error: Any) -> str:
    return str(error.constraint_name)
