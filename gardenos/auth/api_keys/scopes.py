"""What a key may do: `read` or `write` everything its role may, or the same of one kind of record."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final

from gardenos.core.errors import Forbidden

KINDS: Final = (
    "activities",
    "agency",
    "ai",
    "attachments",
    "audit",
    "bulk",
    "companies",
    "contacts",
    "custom_fields",
    "dashboard",
    "deals",
    "duplicates",
    "events",
    "field_masks",
    "files",
    "imports",
    "invitations",
    "jobs",
    "join",
    "leads",
    "members",
    "merges",
    "memberships",
    "permissions",
    "pipelines",
    "privacy",
    "search",
    "tags",
    "tasks",
    "teams",
    "views",
    "webhooks",
)
"""What a scope can be about: the noun of a path under `/v1`, or the first part of another path."""
SCOPES: Final = (
    "read",
    "write",
    *(f"{kind}:{verb}" for kind in KINDS for verb in ("read", "write")),
)
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def needed(method: str, path: str) -> tuple[str, str]:
    """The kind and the verb that a request asks for: `("leads", "write")` for POST /v1/leads."""
    first, _, rest = path.lstrip("/").partition("/")
    kind, _, of_it = rest.partition("/") if first == "v1" else (first, "", "")
    if kind == "exports":
        # A list is a list, whatever it is written to.
        kind = of_it.partition("/")[0] or kind
    return kind.replace("-", "_"), "read" if method in _READING else "write"


def allows(scopes: AbstractSet[str], kind: str, verb: str) -> bool:
    """Whether one of these scopes suffices; writing includes reading."""
    if "write" in scopes or f"{kind}:write" in scopes:
        return True
    return verb == "read" and ("read" in scopes or f"{kind}:read" in scopes)


def refuse_outside(scopes: AbstractSet[str], method: str, path: str) -> None:
    """Raise `Forbidden` where a request is outside the scopes of its key."""
    kind, verb = needed(method, path)
    # What happens to records is told by `/events` only as far as their own scopes reach.
    if kind == "events" or allows(scopes, kind, verb):
        return
    held = ", ".join(sorted(scopes))
    raise Forbidden(
        f"This needs an API key with the scope {verb} or {kind}:{verb}; yours has {held}. "
        "Make another key, or sign in as a person."
    )
