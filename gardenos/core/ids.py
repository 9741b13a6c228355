"""Ids as types: a lead's id is no task's id. All are UUIDv7, so they sort by creation."""

from typing import NewType
from uuid import UUID

AgencyId = NewType("AgencyId", UUID)
UserId = NewType("UserId", UUID)
LeadId = NewType("LeadId", UUID)
TaskId = NewType("TaskId", UUID)
FollowUpId = NewType("FollowUpId", UUID)
ImportId = NewType("ImportId", UUID)
