"""The declaration of an entity: what makes a table of records a noun of the API."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias
from uuid import UUID

from sqlalchemy import Column, MetaData, Table

from gardenos.crm.records.fields import Field
from gardenos.crm.records.kinds import SQL_TYPES, Kind
from gardenos.crm.records.models import Fields, Record
from gardenos.db.session import TenantSession

Values: TypeAlias = Mapping[str, Any]
Prepare: TypeAlias = Callable[[TenantSession, Values], Awaitable[Values]]
"""Runs before a record is stored: what to store instead. Raises what refuses it."""
PrepareChange: TypeAlias = Callable[[TenantSession, UUID, Values], Awaitable[Values]]
"""The same before a record changes."""
AfterCreate: TypeAlias = Callable[[TenantSession, UUID, Values], Awaitable[None]]
"""Runs after a record was stored, with all that was sent, also what is no column of its table."""
BeforeDelete: TypeAlias = Callable[[TenantSession, UUID], Awaitable[None]]
"""Runs before a record is marked deleted. Raises what refuses it."""
CustomFields: TypeAlias = Callable[
    [TenantSession, str, Collection[str]], Awaitable[Mapping[str, Field]]
]
"""The fields behind these keys of `custom`, for the entity of that name."""
Viewed: TypeAlias = Callable[
    [TenantSession, "Entity", UUID, Sequence[tuple[str, str]]], Awaitable[list[tuple[str, str]]]
]
"""The parameters of a list with those that the saved view of that id adds."""


class Likeness(Protocol):
    """What knows whether a record of an entity is there already."""

    async def refuse(self, session: TenantSession, values: Values) -> None:
        """Raise `PossibleDuplicate` for a new record that may be."""
        ...

    def keep(self, session: TenantSession, record_id: UUID, values: Values) -> None:
        """Have a new record found by what it says, with the session's commit."""
        ...


async def untyped(
    _session: TenantSession, _entity: str, keys: Collection[str]
) -> Mapping[str, Field]:
    """Custom values that nobody defined: text, or a number where both sides are one."""
    return {
        key: Field(name=f"custom.{key}", kind=Kind.TEXT, key=key, typed=False, sortable=False)
        for key in keys
    }


@dataclass(frozen=True, slots=True)
class Include:
    """A record that another one refers to."""

    field: str
    """The field that holds its id."""
    of: str
    """The entity it is one of."""


@dataclass(frozen=True, slots=True)
class Related:
    """What `include` shows of an entity: its table, and the fields by column."""

    kind: str
    table: Table
    fields: tuple[Field, ...]
    key: str = "id"
    """The column that is referred to."""
    masked: bool = True
    """Whether roles may be kept from seeing fields of it."""


def plain_related(kind: str, fields: Sequence[Field], *, key: str = "id") -> Related:
    """What `include` shows of a table that is no entity's, and that roles see whole or not at all."""
    columns = (Column(one.name, SQL_TYPES[one.kind]) for one in fields)
    return Related(kind, Table(kind, MetaData(), *columns), tuple(fields), key=key, masked=False)


MEMBERS: Final = plain_related(
    "members",
    (Field(name="user_id", kind=Kind.ID), Field(name="role", kind=Kind.TEXT)),
    key="user_id",
)


def _table(name: str, fields: Mapping[str, Field]) -> Table:
    columns = {name: SQL_TYPES[found.kind] for name, found in fields.items()}
    for found in fields.values():
        for extra in (found.match_column, found.sort_column):
            if extra is not None:
                columns.setdefault(extra, SQL_TYPES[found.kind])
    columns |= {"agency_id": SQL_TYPES[Kind.ID], "created_by": SQL_TYPES[Kind.ID]}
    return Table(name, MetaData(), *(Column(name, kind) for name, kind in columns.items()))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entity:
    """A noun of the API, from which its lists, reads and writes follow.

    The table is called as the noun and has `id`, `agency_id`, `created_by` and `created_at`; where
    records change, `version` too, and where they are deleted, `deleted_at`.
    """

    noun: str
    """As in the permissions and in `included`; the name of the table."""
    path: str = ""
    """As in `/v1/<path>`; the noun unless said."""
    singular: str
    record: type[Record]
    new: type[Fields] | None
    """What a POST holds; None where the noun creates by a route of its own."""
    changes: type[Fields] | None = None
    """What a PATCH may hold; None where nothing changes a record."""
    fields: Mapping[str, Field]
    search: tuple[str, ...] = ()
    """The fields `q` looks into."""
    includes: Mapping[str, Include] = field(default_factory=dict[str, Include])
    unique: Mapping[str, str] = field(default_factory=dict[str, str])
    """The field that each unique index or constraint is about."""
    checks: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    """The field each of the table's own conditions is about, and what is wrong with it then."""
    default_sort: str = "-created_at"
    custom: CustomFields = untyped
    tagged_by: str | None = None
    """The column of `taggings` that names its records; None where they carry no tags."""
    viewed: Viewed | None = None
    """What a saved view stands for; None where its list has none."""
    likeness: Likeness | None = None
    """What refuses a record that is there already; None where alike ones are none."""
    prepare: Prepare | None = None
    after_create: AfterCreate | None = None
    prepare_change: PrepareChange | None = None
    before_delete: BeforeDelete | None = None
    table: Table = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", self.path or self.noun)
        object.__setattr__(self, "table", _table(self.noun, self.fields))
        _KNOWN.setdefault(self.noun, self)

    @property
    def deletes(self) -> bool:
        """Whether its records can be marked deleted."""
        return "deleted_at" in self.fields

    @property
    def versioned(self) -> bool:
        """Whether its records change, and count how often."""
        return "version" in self.fields

    @property
    def has_custom(self) -> bool:
        """Whether its records hold values of the agency's own."""
        return "custom" in self.fields

    def related(self) -> Related:
        """What `include` shows of it."""
        return Related(self.noun, self.table, tuple(self.fields.values()))

    def missing(self, record_id: object) -> str:
        """The sentence that says there is no such record."""
        deleted = " It may have been deleted." if self.deletes else ""
        return f"There is no {self.singular} {record_id} here.{deleted}"


_KNOWN: Final[dict[str, Entity]] = {}
_RELATED: Final[dict[str, Related]] = {MEMBERS.kind: MEMBERS}


def known() -> Mapping[str, Entity]:
    """The entities that were declared, by noun: those whose modules are imported."""
    return _KNOWN


def related(kind: str) -> Related:
    """What `include` shows of a kind of record."""
    return _RELATED[kind] if kind in _RELATED else _KNOWN[kind].related()


def show(found: Related) -> Related:
    """Have `include` show a kind of record that is no entity."""
    _RELATED[found.kind] = found
    return found
