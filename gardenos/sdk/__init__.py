"""The client for notebooks and programs: `GardenOS`, and `AsyncGardenOS` to await.

Needs pydantic, httpx and tenacity (`pip install gardenos[sdk]`), nothing of the server.
"""

from gardenos.core.errors import GardenOSError
from gardenos.sdk.account import Grant, User
from gardenos.sdk.activities import Activity
from gardenos.sdk.agency import Agency, Entered, Member, Membership, Team
from gardenos.sdk.audit import AuditEntry
from gardenos.sdk.base import Items, Page, Result
from gardenos.sdk.client import AsyncGardenOS, GardenOS
from gardenos.sdk.companies import Company
from gardenos.sdk.contacts import Contact
from gardenos.sdk.deals import Deal, DealStage
from gardenos.sdk.errors import TaskFailed, TaskUnfinished, UnexpectedAnswer, Unreachable
from gardenos.sdk.invitations import Invitation, IssuedInvitation, OpenInvitation
from gardenos.sdk.leads import Lead, Score, StoredFollowUp
from gardenos.sdk.permissions import Mask, Permission
from gardenos.sdk.pipelines import BoardStage, Pipeline, Stage, Sum
from gardenos.sdk.records import NotSent, Record
from gardenos.sdk.results import (
    Agent,
    AgentMetrics,
    AgentTask,
    AgentType,
    Analysis,
    Cancelled,
    FollowUp,
    Import,
    LaneHead,
    Limit,
    OperatorAction,
    PausedWork,
    Pool,
    Queues,
    Reason,
    Replayed,
    RowError,
    Run,
    Scaling,
    Schedule,
    Status,
    Task,
)
from gardenos.sdk.todos import Todo

__all__ = [
    "Activity",
    "Agency",
    "Agent",
    "AgentMetrics",
    "AgentTask",
    "AgentType",
    "Analysis",
    "AsyncGardenOS",
    "AuditEntry",
    "BoardStage",
    "Cancelled",
    "Company",
    "Contact",
    "Deal",
    "DealStage",
    "Entered",
    "FollowUp",
    "GardenOS",
    "GardenOSError",
    "Grant",
    "Import",
    "Invitation",
    "IssuedInvitation",
    "Items",
    "LaneHead",
    "Lead",
    "Limit",
    "Mask",
    "Member",
    "Membership",
    "NotSent",
    "OpenInvitation",
    "OperatorAction",
    "Page",
    "PausedWork",
    "Permission",
    "Pipeline",
    "Pool",
    "Queues",
    "Reason",
    "Record",
    "Replayed",
    "Result",
    "RowError",
    "Run",
    "Scaling",
    "Schedule",
    "Score",
    "Stage",
    "Status",
    "StoredFollowUp",
    "Sum",
    "Task",
    "TaskFailed",
    "TaskUnfinished",
    "Team",
    "Todo",
    "UnexpectedAnswer",
    "Unreachable",
    "User",
]
