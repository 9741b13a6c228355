"""The client for notebooks and programs: `GardenOS`, and `AsyncGardenOS` to await.

Needs pydantic, httpx and tenacity (`pip install gardenos[sdk]`), nothing of the server.
"""

from gardenos.core.errors import GardenOSError
from gardenos.sdk.account import Grant, User
from gardenos.sdk.activities import Activity
from gardenos.sdk.agency import Agency, Entered, Member, Membership, Team
from gardenos.sdk.api_keys import ApiKey, MadeApiKey
from gardenos.sdk.attachments import Announced, Attachment, Download, Upload
from gardenos.sdk.audit import AuditEntry
from gardenos.sdk.base import Items, Page, Result
from gardenos.sdk.bulk import BulkAnswer, BulkProblem, BulkResult, Job, JobResult
from gardenos.sdk.client import AsyncGardenOS, GardenOS
from gardenos.sdk.companies import Company
from gardenos.sdk.contacts import Contact
from gardenos.sdk.custom_fields import CustomField
from gardenos.sdk.dashboard import Dashboard
from gardenos.sdk.deals import Deal, DealStage
from gardenos.sdk.errors import TaskFailed, TaskUnfinished, UnexpectedAnswer, Unreachable
from gardenos.sdk.feed import Change
from gardenos.sdk.invitations import Invitation, IssuedInvitation, OpenInvitation
from gardenos.sdk.leads import Conversion, Lead, Score, StoredFollowUp, Unconverted
from gardenos.sdk.permissions import Mask, Permission
from gardenos.sdk.pipelines import BoardStage, Pipeline, Stage, Sum
from gardenos.sdk.privacy import Erased, PersonRecord
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
from gardenos.sdk.search import Found, Hit
from gardenos.sdk.tags import RecordTag, Tag
from gardenos.sdk.timeline import Happening
from gardenos.sdk.todos import Todo
from gardenos.sdk.views import View
from gardenos.sdk.webhooks import Delivery, MadeWebhook, Webhook

__all__ = [
    "Activity",
    "Agency",
    "Agent",
    "AgentMetrics",
    "AgentTask",
    "AgentType",
    "Analysis",
    "Announced",
    "ApiKey",
    "AsyncGardenOS",
    "Attachment",
    "AuditEntry",
    "BoardStage",
    "BulkAnswer",
    "BulkProblem",
    "BulkResult",
    "Cancelled",
    "Change",
    "Company",
    "Contact",
    "Conversion",
    "CustomField",
    "Dashboard",
    "Deal",
    "DealStage",
    "Delivery",
    "Download",
    "Entered",
    "Erased",
    "FollowUp",
    "Found",
    "GardenOS",
    "GardenOSError",
    "Grant",
    "Happening",
    "Hit",
    "Import",
    "Invitation",
    "IssuedInvitation",
    "Items",
    "Job",
    "JobResult",
    "LaneHead",
    "Lead",
    "Limit",
    "MadeApiKey",
    "MadeWebhook",
    "Mask",
    "Member",
    "Membership",
    "NotSent",
    "OpenInvitation",
    "OperatorAction",
    "Page",
    "PausedWork",
    "Permission",
    "PersonRecord",
    "Pipeline",
    "Pool",
    "Queues",
    "Reason",
    "Record",
    "RecordTag",
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
    "Tag",
    "Task",
    "TaskFailed",
    "TaskUnfinished",
    "Team",
    "Todo",
    "Unconverted",
    "UnexpectedAnswer",
    "Unreachable",
    "Upload",
    "User",
    "View",
    "Webhook",
]
