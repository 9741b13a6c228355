"""`/v1/tasks`."""

from __future__ import annotations

from gardenos.crm.records import routes
from gardenos.crm.tasks.entity import TASKS

router = routes.router(TASKS)
