"""Tasks as the records engine knows them."""

from __future__ import annotations

from typing import Final

from gardenos.crm.custom_fields import service as custom_fields
from gardenos.crm.records import Entity, Include, fields_of
from gardenos.crm.tasks.models import LIMITS, NewTask, Task, TaskChanges
from gardenos.crm.views import service as views

TASKS: Final = Entity(
    noun="tasks",
    singular="task",
    record=Task,
    new=NewTask,
    changes=TaskChanges,
    custom=custom_fields.typed,
    tagged_by="task_id",
    viewed=views.applied,
    fields=fields_of(Task, LIMITS),
    search=("title",),
    includes={
        "assignee": Include("assignee_id", "members"),
        "lead": Include("lead_id", "leads"),
        "contact": Include("contact_id", "contacts"),
        "company": Include("company_id", "companies"),
        "deal": Include("deal_id", "deals"),
    },
)
