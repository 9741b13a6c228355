"""The multipart form of an import, read after the sender is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from fastapi import Request
from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.requests import ClientDisconnect

from gardenos.core.errors import GardenOSError, InvalidContent, InvalidRequest, UnsupportedMedia
from gardenos.crm.transfer import encoding
from gardenos.crm.transfer.models import ImportOptions, Mapping, MatchBy, OnDuplicate
from gardenos.crm.transfer.service import Upload

_MAX_FIELD_BYTES: Final = 256 * 1024
_FIELDS: Final = frozenset(
    {"file", "mapping", "score", "encoding", "match_by", "on_duplicate", "dry_run", "again"}
)


def _flag(description: str) -> dict[str, Any]:
    values = ["true", "false"]
    return {"type": "string", "enum": values, "default": "false", "description": description}


OPENAPI: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "additionalProperties": False,
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": (
                                "CSV with a header row, in any usual encoding and delimiter; an Excel "
                                "workbook (xlsx), of which the first sheet is read; or JSON Lines. CSV "
                                "and JSON Lines may be packed with gzip."
                            ),
                        },
                        "mapping": {
                            "type": "string",
                            "contentMediaType": "application/json",
                            "description": (
                                "Which columns become what, as docs/imports.md has it. Without it "
                                "headers are matched by name and the other columns become custom "
                                "text."
                            ),
                        },
                        "score": _flag("Have every lead that is made analysed."),
                        "match_by": {
                            "type": "string",
                            "enum": [*MatchBy],
                            "default": MatchBy.EITHER,
                            "description": (
                                "By what a row is a lead already. `either`: by its external_id, and a "
                                "row without one by its e-mail address."
                            ),
                        },
                        "on_duplicate": {
                            "type": "string",
                            "enum": [*OnDuplicate],
                            "default": OnDuplicate.SKIP,
                            "description": (
                                "What becomes of such a row: it is left out, it changes the lead, or "
                                "it becomes another one."
                            ),
                        },
                        "dry_run": _flag(
                            "Keep the rows, try the first thousand, and wait to be started."
                        ),
                        "again": _flag("Import a file that was imported before."),
                        "encoding": {
                            "type": "string",
                            "enum": sorted(encoding.NAMED),
                            "description": "What the file is in, if it is not to be guessed.",
                        },
                    },
                },
                "encoding": {"file": {"contentType": "text/csv"}},
                "example": {
                    "file": "First Name,E-mail\nAda,ada@example.com\n",
                    "score": "true",
                },
            }
        },
    }
}
"""What FastAPI cannot derive, because the form is read by hand."""


async def read_form(request: Request) -> FormData:
    """The form, its file spooled to disk beyond a megabyte. Close it when done.

    Raises `UnsupportedMedia`, `InvalidRequest`, `InvalidContent`.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise UnsupportedMedia("Send the file as multipart/form-data, in the field `file`.")
    try:
        return await request.form(max_files=1, max_fields=16, max_part_size=_MAX_FIELD_BYTES)
    except ClientDisconnect:
        raise InvalidRequest("The upload broke off.") from None
    except UnicodeError:  # a `charset` such as `undefined` or `idna`, which takes its own view
        raise InvalidRequest("The form's fields cannot be read in its `charset`.") from None


def _fault(field: str, detail: str) -> GardenOSError:
    return InvalidContent(errors=[{"pointer": f"/{field}", "detail": detail}])


def _text(form: FormData, field: str) -> str | None:
    value = form.get(field)
    if isinstance(value, UploadFile):
        raise _fault(field, "is a file; send text")
    return value


def _filename(name: str | None) -> str | None:
    last = (name or "").replace("\\", "/").rpartition("/")[2]
    clean = last.encode("utf-8", "replace").decode().replace("\x00", "").strip()
    return clean[:255] or None


def to_upload(form: FormData) -> Upload:
    """The form's fields, checked. Raises `InvalidContent`."""
    for name in form:
        if name not in _FIELDS:
            raise _fault(
                name[:100], f"is no field of this form; it has {', '.join(sorted(_FIELDS))}"
            )
        if len(form.getlist(name)) > 1:
            raise _fault(name, "may be sent once")
    file = form.get("file")
    if not isinstance(file, UploadFile):
        raise _fault("file", "is missing; send a file")
    named = _text(form, "encoding")
    options = ImportOptions(
        mapping=_mapping(_text(form, "mapping")),
        match_by=MatchBy(_one_of(form, "match_by", [*MatchBy], MatchBy.EITHER)),
        on_duplicate=OnDuplicate(_one_of(form, "on_duplicate", [*OnDuplicate], OnDuplicate.SKIP)),
        score=_is_true(form, "score"),
    )
    return Upload(
        file=file.file,
        filename=_filename(file.filename),
        options=options,
        encoding=encoding.named(named) if named else None,
        dry_run=_is_true(form, "dry_run"),
        again=_is_true(form, "again"),
    )


def _one_of(form: FormData, field: str, values: Sequence[str], usual: str) -> str:
    said = (_text(form, field) or usual).strip().lower()
    if said not in values:
        raise _fault(field, f"is none of {', '.join(f'`{value}`' for value in values)}")
    return said


def _is_true(form: FormData, field: str) -> bool:
    said = (_text(form, field) or "false").strip().lower()
    if said not in ("true", "false"):
        raise _fault(field, "is `true` or `false`")
    return said == "true"


def _mapping(text: str | None) -> Mapping | None:
    if text is None or not text.strip():
        return None
    try:
        return Mapping.model_validate_json(text)
    except ValidationError as error:
        errors = [
            {"pointer": "/".join(["/mapping", *map(str, f["loc"])])[:200], "detail": f["msg"][:200]}
            for f in error.errors()[:100]
        ]
        raise InvalidContent("The mapping cannot be read.", errors=errors) from None
