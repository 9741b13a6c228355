"""Carrying out rows: each makes a record, changes one, is known already, or is refused with a reason."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import asyncpg

from gardenos.core.errors import GardenOSError
from gardenos.core.ids import ImportId, LeadId
from gardenos.crm.leads.entity import LEADS
from gardenos.crm.records import faults
from gardenos.crm.transfer import columns, store
from gardenos.crm.transfer.chunk import Cells, Faulty
from gardenos.crm.transfer.models import ImportOptions, MatchBy, OnDuplicate, RowError
from gardenos.crm.transfer.rows import FAULTS, Row, RowReader
from gardenos.crm.transfer.store import Done
from gardenos.db.session import TenantSession
from gardenos.orchestrator.store import enqueue
from gardenos.orchestrator.task import NewTask

SCORING_PRIORITY: Final = 7
_REFUSALS: Final = (
    *(asyncpg.InsufficientPrivilegeError, asyncpg.IntegrityConstraintViolationError),
    *(asyncpg.DataError, asyncpg.RaiseError),
)
"""What the database says of a row, and not of itself: the same row again would be refused again."""


@dataclass(frozen=True, slots=True)
class Work:
    """An import to be carried out."""

    import_id: ImportId
    reader: RowReader
    options: ImportOptions

    @classmethod
    def of(cls, import_id: ImportId, headers: Sequence[str], options: ImportOptions) -> Work:
        """Raises `InvalidContent` where the mapping does not fit the headers."""
        return cls(import_id, RowReader(columns.plan(headers, options.mapping)), options)


async def carry_out(
    session: TenantSession, work: Work, first_row: int, rows: Sequence[Cells]
) -> Done:
    """Carry out rows in the caller's session; what became of each.

    A row that the database refuses is found by halves, and spoils no other.
    """
    done = Done()
    good = await asyncio.to_thread(_read, work, first_row, rows, done)
    good = await _owned(session, work, good, done)
    for some in _in_turns(work.options, good):
        await _stored(session, work, some, done)
    done.refused.sort(key=lambda one: one[0])
    done.faults.sort(key=lambda fault: fault.row)
    cells = {number: _cells(rows[number - first_row]) for number, *_ in done.refused}
    done.refused = [(*one[:4], cells[one[0]]) for one in done.refused]
    return done


def _cells(row: Cells) -> list[str]:
    return row.cells if isinstance(row, Faulty) else row or []


def _read(work: Work, first_row: int, rows: Sequence[Cells], done: Done) -> list[Row]:
    good: list[Row] = []
    for number, cells in enumerate(rows, first_row):
        if isinstance(cells, list):
            found = work.reader.read(number, cells)
            if isinstance(found, Row):
                good.append(found)
                continue
            first, *more = found
            detail = "; ".join([first.detail, *(f"{e.column}: {e.detail}" for e in more)])
            _refuse(done, number, first.code, detail, first.column, found)
        else:
            code = cells.code if cells else "erased"
            _refuse(done, number, code, FAULTS[code])
    return good


def _refuse(  # noqa: PLR0917
    done: Done,
    number: int,
    code: str,
    detail: str,
    column: str | None = None,
    faults: Sequence[RowError] = (),
) -> None:
    done.rejected += 1
    done.refused.append((number, code, column, detail[:2000], []))
    done.faults += faults or [RowError(row=number, column=column, code=code, detail=detail)]


async def _owned(session: TenantSession, work: Work, rows: Sequence[Row], done: Done) -> list[Row]:
    """The rows whose owner is a member, by id in place of the address."""
    said = {row.owner.lower() for row in rows if row.owner}
    if not said:
        return list(rows)
    known: dict[str, UUID] = {}
    for member in await session.fetch(store.QUERIES["find_members"], list(said)):
        known[str(member["email"]).lower()] = known[str(member["user_id"])] = member["user_id"]
    kept: list[Row] = []
    for row in rows:
        if row.owner and row.owner.lower() not in known:
            column = work.reader.plan.headers[work.reader.plan.owner or 0][:200]
            detail = f"{row.owner[:80]!r} is no member of the agency"
            _refuse(done, row.number, "unknown-owner", detail, column)
            continue
        if row.owner:
            row.owner = str(known[row.owner.lower()])
        kept.append(row)
    return kept


def _in_turns(options: ImportOptions, rows: Sequence[Row]) -> list[list[Row]]:
    """Rows of which no two are the same record, the earlier ones first.

    Only where rows change records: the others are told apart by the statement that stores them.
    """
    if options.on_duplicate is not OnDuplicate.UPDATE:
        return [list(rows)]
    turns: list[list[Row]] = []
    seen: dict[tuple[str | None, str | None], int] = {}
    for row in rows:
        key = _key(options.match_by, row)
        turn = seen.get(key, 0) if any(key) else 0
        seen[key] = turn + 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append(row)
    return turns or [[]]


def _key(match_by: MatchBy, row: Row) -> tuple[str | None, str | None]:
    """By which external_id, or else by which e-mail, a row is a record."""
    external_id = row.fields.get("external_id") if match_by is not MatchBy.EMAIL else None
    email = row.fields.get("email") if match_by is not MatchBy.EXTERNAL_ID else None
    return (external_id, None) if external_id else (None, email.lower() if email else None)


async def _stored(session: TenantSession, work: Work, rows: Sequence[Row], done: Done) -> None:
    """Store rows together; where that is refused, each half by itself."""
    if not rows:
        return
    part = Done()
    try:
        async with session.savepoint():
            await _store(session, work, rows, part)
    except _REFUSALS as error:
        if _says_nothing_of_rows(error):
            raise
        if len(rows) == 1:
            code, detail = _refusal(error, rows[0])
            _refuse(done, rows[0].number, code, detail)
            return
        half = len(rows) // 2
        await _stored(session, work, rows[:half], done)
        await _stored(session, work, rows[half:], done)
    else:
        _add(done, part)


def _says_nothing_of_rows(error: Any) -> bool:
    return str(error.constraint_name or "").endswith("_agency_id_fkey")


def _refusal(error: Exception, row: Row) -> tuple[str, str]:
    try:
        with faults.told(LEADS, "import", row.fields):
            raise error  # noqa: TRY301 to be turned into words
    except GardenOSError as told:
        detail = "; ".join([told.detail, *(f"{e['pointer']} {e['detail']}" for e in told.errors)])
        return told.code, detail
    except Exception as other:  # noqa: BLE001 it is `error`, which has no words of ours
        return "refused", f"The database refuses this row ({type(other).__name__})."


def _add(done: Done, part: Done) -> None:
    done.imported += part.imported
    done.updated += part.updated
    done.duplicates += part.duplicates
    done.rejected += part.rejected
    done.tasks += part.tasks
    done.created += part.created
    done.tagged += part.tagged
    done.new_tags += part.new_tags
    done.refused += part.refused
    done.faults += part.faults
    done.known += part.known
    for record_id, changes in part.undo.items():
        done.changed(record_id, changes)


async def _store(session: TenantSession, work: Work, rows: Sequence[Row], done: Done) -> None:
    options = work.options
    updates = options.on_duplicate is OnDuplicate.UPDATE
    there: dict[int, tuple[LeadId, dict[str, Any]]] = {}
    if updates:
        keys = [(row.number, *_key(options.match_by, row)) for row in rows]
        there = await store.find(session, [key for key in keys if any(key[1:])])
    rows = await _fitted(session, rows, there, done)
    owners = {row.number: UUID(row.owner) for row in rows if row.owner}
    new = [row for row in rows if row.number not in there]
    by_email = "never" if options.on_duplicate is not OnDuplicate.SKIP else options.match_by.value
    made = await store.insert(session, work.import_id, new, owners=owners, by_email=by_email)
    known = {there[row.number][0]: row for row in rows if row.number in there}
    # Two rows may be one record by different keys: the later one stands.
    changed = await store.update(session, known, owners)
    for _, record_id, changes in changed:
        done.changed(record_id, changes)
    of_rows = made | {row.number: record_id for record_id, row in known.items()}
    updated = {number for number, _, _ in changed}
    updated |= await _tag(session, rows, of_rows, done) - made.keys()
    done.imported += len(made)
    done.created += made.values()
    done.updated += len(updated)
    done.known += [
        row.number for row in rows if row.number not in made and row.number not in updated
    ]
    done.duplicates += len(rows) - len(made) - len(updated)
    if options.score:
        done.tasks += await _enqueue(session, work.import_id, list(made.values()))


async def _fitted(
    session: TenantSession,
    rows: Sequence[Row],
    there: Mapping[int, tuple[LeadId, dict[str, Any]]],
    done: Done,
) -> list[Row]:
    """The rows whose custom values fit the agency's fields; a record's own stand for what is not said."""
    whole = [store.custom_json(_with_known(row, there)) for row in rows]
    found = await store.fitted(session, [row.number for row in rows], whole) if rows else {}
    if not found:
        return list(rows)
    kept: list[Row] = []
    for row in rows:
        custom, key, fault = found[row.number]
        if fault is not None:
            _refuse(done, row.number, "custom-field", f"The custom field {key} {fault}", key)
            continue
        fitted = json.loads(custom)
        if row.number in there:
            fitted = {key: fitted[key] for key in row.custom}
        row.custom = fitted
        kept.append(row)
    return kept


def _with_known(row: Row, there: Mapping[int, tuple[LeadId, dict[str, Any]]]) -> Row:
    if row.number not in there:
        return row
    return Row(row.number, row.fields, there[row.number][1] | row.custom)


async def _tag(
    session: TenantSession, rows: Sequence[Row], of_rows: Mapping[int, LeadId], done: Done
) -> set[int]:
    """Let records carry the tags of their rows; the rows that say a tag which theirs had not."""
    wanted = [(row.number, name) for row in rows if row.number in of_rows for name in row.tags]
    if not wanted:
        return set()
    tags = await _tags(session, {name.lower(): name for _, name in wanted}, done)
    pairs = [(number, tags[name.lower()], of_rows[number]) for number, name in wanted]
    made = await session.fetch(
        store.QUERIES["tag_leads"],
        session.claims.agency_id,
        [tag for _, tag, _ in pairs],
        [lead for _, _, lead in pairs],
    )
    done.tagged += [row["id"] for row in made]
    leads = {row["lead_id"] for row in made}
    return {number for number, _, lead in pairs if lead in leads}


async def _tags(session: TenantSession, names: Mapping[str, str], done: Done) -> dict[str, UUID]:
    """Tags by their names in small letters; those that are missing are made."""
    found = await _find_tags(session, names)
    missing = [name for key, name in names.items() if key not in found]
    if missing:
        claims = session.claims
        arguments = claims.agency_id, claims.sub, missing
        made = await session.fetch(store.QUERIES["create_tags"], *arguments)
        done.new_tags += [row["id"] for row in made]
        found = await _find_tags(session, names)
    return found


async def _find_tags(session: TenantSession, names: Mapping[str, str]) -> dict[str, UUID]:
    rows = await session.fetch(store.QUERIES["find_tags"], list(names))
    return {row["name_key"]: row["id"] for row in rows}


async def _enqueue(session: TenantSession, import_id: ImportId, leads: Sequence[LeadId]) -> int:
    tasks = [
        NewTask(
            "lead_analysis",
            {"lead_id": str(lead_id)},
            priority=SCORING_PRIORITY,
            idempotency_key=f"import:{import_id}:{lead_id}",
        )
        for lead_id in leads
    ]
    return len(await enqueue(session, tasks))
