"""Where files are kept, as a setting names it: a folder of this machine, or an S3 bucket."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit


def folder_of(place: str) -> Path | None:
    """The folder that a path or a file:// address names; None for the address of an S3 bucket.

    Raises `ValueError` with a sentence for people where it is neither.
    """
    parts = urlsplit(place)
    match parts.scheme:
        case "":
            return Path(place).expanduser().absolute()
        case "s3":
            if not parts.netloc:
                raise ValueError(f"{place!r} names no bucket. Write s3://bucket/prefix.")
            return None
        case "file":
            path = unquote(parts.path)
            if parts.netloc not in ("", "localhost") or path[:1] != "/":
                raise ValueError(
                    f"{place!r} names no folder of this machine. Write file:///some/folder."
                )
            if parts.query or parts.fragment or "\x00" in path:
                raise ValueError(
                    f"{place!r} has characters that an address cannot hold. Write %23 for #, %3F for ?."
                )
            return Path(path)
        case scheme:
            raise ValueError(
                f"{place!r} begins with {scheme}:, where no files can be kept. Give a folder, "
                "file:///some/folder or s3://bucket/prefix; a folder with a colon in its name as ./a:b."
            )
