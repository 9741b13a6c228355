"""What all records have in common: lists, pages, one record, changes that name a version."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias, TypeVar, cast
from uuid import UUID

from pydantic import Field
from pydantic_core import to_jsonable_python

from gardenos.sdk.base import Included, Page, Result
from gardenos.sdk.bound import D, Namespace, endpoint, listing
from gardenos.sdk.bulk import BulkAnswer, Job, Operations, answer_or_job
from gardenos.sdk.call import Call, given, model, nothing, post, segment

if TYPE_CHECKING:
    import httpx

SENT: Any = Field(default=None)
"""The default of every field of a record that `fields` or a role's mask may leave out."""
Version: TypeAlias = int | Literal["*"]
"""The version a change is based on; `"*"` for whatever is there."""
Where: TypeAlias = Mapping[str, Any]
"""Conditions, as in `{"status": "new", "amount.gte": 1000, "owner_id": None}`."""
_OPERATOR_OF_MANY = {"": ".in", "ne": ".not_in"}


class NotSent(AttributeError):
    """A field that the answer did not hold."""


class Record(Result):
    """A record as it was read. A field is not there if `fields` left it out or your role is masked.

    Reading it then raises `NotSent`: that nothing was said of it is not the same as None.
    """

    id: UUID
    included: Included = SENT
    """What `include` asked for."""

    def model_post_init(self, context: Any) -> None:
        """Forget the defaults of what was not sent."""
        del context
        for name in type(self).model_fields.keys() - self.model_fields_set:
            vars(self).pop(name)

    def keys(self) -> Iterable[str]:
        """The names of what was sent."""
        return [*self.__dict__, *(self.model_extra or {})]

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name in type(self).model_fields:
                raise NotSent(
                    f"The answer holds no {name!r}: it was not asked for by `fields` or `include`, "
                    "or your role does not see it."
                )
            return super().__getattr__(name)


R = TypeVar("R", bound=Record)
Ref: TypeAlias = R | UUID | str
"""A record that is stored: read, or named by its id."""


def id_of(record: Record | UUID | str) -> str:
    """The id of a record however it is named."""
    return str(record.id if isinstance(record, Record) else record)


def plain(value: Any) -> Any:
    """A value as JSON has it: amounts, ids and moments as text, a record as its id."""
    if isinstance(value, Record):
        return str(value.id)
    if isinstance(value, Mapping):
        members = cast("Mapping[str, Any]", value)
        return {name: plain(member) for name, member in members.items()}
    if isinstance(value, (list, tuple)):
        return [plain(member) for member in cast("Sequence[Any]", value)]
    return to_jsonable_python(value)


def if_match(record: object, version: Version | None = None) -> dict[str, str]:
    """The header that names the version a change is based on: the given one, or that of the record."""
    known = version
    if known is None and isinstance(record, Result):
        known = cast("int | None", record.__dict__.get("version"))
    if known is None:
        return {}
    return {"If-Match": "*" if known == "*" else f'"{known}"'}


def conditions(where: Where | None) -> dict[str, Any]:
    """`where` as query parameters: a list means one of these, None means that there is none."""
    return dict(_condition(name, plain(value)) for name, value in (where or {}).items())


def _condition(name: str, value: Any) -> tuple[str, Any]:
    field, _, operator = name.rpartition(".") if name.endswith(".ne") else (name, "", "")
    if value is None:
        return f"{field}.is_null", "true" if not operator else "false"
    if not isinstance(value, list):
        return name, value
    many = name.endswith((".in", ".not_in"))
    return (name if many else field + _OPERATOR_OF_MANY[operator]), _listed(
        cast("list[Any]", value)
    )


def _listed(values: list[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()


def names(wanted: str | Sequence[str] | None) -> str | None:
    """Names as one parameter."""
    return wanted if wanted is None or isinstance(wanted, str) else ",".join(wanted)


@dataclass(frozen=True, slots=True)
class page_of(Generic[R]):  # noqa: N801 it reads like the function it is
    """Read an answer as a page of records, each with what was included."""

    record: type[R]

    @property
    def kind(self) -> type[Page[R]]:
        """The model of the answer."""
        return cast("type[Page[R]]", Page.__class_getitem__(self.record))

    def __call__(self, response: httpx.Response) -> Page[R]:
        """What the answer says."""
        found = model(self.kind)(response)
        if not found.included:
            return found
        shared = {"included": found.included}
        items = tuple(item.model_copy(update=shared) for item in found.items)
        return found.model_copy(update={"items": items})


class Records(Namespace[D], Generic[D, R]):
    """Records of one noun. A noun says its path and its model, and what may be set on it."""

    path: str
    kind: type[R]

    @listing
    def list(
        self,
        where: Where | None = None,
        *,
        q: str | None = None,
        sort: str | Sequence[str] | None = None,
        fields: Sequence[str] | None = None,
        include: str | Sequence[str] | None = None,
        include_deleted: bool = False,
        page_size: int = 100,
    ) -> Call[Page[R]]:
        """Every record that matches, one by one; pages are asked for as they are needed.

        `where` are conditions by field and operator, as in `{"amount.gte": 1000}`; a list means one
        of these, None means empty. `q` searches. `sort` names fields, with `-` descending. `fields`
        leaves out all others; what `include` asks for is in each record's `included`.
        """
        params = given(
            limit=page_size,
            q=q,
            sort=names(sort),
            fields=names(fields),
            include=names(include),
            include_deleted=include_deleted or None,
        )
        return Call("GET", self.path, page_of(self.kind), params=params | conditions(where))

    @endpoint
    def page(
        self,
        where: Where | None = None,
        *,
        limit: int = 50,
        cursor: str | None = None,
        total: bool = False,
        q: str | None = None,
        sort: str | Sequence[str] | None = None,
        fields: Sequence[str] | None = None,
        include: str | Sequence[str] | None = None,
        include_deleted: bool = False,
    ) -> Call[Page[R]]:
        """One page of what `list` gives; `total=True` counts all that match, which costs time."""
        params = given(
            limit=limit,
            cursor=cursor,
            total=total or None,
            q=q,
            sort=names(sort),
            fields=names(fields),
            include=names(include),
            include_deleted=include_deleted or None,
        )
        return Call("GET", self.path, page_of(self.kind), params=params | conditions(where))

    @endpoint
    def get(
        self,
        record: Ref[R],
        *,
        fields: Sequence[str] | None = None,
        include: str | Sequence[str] | None = None,
    ) -> Call[R]:
        """Read a record, or some of its fields, with related ones. Raises `NotFound`."""
        params = given(fields=names(fields), include=names(include))
        return Call("GET", self._of(record), model(self.kind), params=params)

    @endpoint
    def bulk(
        self, operations: Operations, *, idempotency_key: str | None = None
    ) -> Call[BulkAnswer | Job]:
        """Do many things, in this order; each succeeds or fails for itself.

        As in `[{"op": "create", "record": {...}}, {"op": "update", "id": lead, "changes": {...}},
        {"op": "delete", "id": lead, "version": 3}]`. Over 1,000 of them, up to 100,000, become a
        `Job`, whose results `client.jobs` has.
        """
        path, sent = f"{self.path}/bulk", {"operations": plain(operations)}
        return post(path, answer_or_job, json=sent, idempotency_key=idempotency_key)

    def _of(self, record: Ref[R], of_it: str = "") -> str:
        return f"{self.path}/{segment(id_of(record))}{of_it}"

    def _create(self, fields: Mapping[str, Any], idempotency_key: str | None) -> Call[R]:
        return post(
            self.path, model(self.kind), json=plain(fields), idempotency_key=idempotency_key
        )


class ChangingRecords(Records[D, R]):
    """Records that are changed, deleted and restored."""

    @endpoint
    def delete(self, record: Ref[R], *, version: Version | None = None) -> Call[None]:
        """Mark a record deleted; `restore` brings it back. With `version`, only that one."""
        return Call("DELETE", self._of(record), nothing, headers=if_match(None, version))

    @endpoint
    def restore(self, record: Ref[R], *, idempotency_key: str | None = None) -> Call[R]:
        """Undo a deletion."""
        return post(self._of(record, "/restore"), model(self.kind), idempotency_key=idempotency_key)

    def _change(
        self, record: Ref[R], changes: Mapping[str, Any], version: Version | None
    ) -> Call[R]:
        return Call(
            "PATCH",
            self._of(record),
            model(self.kind),
            json=plain(changes),
            headers=if_match(record, version),
        )
