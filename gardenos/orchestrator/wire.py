"""Batches and reports as bytes: Ray pickles objects one by one, at twenty times the cost of a task.

Read only from each other, by processes of one cluster, whose calls Ray pickles in any case.
"""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from uuid import UUID

from gardenos.core.ids import AgencyId, TaskId, UserId
from gardenos.orchestrator.executor import BatchReport
from gardenos.orchestrator.task import AgentTask

_UUID_BYTES = 16


def pack_tasks(tasks: Sequence[AgentTask]) -> bytes:
    """Leased tasks, as they go to an agent."""
    return pickle.dumps(
        [
            (
                task.id.bytes,
                task.priority,
                dict(task.payload),
                task.max_retries,
                task.agency_id.bytes,
                task.agent_type,
                task.attempt,
                task.fence,
                task.created_by.bytes if task.created_by else None,
                task.awaited,
                task.run_at,
            )
            for task in tasks
        ],
        pickle.HIGHEST_PROTOCOL,
    )


def unpack_tasks(packed: bytes) -> list[AgentTask]:
    """What `pack_tasks` made, on the agent's side."""
    return [
        AgentTask(
            id=TaskId(UUID(bytes=task_id)),
            priority=priority,
            payload=payload,
            max_retries=max_retries,
            agency_id=AgencyId(UUID(bytes=agency_id)),
            agent_type=agent_type,
            attempt=attempt,
            fence=fence,
            created_by=UserId(UUID(bytes=created_by)) if created_by else None,
            awaited=awaited,
            run_at=run_at,
        )
        for (
            task_id,
            priority,
            payload,
            max_retries,
            agency_id,
            agent_type,
            attempt,
            fence,
            created_by,
            awaited,
            run_at,
        ) in pickle.loads(packed)  # noqa: S301 see above
    ]


def pack_report(report: BatchReport) -> bytes:
    """A report, as it comes back."""
    ended = b"".join(task_id.bytes for task_id in report.ended)
    told = (dict(report.outcomes), report.lost, report.duration_s, ended)
    return pickle.dumps(told, pickle.HIGHEST_PROTOCOL)


def unpack_report(packed: bytes) -> BatchReport:
    """What `pack_report` made, on the orchestrator's side."""
    outcomes, lost, duration_s, ended = pickle.loads(packed)  # noqa: S301 see above
    ids = (ended[at : at + _UUID_BYTES] for at in range(0, len(ended), _UUID_BYTES))
    return BatchReport(outcomes, lost, duration_s, tuple(TaskId(UUID(bytes=one)) for one in ids))
