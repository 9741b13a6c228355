"""`client.exports`: lists as files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypedDict, Unpack

from gardenos.sdk.bound import D, Namespace, endpoint
from gardenos.sdk.call import Call, given, raw
from gardenos.sdk.records import Where, conditions, names

_PATH = "/v1/exports"
_PATIENCE_S = 1800.0
"""A workbook of a million rows is only sent when it is whole."""


class ExportOptions(TypedDict, total=False):
    """What to make of a list, and of how much of it; `where` has filters, `tag` and `view`."""

    format: Literal["csv", "jsonl", "xlsx"]
    gzip: bool
    q: str
    sort: str | Sequence[str]
    fields: Sequence[str]
    include_deleted: bool


def export(noun: str, where: Where | None, said: ExportOptions) -> Call[bytes]:
    """The request for a file of a kind of records."""
    params = given(
        format=said.get("format"),
        gzip="true" if said.get("gzip") else None,
        q=said.get("q"),
        sort=names(said.get("sort")),
        fields=names(said.get("fields")),
        include_deleted=said.get("include_deleted") or None,
    )
    path = f"{_PATH}/{noun}"
    return Call("GET", path, raw, params=params | conditions(where), patience_s=_PATIENCE_S)


class Exports(Namespace[D]):
    """All that a list would page through, as the bytes of a file: CSV unless another is asked for."""

    @endpoint
    def leads(self, where: Where | None = None, **said: Unpack[ExportOptions]) -> Call[bytes]:
        """Leads."""
        return export("leads", where, said)

    @endpoint
    def contacts(self, where: Where | None = None, **said: Unpack[ExportOptions]) -> Call[bytes]:
        """Contacts."""
        return export("contacts", where, said)

    @endpoint
    def companies(self, where: Where | None = None, **said: Unpack[ExportOptions]) -> Call[bytes]:
        """Companies."""
        return export("companies", where, said)

    @endpoint
    def deals(self, where: Where | None = None, **said: Unpack[ExportOptions]) -> Call[bytes]:
        """Deals."""
        return export("deals", where, said)

    @endpoint
    def tasks(self, where: Where | None = None, **said: Unpack[ExportOptions]) -> Call[bytes]:
        """Tasks of people."""
        return export("tasks", where, said)

    @endpoint
    def activities(self, where: Where | None = None, **said: Unpack[ExportOptions]) -> Call[bytes]:
        """Activities."""
        return export("activities", where, said)
