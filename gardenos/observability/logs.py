"""Structured logs: one JSON object per line on stderr."""

from __future__ import annotations

import logging
import re
import sys
from dataclasses import asdict

import structlog

from gardenos.observability.events import Event, RequestServed, RunsEnded, TasksLeased

_CAMEL = re.compile(r"(?<!^)(?=[A-Z])")
_FREQUENT = (RunsEnded, TasksLeased, RequestServed)
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("gardenos")


def configure(level: str = "info") -> None:
    """Set up logging for this process; `level` is debug, info, warning or error."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def log_event(event: Event) -> None:
    """Subscribe this to write events to the log; single runs, leases and requests only at debug level."""
    level = logging.DEBUG if isinstance(event, _FREQUENT) else logging.INFO
    # Asked first: taking an event apart costs more than a request may.
    if not _log.is_enabled_for(level):
        return
    if isinstance(event, RunsEnded):
        _log_each_run(event)
    else:
        name = _CAMEL.sub("_", type(event).__name__).lower()
        _log.log(level, name, **asdict(event))


def _log_each_run(ended: RunsEnded) -> None:
    """A line for each run: who looks for a task finds it by its id."""
    for task_id, run_s in ended.runs:
        _log.debug(
            "run_ended",
            task_id=task_id,
            agent_type=ended.agent_type,
            outcome=ended.outcome,
            state=ended.state,
            run_s=run_s,
        )
