"""What of the events reaches the log, and at which level. Logs are set up for a whole process."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any
from uuid import UUID

_LOGGED = """
import sys
from uuid import UUID
from gardenos.observability import events, logs
logs.configure(sys.argv[1])
logs.log_event(events.RunsEnded("echo", "done", "succeeded", ((UUID(int=1), 0.5), (UUID(int=2), None))))
logs.log_event(events.TasksLeased("echo", 1, waits=((5, 0.1),)))
logs.log_event(events.SchedulesFired(3))
"""


def logged(level: str) -> list[dict[str, Any]]:
    """What a process at this level logs of three events."""
    done = subprocess.run(
        [sys.executable, "-c", _LOGGED, level], capture_output=True, text=True, check=True
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    return [{k: v for k, v in line.items() if k not in ("timestamp", "level")} for line in lines]


def test_each_run_has_its_line_at_debug_level() -> None:
    said = {"event": "run_ended", "agent_type": "echo", "outcome": "done", "state": "succeeded"}
    assert logged("debug") == [
        {**said, "task_id": str(UUID(int=1)), "run_s": 0.5},
        {**said, "task_id": str(UUID(int=2)), "run_s": None},
        {"event": "tasks_leased", "agent_type": "echo", "tasks": 1, "waits": [[5, 0.1]]},
        {"event": "schedules_fired", "tasks": 3},
    ]


def test_what_happens_with_every_task_is_no_news() -> None:
    assert logged("info") == [{"event": "schedules_fired", "tasks": 3}]
