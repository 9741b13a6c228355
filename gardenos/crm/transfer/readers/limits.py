"""How much a small file may turn into."""

from __future__ import annotations

import gzip
import tempfile
import zlib
from dataclasses import dataclass
from typing import IO, BinaryIO, Final, cast

from gardenos.core.errors import InvalidContent

GZIP: Final = b"\x1f\x8b"
ZIP: Final = b"PK\x03\x04"
_BLOCK: Final = 1 << 20
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """What packed files may hold, in bytes; no file people export is packed more than `ratio`-fold."""

    unpacked: int = 4 << 30
    ratio: int = 200
    free: int = 64 << 20
    """Up to here no ratio is asked for."""

    def check(self, packed: int, found: int) -> None:
        """Raise `InvalidContent` where a file of `packed` bytes holds `found` and may not."""
        if found > self.unpacked:
            raise faulty(
                f"The file unpacks to over {self.unpacked // _MIB:,} MiB, the most there is room for. "
                "Send it in parts."
            )
        if found > max(self.free, packed * self.ratio):
            raise faulty(
                f"The file of {packed:,} bytes unpacks to over {self.ratio} times as much, which no "
                "table does. If it is one, send it unpacked."
            )


LIMITS: Final = Limits()


def faulty(detail: str) -> InvalidContent:
    """A file that cannot be read, and why."""
    return InvalidContent(detail, errors=[{"pointer": "/file", "detail": detail}])


def unpacked(file: BinaryIO, limits: Limits) -> BinaryIO:
    """What a gzip file holds, on disk. Raises `InvalidContent`; nothing is left behind then."""
    packed = file.seek(0, 2)
    file.seek(0)
    whole = tempfile.TemporaryFile(prefix="gardenos-import-")  # noqa: SIM115 whoever reads it closes it
    try:
        found = 0
        with gzip.GzipFile(fileobj=cast("IO[bytes]", file)) as source:
            while block := source.read(_BLOCK):
                found += len(block)
                limits.check(packed, found)
                whole.write(block)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        whole.close()
        raise faulty("The file is packed, and broken or cut off. Pack or send it anew.") from None
    except BaseException:
        whole.close()
        raise
    whole.seek(0)
    return cast("BinaryIO", whole)
