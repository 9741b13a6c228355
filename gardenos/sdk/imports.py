"""`client.imports`."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypedDict, Unpack
from uuid import UUID

from gardenos.sdk import events
from gardenos.sdk.base import Page
from gardenos.sdk.bound import D, Namespace, endpoint, following, listing
from gardenos.sdk.call import Call, Pause, Step, given, model, nothing, post, raw, segment
from gardenos.sdk.errors import TaskUnfinished
from gardenos.sdk.events import Stream
from gardenos.sdk.results import Import

_PATH = "/v1/imports"
_PATIENCE_S = 570.0
"""A large file is stored before it is answered."""
_PAUSE_S = 0.5
ImportRef: TypeAlias = Import | UUID | str


class ImportOptions(TypedDict, total=False):
    """How a file is to be imported; docs/imports.md says what each means."""

    match_by: Literal["either", "external_id", "email"]
    on_duplicate: Literal["skip", "update", "create"]
    score: bool


class Sending(ImportOptions, total=False):
    """The same, and what is only said with the file."""

    encoding: str
    dry_run: bool
    again: bool


def form(mapping: Mapping[str, Any] | None, said: Sending) -> dict[str, str]:
    """The fields of the form beside the file."""
    fields = {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in said.items()
        if value is not None and value is not False
    }
    return fields if mapping is None else fields | {"mapping": json.dumps(mapping)}


class Imports(Namespace[D]):
    """Files taken into the agency's leads."""

    @endpoint
    def create(
        self,
        path: str | os.PathLike[str],
        mapping: Mapping[str, Any] | None = None,
        *,
        idempotency_key: str | None = None,
        **said: Unpack[Sending],
    ) -> Generator[Step, Any, Import]:
        """Import a file: CSV, an Excel workbook, or JSON Lines, packed with gzip or not.

        `mapping` says which columns become which fields (docs/imports.md); without one the headers
        are matched by name. Up to 10,000 rows are imported when this returns; more are `running`,
        and `wait` waits for them. With `dry_run=True` they wait for `start`. The file is streamed,
        never held in memory. Raises `Conflict` for a file that was imported before, unless
        `again=True`.
        """
        file_name = Path(path).name
        with Path(path).open("rb") as file:
            return (
                yield from post(
                    _PATH,
                    model(Import),
                    data=form(mapping, said),
                    files={"file": (file_name, file, "application/octet-stream")},
                    patience_s=_PATIENCE_S,
                    idempotency_key=idempotency_key,
                )
            )

    @endpoint
    def get(self, an_import: ImportRef) -> Call[Import]:
        """Read how far an import is, and what became of its rows. Raises `NotFound`."""
        return Call("GET", _of(an_import), model(Import))

    @listing
    def list(self, *, page_size: int = 100) -> Call[Page[Import]]:
        """The agency's imports, newest first, one by one."""
        return Call("GET", _PATH, model(Page[Import]), params={"limit": page_size})

    @endpoint
    def change(
        self,
        an_import: ImportRef,
        mapping: Mapping[str, Any] | None = None,
        **said: Unpack[ImportOptions],
    ) -> Call[Import]:
        """Change how a staged file is to be imported; what would become of its first rows.

        Raises `Conflict` once it has begun, `InvalidContent`, `NotFound`.
        """
        body = given(mapping=mapping, **said)
        return Call("PATCH", _of(an_import), model(Import), json=body)

    @endpoint
    def start(self, an_import: ImportRef, *, again: bool = False) -> Call[Import]:
        """Begin a staged import, or go on with one that stopped. Raises `Conflict`, `NotFound`."""
        params = {"again": "true"} if again else {}
        return Call("POST", _of(an_import, "/start"), model(Import), params=params)

    @endpoint
    def revert(self, an_import: ImportRef) -> Call[Import]:
        """Take an import back, but what others have worked on since. Raises `Conflict`, `NotFound`."""
        return Call("POST", _of(an_import, "/revert"), model(Import), patience_s=_PATIENCE_S)

    @endpoint
    def rejected(self, an_import: ImportRef) -> Call[bytes]:
        """The rejected rows as CSV, each with what is wrong: correct it, and import it."""
        return Call("GET", _of(an_import, "/rejected"), raw, patience_s=_PATIENCE_S)

    @endpoint
    def wait(
        self, an_import: ImportRef, *, timeout_s: float = 600.0
    ) -> Generator[Step, Any, Import]:
        """The import once it does nothing more by itself.

        Raises `TaskUnfinished` after `timeout_s`; the import itself goes on.
        """
        give_up_at = self.driver.now() + timeout_s
        while True:
            found = yield from Call("GET", _of(an_import), model(Import))
            if found.rests:
                return found
            if self.driver.now() >= give_up_at:
                raise TaskUnfinished(
                    f"The import {found.id} is still {found.state} after {timeout_s:g} s. "
                    "Wait on with `client.imports.wait`.",
                    task_id=found.task_id or found.id,
                    state=found.state,
                )
            yield Pause(_PAUSE_S)

    @following
    def follow(self, an_import: ImportRef) -> Stream[Import]:
        """The import as it stands, and again whenever its counts change, until it rests."""
        call = Call("GET", _of(an_import, "/events"), nothing)
        return Stream(call, events.model(Import), last="rested")


def _of(an_import: ImportRef, of_it: str = "") -> str:
    found = an_import.id if isinstance(an_import, Import) else an_import
    return f"{_PATH}/{segment(found)}{of_it}"
