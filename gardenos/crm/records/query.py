"""What a list was asked for, read from the query parameters of its URL."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import Field as Bounds
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from gardenos.core.errors import InvalidRequest, UnknownParameter
from gardenos.core.page import DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE
from gardenos.crm.records.entity import Entity
from gardenos.crm.records.fields import Field, adapter
from gardenos.crm.records.kinds import MAX_LISTED, ORDERINGS, Op, split
from gardenos.crm.records.models import MAX_CUSTOM_KEY_CHARS
from gardenos.web.text import NotBlank, storable

MAX_FILTERS: Final = 20
MAX_SORTS: Final = 4
MAX_WORDS: Final = 10
MAX_WORD_CHARS: Final = 200
MAX_SEARCH_CHARS: Final = 500
MAX_CURSOR_CHARS: Final = 8000
_MAX_NAMED: Final = 20
_MAX_NAME_CHARS: Final = 100
_SUFFIXES: Final = {op.value: op for op in Op if op is not Op.EQ}
_PAGING: Final = frozenset({"limit", "cursor", "total", "fields", "include"})

Limit = Annotated[int, Bounds(ge=1, le=MAX_PAGE_SIZE)]
Cursor = Annotated[str, Bounds(min_length=1, max_length=MAX_CURSOR_CHARS)]
Search = Annotated[NotBlank, Bounds(max_length=MAX_SEARCH_CHARS)]
LIMIT: Final = TypeAdapter[int](Limit)
CURSOR: Final = TypeAdapter[str](Cursor)
SEARCH: Final = TypeAdapter[str](Search)
FLAG: Final = TypeAdapter(bool)
TAG: Final = TypeAdapter[str](Annotated[NotBlank, Bounds(max_length=50)])
VIEW: Final = TypeAdapter(UUID)
_NUMBER: Final = TypeAdapter[Decimal](
    Annotated[Decimal, Bounds(allow_inf_nan=False, max_digits=40, decimal_places=20)]
)


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on one field."""

    field: Field
    op: Op
    value: Any


@dataclass(frozen=True, slots=True)
class CustomFilter:
    """A condition on a custom value, before it is known what the key stands for."""

    parameter: str
    key: str
    op: Op
    text: str


@dataclass(frozen=True, slots=True)
class Sort:
    """One column of an order."""

    field: Field
    descending: bool


@dataclass(frozen=True, slots=True)
class CustomSort:
    """The same for a custom value."""

    key: str
    descending: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which records of an entity, in which order, and how much of them."""

    filters: tuple[Filter | CustomFilter, ...] = ()
    words: tuple[str, ...] = ()
    tag: str | None = None
    sort: tuple[Sort | CustomSort, ...] = ()
    fields: frozenset[str] | None = None
    include: tuple[str, ...] = ()
    limit: int = DEFAULT_PAGE_SIZE
    cursor: str | None = None
    total: bool = False
    include_deleted: bool = False
    scope: str = ""
    """What a cursor is bound to besides entity and agency: filters and order, as they were sent."""


class Refused(ValueError):
    """What is wrong with the value of a parameter."""


def parse(entity: Entity, parameters: Iterable[tuple[str, str]]) -> Query:
    """Read the parameters of a list. Raises `UnknownParameter`, `InvalidRequest` for what is not one.

    Conditions on custom values are left to `resolve`, which has to ask what they are.
    """
    sent = list(parameters)
    _refuse_doubled(sent)
    known = [(name, text, _reader(entity, name)) for name, text in sent]
    unknown = sorted(name for name, _, reader in known if reader is None)
    if unknown:
        raise _unknown("This list", unknown, parameter_names(entity))
    query = Query(scope=_scope(sent))
    faults: list[dict[str, str]] = []
    for name, text, reader in known:
        try:
            query = reader(query, text) if reader else query
        except (Refused, ValidationError) as error:
            faults.append(_fault(name, error))
    if len(query.filters) > MAX_FILTERS:
        faults.append({"pointer": "", "detail": f"more than {MAX_FILTERS} filters"})
    if faults:
        raise InvalidRequest(errors=faults[:_MAX_NAMED])
    return query if query.sort else _with_sort(entity, query, entity.default_sort)


def view_of(
    entity: Entity, parameters: Sequence[tuple[str, str]]
) -> tuple[UUID | None, list[tuple[str, str]]]:
    """The saved view that a list was asked for, and the other parameters. Raises `InvalidRequest`."""
    named = [text for name, text in parameters if name == "view"] if entity.viewed else []
    if not named:
        return None, list(parameters)
    _refuse_doubled(parameters)
    try:
        view_id = VIEW.validate_python(named[0])
    except ValidationError as error:
        raise InvalidRequest(errors=[_fault("view", error)]) from None
    return view_id, [pair for pair in parameters if pair[0] != "view"]


def parse_shown(entity: Entity, parameters: Iterable[tuple[str, str]]) -> Query:
    """Read what of one record is wanted. Raises `UnknownParameter`, `InvalidRequest`."""
    sent = list(parameters)
    known = ("fields", "include") if entity.includes else ("fields",)
    unknown = sorted({name for name, _ in sent} - set(known))
    if unknown:
        raise _unknown("This route", unknown, known)
    return parse(entity, sent)


def _scope(sent: Sequence[tuple[str, str]]) -> str:
    return json.dumps(sorted(pair for pair in sent if pair[0] not in _PAGING))


def _refuse_doubled(sent: Sequence[tuple[str, str]]) -> None:
    doubled = [name for name, times in Counter(name for name, _ in sent).items() if times > 1]
    if doubled:
        raise InvalidRequest(
            "A query parameter was sent more than once.",
            errors=[
                {"pointer": name[:_MAX_NAME_CHARS], "detail": "may be sent once"}
                for name in doubled[:_MAX_NAMED]
            ],
        )


def parameter_names(entity: Entity) -> list[str]:
    """Every parameter of the entity's list."""
    plain = ["limit", "cursor", "total", "sort", "fields"]
    plain += ["include"] if entity.includes else []
    plain += ["q"] if entity.search else []
    plain += ["include_deleted"] if entity.deletes else []
    plain += ["tag"] if entity.tagged_by else []
    plain += ["view"] if entity.viewed else []
    plain += ["custom.<key>"] if entity.has_custom else []
    return sorted(
        plain + [parameter(field, op) for field in entity.fields.values() for op in field.operators]
    )


def parameter(field: Field, op: Op) -> str:
    """What a filter is called in the URL."""
    return field.name if op is Op.EQ else f"{field.name}.{op}"


def _unknown(what: str, names: Sequence[str], known: Sequence[str]) -> UnknownParameter:
    listed = ", ".join(f"`{name}`" for name in known)
    return UnknownParameter(
        f"{what} has no such query parameter. It takes: {listed}.",
        errors=[
            {"pointer": name[:_MAX_NAME_CHARS], "detail": "is not a parameter of this route"}
            for name in names[:_MAX_NAMED]
        ],
    )


def _fault(name: str, error: Refused | ValidationError) -> dict[str, str]:
    detail = str(error)
    if isinstance(error, ValidationError):
        [first, *_] = error.errors(include_url=False, include_context=False)
        detail = first["msg"]
    return {"pointer": name[:_MAX_NAME_CHARS], "detail": detail[:200]}


_Reader = Callable[[Query, str], Query]


def _reader(  # noqa: PLR0911 one for each parameter
    entity: Entity, name: str
) -> _Reader | None:
    """What reads the value of a parameter; None for an unknown one."""
    match name:
        case "limit":
            return lambda query, text: replace(query, limit=LIMIT.validate_python(text))
        case "cursor":
            return lambda query, text: replace(query, cursor=CURSOR.validate_python(text))
        case "total":
            return lambda query, text: replace(query, total=FLAG.validate_python(text))
        case "include_deleted" if entity.deletes:
            return lambda query, text: replace(query, include_deleted=FLAG.validate_python(text))
        case "sort":
            return lambda query, text: _with_sort(entity, query, text)
        case "fields":
            return lambda query, text: replace(query, fields=_fields(entity, text))
        case "include" if entity.includes:
            return lambda query, text: replace(query, include=_include(entity, text))
        case "tag" if entity.tagged_by:
            return lambda query, text: replace(query, tag=TAG.validate_python(text))
        case "q" if entity.search:
            return lambda query, text: replace(query, words=_words(text))
        case _:
            return _filter_reader(entity, name)


def _operator(name: str) -> tuple[str, Op]:
    """A parameter's name without its operator, and the operator."""
    base, dot, last = name.rpartition(".")
    op = _SUFFIXES.get(last) if dot else None
    return (name, Op.EQ) if op is None else (base, op)


def _filter_reader(entity: Entity, name: str) -> _Reader | None:
    base, op = _operator(name)
    field = entity.fields.get(base)
    if field is not None and op in field.operators:
        return lambda query, text: replace(
            query, filters=(*query.filters, Filter(field, op, value_of(field, op, text)))
        )
    prefix, _, key = base.partition(".")
    if not entity.has_custom or prefix != "custom" or not key:
        return None
    return lambda query, text: replace(
        query, filters=(*query.filters, CustomFilter(name, _key(key), op, text))
    )


def _key(key: str) -> str:
    if len(key) > MAX_CUSTOM_KEY_CHARS:
        raise Refused(f"has a key of more than {MAX_CUSTOM_KEY_CHARS} characters")
    return _storable(key)


def _storable(text: str) -> str:
    try:
        return storable(text)
    except PydanticCustomError as error:
        raise Refused(error.message()) from None


def value_of(field: Field, op: Op, text: str) -> Any:
    """What the field is compared with. Raises `ValueError` for what the field never holds."""
    if op is Op.IS_NULL:
        return FLAG.validate_python(text)
    if not field.typed and op in ORDERINGS:
        return _number_or_text(text)
    if op not in (Op.IN, Op.NOT_IN):
        return adapter(field).validate_python(text)
    try:
        texts = split(text, field.kind)
    except ValueError as error:
        raise Refused(str(error)) from None
    if not texts:
        raise Refused("names no value")
    if len(texts) > MAX_LISTED:
        raise Refused(f"names more than {MAX_LISTED} values")
    return [adapter(field).validate_python(one) for one in texts]


def _number_or_text(text: str) -> Decimal | str:
    try:
        return _NUMBER.validate_python(text)
    except ValidationError:
        return _storable(text)


def _names(text: str, known: Iterable[str], what: str) -> list[str]:
    names = text.split(",")
    allowed = set(known)
    for name in names:
        if name not in allowed:
            listed = ", ".join(sorted(allowed))
            raise Refused(
                f"names {name[:_MAX_NAME_CHARS]!r}, which is no {what}; there are {listed}"
            )
    if len(set(names)) < len(names):
        raise Refused("names one twice")
    return names


def _fields(entity: Entity, text: str) -> frozenset[str]:
    return frozenset(_names(text, entity.fields, "field"))


def _include(entity: Entity, text: str) -> tuple[str, ...]:
    return tuple(_names(text, entity.includes, "related record"))


def _words(text: str) -> tuple[str, ...]:
    words = SEARCH.validate_python(text).split()
    if len(words) > MAX_WORDS:
        raise Refused(f"has more than {MAX_WORDS} words")
    if any(len(word) > MAX_WORD_CHARS for word in words):
        raise Refused(f"has a word of more than {MAX_WORD_CHARS} characters")
    return tuple(words)


def _with_sort(entity: Entity, query: Query, text: str) -> Query:
    names = text.split(",")
    if len(names) > MAX_SORTS:
        raise Refused(f"names more than {MAX_SORTS} fields")
    bare = [name.removeprefix("-") for name in names]
    if len(set(bare)) < len(bare):
        raise Refused("names a field twice")
    return replace(query, sort=tuple(_sort(entity, name) for name in names))


def _sort(entity: Entity, text: str) -> Sort | CustomSort:
    name, descending = text.removeprefix("-"), text.startswith("-")
    prefix, _, key = name.partition(".")
    if entity.has_custom and prefix == "custom" and key:
        return CustomSort(_key(key), descending)
    field = entity.fields.get(name)
    if field is None or not field.sortable:
        known = ", ".join(f.name for f in entity.fields.values() if f.sortable)
        raise Refused(f"cannot sort by {name[:_MAX_NAME_CHARS]!r}; it can by {known}")
    return Sort(field, descending)


def custom_keys(query: Query) -> frozenset[str]:
    """The keys of `custom` that the query is about."""
    asked = (*query.filters, *query.sort)
    return frozenset(one.key for one in asked if isinstance(one, (CustomFilter, CustomSort)))


def resolve(query: Query, fields: Callable[[str], Field | None]) -> Query:
    """The query with every custom key replaced by its field. Raises `InvalidRequest`."""
    faults: list[dict[str, str]] = []
    filters: list[Filter | CustomFilter] = []
    sort: list[Sort | CustomSort] = []
    for one in query.filters:
        try:
            filters.append(_resolved_filter(one, fields))
        except (Refused, ValidationError) as error:
            faults.append(_fault(one.parameter if isinstance(one, CustomFilter) else "", error))
    for column in query.sort:
        try:
            sort.append(_resolved_sort(column, fields))
        except Refused as error:
            faults.append(_fault("sort", error))
    if faults:
        raise InvalidRequest(errors=faults)
    return replace(query, filters=tuple(filters), sort=tuple(sort))


def _custom_field(key: str, fields: Callable[[str], Field | None]) -> Field:
    field = fields(key)
    if field is None:
        raise Refused(f"names no custom field: {key[:_MAX_NAME_CHARS]!r}")
    return field


def _resolved_filter(one: Filter | CustomFilter, fields: Callable[[str], Field | None]) -> Filter:
    if isinstance(one, Filter):
        return one
    field = _custom_field(one.key, fields)
    if one.op not in field.operators and (field.typed or one.op not in ORDERINGS):
        raise Refused(f"cannot be compared by {one.op}")
    return Filter(field, one.op, value_of(field, one.op, one.text))


def _resolved_sort(one: Sort | CustomSort, fields: Callable[[str], Field | None]) -> Sort:
    if isinstance(one, Sort):
        return one
    field = _custom_field(one.key, fields)
    if not field.sortable:
        raise Refused(f"cannot sort by {field.name!r}, of which no field is defined")
    return Sort(field, one.descending)
