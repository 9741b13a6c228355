"""Whether everything that was promised was kept: the queue's own invariants, and the clients' ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from gardenos.db.session import Database
from gardenos.orchestrator import verify
from gardenos.testing.postgres import AdminConnection
from tests.chaos.ledger import Accepted

_TERMINAL = ("succeeded", "dead", "cancelled")
_TASKS = "SELECT id, agency_id, agent_type, state FROM agent_tasks WHERE id = ANY ($1::uuid[])"
# Each succeeded task of these types has exactly one effect: a score, or a draft. Of other types the
# task's own end is all there is.
_EFFECTS = """
SELECT t.id, count(e.id) AS effects
  FROM agent_tasks t
  LEFT JOIN (SELECT id, task_id FROM lead_scores UNION ALL SELECT id, task_id FROM follow_ups) e
    ON e.task_id = t.id
 WHERE t.id = ANY ($1::uuid[]) AND t.state = 'succeeded'
   AND t.agent_type IN ('lead_analysis', 'follow_up')
 GROUP BY t.id
HAVING count(e.id) <> 1
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the promises."""

    accepted: int
    states: Mapping[str, int]
    lost: Sequence[str]
    """Tasks that are not there, or without their effect; each with what is wrong."""
    unfinished: Sequence[str]
    doubled: Sequence[str]
    """Tasks with two effects, and keys under which two tasks were accepted."""
    broken: Sequence[str]
    """Invariants of the queue that do not hold."""

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.unfinished or self.doubled or self.broken)

    @property
    def complaints(self) -> Sequence[str]:
        """Everything that is wrong, a line each."""
        return [*self.lost, *self.unfinished, *self.doubled, *self.broken]


async def judge(
    database: Database, admin: AdminConnection, promises: Iterable[Accepted], *, lease_s: float
) -> Verdict:
    """Hold the database against the ledger. Call it once everything has drained.

    `admin` looks past every policy.
    """
    entries = {entry.task_id: entry for entry in promises}
    found = {row["id"]: dict(row) for row in await admin.fetch(_TASKS, list(entries))}
    effects = await admin.fetch(_EFFECTS, list(entries))
    report = await verify.run(database, lease_s=lease_s)
    missing = [f"{each.task_id} was accepted and is not there" for each in _missing(entries, found)]
    without = [f"{row['id']} succeeded without an effect" for row in effects if not row["effects"]]
    twice = [
        f"{row['id']} has its effect {row['effects']} times" for row in effects if row["effects"]
    ]
    open_ = [
        f"{task_id} is still {row['state']}"
        for task_id, row in found.items()
        if row["state"] not in _TERMINAL
    ]
    return Verdict(
        accepted=len(entries),
        states=Counter(row["state"] for row in found.values()),
        lost=[*missing, *without],
        unfinished=open_,
        doubled=[*twice, *_keys_used_twice(entries.values())],
        broken=[] if report.holds else [str(report)],
    )


def _missing(
    entries: Mapping[UUID, Accepted], found: Mapping[UUID, Mapping[str, Any]]
) -> Iterable[Accepted]:
    for task_id, entry in entries.items():
        row = found.get(task_id)
        if row is None or (row["agency_id"], row["agent_type"]) != (
            entry.agency_id,
            entry.agent_type,
        ):
            yield entry


def _keys_used_twice(entries: Iterable[Accepted]) -> Iterable[str]:
    keys = Counter((entry.agency_id, entry.key) for entry in entries)
    return [f"the key {key} gave {count} tasks" for (_, key), count in keys.items() if count > 1]
