"""An export's archive comes in pieces and is a sound ZIP file."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import UTC, datetime

from gardenos.crm.privacy.archive import Archive


def test_a_large_file_comes_in_small_pieces() -> None:
    archive = Archive(datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC))
    # Random enough not to vanish in compression.
    records = [{"number": n, "text": f"{n * 2654435761 % 2**64:x}" * 8} for n in range(20_000)]
    pieces = [*archive.add("many.json", iter(records)), *archive.add("none.json", [])]
    pieces.append(archive.end())
    assert len(pieces) > 5
    assert max(len(piece) for piece in pieces) < 256 * 1024
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as read:
        assert read.testzip() is None
        assert json.loads(read.read("many.json")) == records
        assert json.loads(read.read("none.json")) == []
        assert read.getinfo("many.json").date_time == (2026, 1, 2, 3, 4, 6)
