"""Two records made one: `merge` of leads, contacts and companies, and `client.merges`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

from gardenos.sdk.base import Result
from gardenos.sdk.bound import D, Namespace, endpoint
from gardenos.sdk.call import Call, model, segment
from gardenos.sdk.records import R, Ref, id_of
from gardenos.sdk.timeline import TimedRecords

_PATH = "/v1/merges"
Side: TypeAlias = Literal["this", "other"]


class Merge(Result):
    """Two records that became one."""

    id: UUID
    entity: Literal["leads", "contacts", "companies"]
    kept_id: UUID
    gone_id: UUID
    merged_by: UUID
    merged_at: datetime
    undone_by: UUID | None
    undone_at: datetime | None


class Merged(Result):
    """What a merge came to, or would."""

    merge: Merge | None
    """None for a dry run."""
    changes: dict[str, Any]
    """Of the record that is kept, by field."""
    moved: dict[str, int]
    """How many rows refer to it from now on, by table and column."""


MergeRef: TypeAlias = Merge | UUID | str


class MergingRecords(TimedRecords[D, R]):
    """Records of which two may be one."""

    @endpoint
    def merge(
        self,
        record: Ref[R],
        other: Ref[R],
        *,
        prefer: Mapping[str, Side] | None = None,
        dry_run: bool = False,
    ) -> Call[Merged]:
        """Make another record part of this one; `client.merges.undo` takes that back.

        `prefer` says by field whose value stands: unless said this one's, and the other's where this
        one's is empty. Raises `Conflict`, `NotFound`.
        """
        body = {"from": id_of(other), "prefer": dict(prefer or {}), "dry_run": dry_run}
        return Call("POST", self._of(record, "/merge"), model(Merged), json=body)


class Merges(Namespace[D]):
    """Records that were made one."""

    @endpoint
    def get(self, merge: MergeRef) -> Call[Merge]:
        """Read a merge. Raises `NotFound`."""
        return Call("GET", _of(merge), model(Merge))

    @endpoint
    def undo(self, merge: MergeRef) -> Call[Merge]:
        """Make two records of one again. Raises `Conflict` where fields were changed since."""
        return Call("POST", _of(merge, "/undo"), model(Merge))


def _of(merge: MergeRef, of_it: str = "") -> str:
    return f"{_PATH}/{segment(merge.id if isinstance(merge, Merge) else merge)}{of_it}"
