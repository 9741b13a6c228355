"""A ZIP file written to whoever takes its pieces, never whole in memory."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from datetime import datetime
from typing import Any

_PIECE = 64 * 1024


class _Sink(io.RawIOBase):
    """What `zipfile` writes to: unseekable, so that it goes on without ever going back."""

    def __init__(self) -> None:
        super().__init__()
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._held += data
        return len(data)

    @property
    def held(self) -> int:
        """How many bytes wait to be taken."""
        return len(self._held)

    def taken(self) -> bytes:
        """What was written since it was last asked."""
        data = bytes(self._held)
        self._held.clear()
        return data


class Archive:
    """Files, one after the other."""

    def __init__(self, made_at: datetime) -> None:
        self._sink = _Sink()
        self._zip = zipfile.ZipFile(self._sink, "w", zipfile.ZIP_DEFLATED)
        self._made_at = made_at.timetuple()[:6]

    def add(self, name: str, records: Iterable[Any]) -> Iterator[bytes]:
        """One file with a JSON array; the pieces that this makes."""
        with self._zip.open(self._entry(name), "w", force_zip64=True) as file:
            before = "[\n"
            for record in records:
                file.write((before + json.dumps(record, ensure_ascii=False)).encode())
                before = ",\n"
                if self._sink.held >= _PIECE:
                    yield self._sink.taken()
            file.write(b"[]\n" if before == "[\n" else b"\n]\n")
        yield self._sink.taken()

    async def add_file(self, name: str, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        """One file as it is, read chunk by chunk; the pieces that this makes.

        Raises what reading the first chunk raises, and then there is no such file in the archive.
        """
        chunk: bytes | None = await anext(chunks)
        with self._zip.open(self._entry(name), "w", force_zip64=True) as file:
            while chunk is not None:
                # Elsewhere: to compress a mebibyte takes some hundredths of a second.
                await asyncio.to_thread(file.write, chunk)
                if self._sink.held >= _PIECE:
                    yield self._sink.taken()
                chunk = await anext(chunks, None)
        yield self._sink.taken()

    def _entry(self, name: str) -> zipfile.ZipInfo:
        entry = zipfile.ZipInfo(name, self._made_at)
        entry.compress_type = zipfile.ZIP_DEFLATED
        return entry

    def end(self) -> bytes:
        """The last piece: what lists the files."""
        self._zip.close()
        return self._sink.taken()
