"""The client for notebooks and programs: `GardenOS`, and `AsyncGardenOS` to await.

Needs pydantic, httpx and tenacity (`pip install gardenos[sdk]`), nothing of the server.
"""

from gardenos.core.errors import GardenOSError
from gardenos.sdk.client import AsyncGardenOS, GardenOS
from gardenos.sdk.errors import TaskFailed, TaskUnfinished, UnexpectedAnswer, Unreachable
from gardenos.sdk.results import (
    Agent,
    AgentMetrics,
    AgentTask,
    Analysis,
    FollowUp,
    Import,
    Items,
    Lead,
    Page,
    Queues,
    Reason,
    Result,
    RowError,
    Scaling,
    Score,
    Status,
    StoredFollowUp,
    Task,
)

__all__ = [
    "Agent",
    "AgentMetrics",
    "AgentTask",
    "Analysis",
    "AsyncGardenOS",
    "FollowUp",
    "GardenOS",
    "GardenOSError",
    "Import",
    "Items",
    "Lead",
    "Page",
    "Queues",
    "Reason",
    "Result",
    "RowError",
    "Scaling",
    "Score",
    "Status",
    "StoredFollowUp",
    "Task",
    "TaskFailed",
    "TaskUnfinished",
    "UnexpectedAnswer",
    "Unreachable",
]
