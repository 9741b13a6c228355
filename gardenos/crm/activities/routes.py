"""`/v1/activities`."""

from __future__ import annotations

from gardenos.crm.activities.entity import ACTIVITIES
from gardenos.crm.records import routes

router = routes.router(ACTIVITIES)
