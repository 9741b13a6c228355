"""Proves on any database that the queue kept its promises: one check for each invariant.

A check is a named block of SQL: its comment is the invariant, and its rows are what breaks it, at
most five as `example`, with the count of all in `total`. Callers may add checks of the same form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from gardenos.db import sql
from gardenos.db.session import Database, Role, Session

CHECKS = sql.load(__package__ or "gardenos.orchestrator.verify")
OVERDUE_LEASES = 3.0
"""Lease times after which an expired lease must have been noticed."""
_COMMENT = re.compile(r"\A(?:--.*\n)+")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found."""

    name: str
    sentence: str
    """The invariant in words."""
    violations: int
    examples: Sequence[str] = ()
    """The first few, each with its ids."""

    @property
    def holds(self) -> bool:
        """Whether nothing breaks the invariant."""
        return not self.violations


@dataclass(frozen=True, slots=True)
class Report:
    """What all checks found, in their order."""

    findings: Sequence[Finding]

    @property
    def holds(self) -> bool:
        """Whether every invariant holds."""
        return not self.broken

    @property
    def broken(self) -> Sequence[Finding]:
        """The invariants that do not hold."""
        return [finding for finding in self.findings if not finding.holds]

    def __str__(self) -> str:
        """A line for each invariant that does not hold, with its examples; or one that all do."""
        if self.holds:
            return f"All {len(self.findings)} invariants hold."
        return "\n".join(
            f"{broken.name}: {broken.violations} violations. {broken.sentence}"
            + "".join(f"\n  {example}" for example in broken.examples)
            for broken in self.broken
        )


async def run(
    database: Database,
    *,
    lease_s: float = 30.0,
    overdue_leases: float = OVERDUE_LEASES,
    extra: Mapping[str, str] | None = None,
) -> Report:
    """Check every invariant; work may go on meanwhile, for each check sees one moment.

    A lease may have run out for `overdue_leases` times `lease_s`; checks find that as `$1`. `extra`
    are more checks by name, such as a `Queries`. They run as role `gardenos_worker`, too.
    Raises `DatabaseUnavailable`.
    """
    overdue = timedelta(seconds=overdue_leases * lease_s)
    checks = {**CHECKS, **(extra or {})}
    async with database.system(Role.WORKER) as session:
        return Report([await _check(session, name, checks[name], overdue) for name in checks])


async def _check(session: Session, name: str, query: str, overdue: timedelta) -> Finding:
    rows = await session.fetch(query, *([overdue] if "$1" in _COMMENT.sub("", query) else []))
    return Finding(
        name,
        _sentence(query, overdue),
        violations=rows[0]["total"] if rows else 0,
        examples=[row["example"] for row in rows],
    )


def _sentence(query: str, overdue: timedelta) -> str:
    comment = _COMMENT.match(query)
    words = comment.group().replace("--", "").split() if comment else []
    return " ".join(words).replace("$1", f"{overdue.total_seconds():g} s")
