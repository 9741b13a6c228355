"""A CRM of 50 agencies, one of which holds half of everything; the same rows each time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from gardenos.core.claims import UserRole
from gardenos.db.sql import Queries
from gardenos.testing.postgres import make_member

if TYPE_CHECKING:
    from gardenos.core.claims import Claims
    from gardenos.testing.postgres import AdminConnection

SIZES: Final[Mapping[str, int]] = {
    "companies": 10_000,
    "leads": 250_000,
    "contacts": 25_000,
    "deals": 25_000,
    "activities": 1_000_000,
    "tasks": 50_000,
}
"""Rows in all, in the order in which they refer to each other."""
AGENCIES: Final = 50
_TEAM: Final = (
    UserRole.OWNER,
    UserRole.ADMIN,
    *(UserRole.MANAGER,) * 2,
    *(UserRole.AGENT,) * 16,
)
_SMALL_TEAM: Final = (UserRole.OWNER, UserRole.MANAGER, UserRole.AGENT)
_QUERIES: Final = Queries(__name__, Path(__file__).with_suffix(".sql").read_text("utf-8"))


async def fill(
    admin: AdminConnection, *, share: float, told: Callable[[str], None]
) -> list[Claims]:
    """Put in `share` of all the rows; the members of the agency that holds half of them."""
    await admin.execute(_QUERIES["start"])
    members = [await _people(admin, place) for place in range(AGENCIES)]
    # Neither the log of changes nor checks of what is known to be right.
    await admin.execute("SET session_replication_role = replica")
    await admin.execute(_QUERIES["places"])
    for noun, count in SIZES.items():
        told(f"{round(count * share):,} {noun}")
        await admin.execute(_QUERIES[noun], round(count * share))
        if f"number_{noun}" in _QUERIES:
            await admin.execute(_QUERIES[f"number_{noun}"])
    await admin.execute("SET session_replication_role = origin")
    told("counts and the words to search by")
    await admin.execute(_QUERIES["finish"])
    told("statistics")
    await admin.execute("VACUUM ANALYZE")
    return members[0]


async def _people(admin: AdminConnection, place: int) -> list[Claims]:
    roles = _SMALL_TEAM if place else _TEAM
    first = await make_member(admin, role=roles[0])
    mates = [await make_member(admin, role=role, agency_id=first.agency_id) for role in roles[1:]]
    everyone = [first, *mates]
    await admin.executemany(
        "INSERT INTO who VALUES ($1, $2, $3, $4, $5)",
        [(place, turn, len(roles), one.agency_id, one.sub) for turn, one in enumerate(everyone)],
    )
    return everyone
