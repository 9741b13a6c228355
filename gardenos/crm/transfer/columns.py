"""From a header to what each column is, by a mapping or by the names people give columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping as Map
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from gardenos.core.errors import InvalidContent
from gardenos.crm.records.models import MAX_CUSTOM_KEY_CHARS, MAX_CUSTOM_KEYS
from gardenos.crm.transfer.models import ColumnUse, CustomColumn, LeadField, Mapping

Kind: TypeAlias = Literal["text", "number", "boolean", "date", "day-first", "month-first"]
"""What cells become; dates with the order they are read in where numbers leave it open."""
FULL_NAME: Final = "name"
"""A column with the whole name, split into first and last; only found by its header."""

_ALIASES: Final[Map[str, str]] = {
    "external_id": "external id|id|lead id|record id|contact id|prospect id|crm id|uuid",
    "first_name": "first name|firstname|given name|forename|vorname|prenom|prénom|nombre",
    "last_name": "last name|lastname|surname|family name|nachname|nom|apellido|apellidos",
    FULL_NAME: "name|full name|contact name|lead name|contact",
    "email": "email|e mail|email address|e mail address|mail|mail address|work email",
    "phone": "phone|phone number|telephone|tel|mobile|mobile phone|mobile number|cell|telefon",
    "company": "company|company name|organisation|organization|employer|account|account name|firma",
    "job_title": "job title|title|position|role|occupation|jobtitle",
    "website": "website|web site|url|homepage|web|company website|domain",
    "city": "city|town|location city|stadt|ville|ort",
    "country": "country|country region|nation|land|pays",
    "source": "source|lead source|origin|channel|original source",
    "status": "status|lead status|stage|state of lead",
    "notes": "notes|note|comment|comments|remarks|description|message",
}
KNOWN: Final[Map[str, str]] = {
    alias: name for name, aliases in _ALIASES.items() for alias in aliases.split("|")
}
ADDED: Final = ("import row", "import error")
"""Columns of the file of rejected rows, which is to be corrected and imported."""
PLACEHOLDERS: Final = frozenset({"-", "--", "\u2013", "\u2014", "?", "n/a", "#n/a", "(blank)"})
"""What no value looks like where no mapping says it; nobody is called any of these."""
_SEPARATORS: Final = re.compile(r"[\W_]+")


def normalised(header: str) -> str:
    """A header's words in small letters: `E-Mail_Address` is `e mail address`."""
    return _SEPARATORS.sub(" ", header).strip().lower()


def is_known(header: str) -> bool:
    """Whether the header is a name for something leads have."""
    return normalised(header) in KNOWN


@dataclass(frozen=True, slots=True)
class Plan:
    """Where in a row each value is."""

    fields: Map[str, tuple[int, ...]]
    """Lead field, or `FULL_NAME`, to the cells it is made of."""
    custom: Map[str, tuple[int, Kind]]
    headers: Sequence[str]
    empty: frozenset[str] = frozenset()
    lenient_status: bool = False
    """A status that is none of ours becomes a custom value instead of an error."""
    owner: int | None = None
    tags: int | None = None

    def uses(self) -> list[ColumnUse]:
        """What each column was read as, for the sender to check."""
        read_as = {i: name for name, where in self.fields.items() for i in where}
        read_as |= {i: f"custom.{key}" for key, (i, _) in self.custom.items()}
        others = {"owner": self.owner, "tags": self.tags}
        read_as |= {i: name for name, i in others.items() if i is not None}
        return [
            ColumnUse(column=header[:200], read_as=read_as.get(i))
            for i, header in enumerate(self.headers)
            if header or i in read_as
        ]


def plan(headers: Sequence[str], mapping: Mapping | None) -> Plan:
    """How to read rows under these headers. Raises `InvalidContent` where that is not clear."""
    return by_mapping(headers, mapping) if mapping else by_name(headers)


def by_mapping(headers: Sequence[str], mapping: Mapping) -> Plan:
    """The plan a mapping asks for; every column it names must be there, once."""
    places: dict[str, list[int]] = {}
    for i, header in enumerate(headers):
        places.setdefault(header.casefold(), []).append(i)
    faults: list[dict[str, str]] = []

    def place(pointer: str, column: str) -> int:
        found = places.get(column.casefold(), [])
        found = [i for i in found if headers[i] == column] or found
        if len(found) == 1:
            return found[0]
        what = f"is there {len(found)} times; rename one" if found else "is not in the file"
        faults.append(
            {"pointer": f"/mapping/{pointer}", "detail": f"The column {column!r} {what}."}
        )
        return -1

    fields = {
        name: tuple(
            place(f"fields/{name}", column)
            for column in ([columns] if isinstance(columns, str) else columns)
        )
        for name, columns in mapping.fields.items()
    }
    custom: dict[str, tuple[int, Kind]] = {}
    for key, spec in mapping.custom.items():
        wanted = spec if isinstance(spec, CustomColumn) else CustomColumn(column=spec)
        kind: Kind = wanted.order if wanted.type == "date" and wanted.order else wanted.type
        custom[key] = (place(f"custom/{key}", wanted.column), kind)
    owner = place("owner", mapping.owner) if mapping.owner else None
    tags = place("tags", mapping.tags) if mapping.tags else None
    if not fields and not custom:
        faults.append({"pointer": "/mapping", "detail": "names no column"})
    if faults:
        columns = ", ".join(repr(header[:60]) for header in headers[:60])
        raise InvalidContent(
            f"The mapping does not fit the file. Its columns are: {columns}.", errors=faults
        )
    empty = frozenset(text.casefold() for text in mapping.empty)
    return Plan(fields, custom, headers, empty, owner=owner, tags=tags)


def by_name(headers: Sequence[str]) -> Plan:
    """The plan the headers suggest: known names become lead fields, the others custom text."""
    names = [KNOWN.get(normalised(header)) for header in headers]
    if not any(names):
        raise InvalidContent(
            "The first row names no column that a lead has, such as `email` or `first name`. "
            "Add a header row, or send a mapping.",
            errors=[{"pointer": "/file", "detail": "has no header that is known here"}],
        )
    fields: dict[str, tuple[int, ...]] = {}
    others: list[int] = []
    for i, name in enumerate(names):
        if headers[i] in ADDED:
            continue
        if name is None or name in fields:
            others.append(i)
        else:
            fields[name] = (i,)
    if FULL_NAME in fields and ("first_name" in fields or "last_name" in fields):
        others += fields.pop(FULL_NAME)
    others = sorted(i for i in others if headers[i])
    if len(others) >= MAX_CUSTOM_KEYS:
        raise InvalidContent(
            f"The file has {len(others)} columns beside the known ones; a lead holds "
            f"{MAX_CUSTOM_KEYS - 1} custom values. Send a mapping that names those you need."
        )
    custom: dict[str, tuple[int, Kind]] = {
        key: (i, "text") for key, i in zip(_keys(headers, others), others, strict=True)
    }
    return Plan(fields, custom, headers, PLACEHOLDERS, lenient_status=True)


def _keys(headers: Sequence[str], places: Sequence[int]) -> list[str]:
    keys: list[str] = []
    seen: Counter[str] = Counter()
    for i in places:
        # What an export calls them.
        key = (
            normalised(headers[i].removeprefix("custom.")).replace(" ", "_")[
                : MAX_CUSTOM_KEY_CHARS - 5
            ]
            or f"column_{i}"
        )
        seen[key] += 1
        while seen[key] > 1 and f"{key}_{seen[key]}" in seen:
            seen[key] += 1
        name = key if seen[key] == 1 else f"{key}_{seen[key]}"
        seen[name] = max(seen[name], 1)
        keys.append(name)
    return keys


LEAD_FIELDS: Final[tuple[str, ...]] = get_args(LeadField)
