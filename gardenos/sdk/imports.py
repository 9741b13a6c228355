"""`client.imports`."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from gardenos.sdk.bound import D, Namespace, endpoint
from gardenos.sdk.call import Call, Step, model, post, segment
from gardenos.sdk.results import Import

_PATIENCE_S = 270.0
"""A large file is stored before it is answered."""


class Imports(Namespace[D]):
    """CSV files taken into the agency's leads."""

    @endpoint
    def create(
        self,
        path: str | os.PathLike[str],
        mapping: Mapping[str, Any] | None = None,
        *,
        score: bool = False,
        encoding: str | None = None,
        idempotency_key: str | None = None,
    ) -> Generator[Step, Any, Import]:
        """Import a CSV file; `score=True` has every imported lead analysed.

        `mapping` says which columns become which fields (docs/sdk.md); without one the headers
        are matched by name. `encoding` is guessed unless given. The file is streamed, never held
        in memory.
        """
        fields: dict[str, str] = {"score": "true"} if score else {}
        if encoding is not None:
            fields["encoding"] = encoding
        if mapping is not None:
            fields["mapping"] = json.dumps(mapping)
        file_name = Path(path).name
        with Path(path).open("rb") as file:
            return (
                yield from post(
                    "/v1/imports",
                    model(Import),
                    data=fields,
                    files={"file": (file_name, file, "text/csv")},
                    patience_s=_PATIENCE_S,
                    idempotency_key=idempotency_key,
                )
            )

    @endpoint
    def get(self, import_id: UUID | str) -> Call[Import]:
        """Read what became of an import. Raises `NotFound`."""
        return Call("GET", f"/v1/imports/{segment(import_id)}", model(Import))
