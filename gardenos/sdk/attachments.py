"""`client.attachments`: files that belong to records."""

from __future__ import annotations

import hashlib
import mimetypes
import os
from collections.abc import Generator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Required, TypedDict, Unpack
from uuid import UUID

from gardenos.sdk.base import Result
from gardenos.sdk.bound import D, endpoint
from gardenos.sdk.call import Call, Step, model, nothing, post, raw
from gardenos.sdk.records import SENT, ChangingRecords, Record, Ref, Version, plain

_PATIENCE_S = 270.0
"""A large file takes its time."""


class Attachment(Record):
    """A file and the record that it belongs to."""

    lead_id: UUID | None = SENT
    contact_id: UUID | None = SENT
    company_id: UUID | None = SENT
    deal_id: UUID | None = SENT
    activity_id: UUID | None = SENT
    name: str = SENT
    media_type: str = SENT
    bytes: int = SENT
    sha256: str | None = SENT
    state: Literal["pending", "stored"] = SENT
    version: int = SENT
    created_by: UUID | None = SENT
    created_at: datetime = SENT
    updated_at: datetime = SENT
    deleted_at: datetime | None = SENT


class Upload(Result):
    """Where the bytes go, for a while."""

    method: Literal["PUT"] = "PUT"
    url: str
    expires_at: datetime


class Announced(Attachment):
    """A new attachment, and where to send its bytes."""

    upload: Upload = SENT


class Download(Result):
    """Where the bytes are, for a while; the address needs no token."""

    url: str
    expires_at: datetime


class Whose(TypedDict, total=False):
    """The one record that a file belongs to."""

    lead_id: UUID | str | None
    contact_id: UUID | str | None
    company_id: UUID | str | None
    deal_id: UUID | str | None
    activity_id: UUID | str | None


class NewAttachment(Whose, total=False):
    """A file to upload: how many bytes, and what they have to come to."""

    name: Required[str]
    media_type: Required[str]
    bytes: Required[int]
    sha256: str | None


class AttachmentChanges(TypedDict, total=False):
    """What may be changed."""

    name: str


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Attachments(ChangingRecords[D, Attachment]):
    """The files of the agency's records."""

    path = "/v1/attachments"
    kind = Attachment

    @endpoint
    def store(
        self,
        path: str | os.PathLike[str],
        *,
        name: str | None = None,
        media_type: str | None = None,
        **whose: Unpack[Whose],
    ) -> Generator[Step, Any, Attachment]:
        """Upload a file to the record it belongs to, and have it checked.

        It is streamed, never held in memory.
        """
        file = Path(path)
        guessed = media_type or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        announced = yield from self._announce(
            {
                **whose,
                "name": name or file.name,
                "media_type": guessed,
                "bytes": file.stat().st_size,
                "sha256": _sha256(file),
            },
            None,
        )
        yield from self._send(announced.upload, path)
        return (yield from self._confirm(announced))

    @endpoint
    def fetch(self, attachment: Ref[Attachment]) -> Generator[Step, Any, bytes]:
        """The bytes of an attachment, in memory; for a large one, take `download` and its `url`."""
        return (yield from self._read((yield from self._download(attachment))))

    @endpoint
    def create(
        self, *, idempotency_key: str | None = None, **fields: Unpack[NewAttachment]
    ) -> Call[Announced]:
        """Announce a file; `send` its bytes to the answer's `upload`, and `confirm` it."""
        return self._announce(dict(fields), idempotency_key)

    @endpoint
    def change(
        self,
        attachment: Ref[Attachment],
        *,
        version: Version | None = None,
        **changes: Unpack[AttachmentChanges],
    ) -> Call[Attachment]:
        """Rename an attachment as it was read."""
        return self._change(attachment, changes, version)

    @endpoint
    def renew(self, attachment: Ref[Attachment]) -> Call[Upload]:
        """Another address for bytes that are still to come."""
        return Call("POST", self._of(attachment, "/upload"), model(Upload))

    @endpoint
    def send(self, upload: Upload, path: str | os.PathLike[str]) -> Call[None]:
        """Send a file's bytes to where they go."""
        return self._send(upload, path)

    @endpoint
    def confirm(self, attachment: Ref[Attachment]) -> Call[Attachment]:
        """Say that all bytes are sent. Raises `Conflict` where they are not what was announced."""
        return self._confirm(attachment)

    @endpoint
    def download(self, attachment: Ref[Attachment]) -> Call[Download]:
        """An address where the bytes are, for whoever has it, for a while."""
        return self._download(attachment)

    @endpoint
    def read(self, download: Download) -> Call[bytes]:
        """The bytes at an address, in memory."""
        return self._read(download)

    def _announce(self, fields: dict[str, Any], key: str | None) -> Call[Announced]:
        return post(self.path, model(Announced), json=plain(fields), idempotency_key=key)

    def _send(self, upload: Upload, path: str | os.PathLike[str]) -> Call[None]:
        file = Path(path)
        return Call(
            upload.method,
            upload.url,
            nothing,
            file=file,
            headers={
                "Content-Type": "application/octet-stream",
                "Content-Length": str(file.stat().st_size),
            },
            anonymous=True,
            patience_s=_PATIENCE_S,
        )

    def _confirm(self, attachment: Ref[Attachment]) -> Call[Attachment]:
        return Call("POST", self._of(attachment, "/confirm"), model(Attachment))

    def _download(self, attachment: Ref[Attachment]) -> Call[Download]:
        return Call("GET", self._of(attachment, "/download"), model(Download))

    def _read(self, download: Download) -> Call[bytes]:
        return Call("GET", download.url, raw, anonymous=True, patience_s=_PATIENCE_S)
