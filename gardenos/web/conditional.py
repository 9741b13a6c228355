"""ETags and preconditions: a record's version is its tag, and a change names the one it saw."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Header, Response

from gardenos.core.errors import InvalidRequest

_TAGS = r'\s*(?:W/)?"[^"]*"\s*(?:,\s*(?:W/)?"[^"]*"\s*)*'
_LIST = re.compile(_TAGS)
# A proxy that compresses answers marks the tag weak; the version in it is as exact as before.
_VERSION = re.compile(r'(?:W/)?"([^"]*)"')
_LARGEST = 2**63 - 1
# For readers of the document: a framework would refuse in words that say nothing of ETags.
_DOCUMENTED: dict[str, Any] = {"pattern": rf"^(?:\s*\*\s*|{_TAGS})$"}

IfMatch = Annotated[
    str,
    Header(
        alias="If-Match",
        description="The ETag of the record as you read it, or `*`.",
        json_schema_extra=_DOCUMENTED,
    ),
]
"""Where it is absent, `web.problems` answers `PreconditionRequired`."""
OptionalIfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        description="The ETag of the record as you read it; without it any version will do.",
        json_schema_extra=_DOCUMENTED,
    ),
]
IfNoneMatch = Annotated[
    str | None,
    Header(
        alias="If-None-Match",
        description="ETags you hold; the answer is 304 if one is current.",
        json_schema_extra=_DOCUMENTED,
    ),
]


def etag(version: int) -> str:
    """The ETag of a record at `version`."""
    return f'"{version}"'


def versions(header: str, *, name: str = "If-Match") -> Sequence[int] | None:
    """The versions a precondition names, None for `*` (any). Raises `InvalidRequest`.

    A tag that is none of ours names no version: it matches nothing.
    """
    if header.strip() == "*":
        return None
    if not _LIST.fullmatch(header):
        raise InvalidRequest(
            'A precondition is a list of quoted ETags, such as "3", or *.',
            errors=[{"pointer": name, "detail": "cannot be read as ETags"}],
        )
    found = [int(tag) for tag in _VERSION.findall(header) if tag.isascii() and tag.isdigit()]
    return [version for version in found if version <= _LARGEST]


def optional_versions(if_match: str | None) -> Sequence[int] | None:
    """The versions of an optional If-Match; None where any will do."""
    return None if if_match is None else versions(if_match)


def not_modified(if_none_match: str | None, version: int) -> Response | None:
    """The 304 answer where the reader already holds this version, else None."""
    if if_none_match is None:
        return None
    wanted = versions(if_none_match, name="If-None-Match")
    if wanted is None or version in wanted:
        return Response(status_code=304, headers={"ETag": etag(version)})
    return None
