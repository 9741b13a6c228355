"""`/v1/views`; a list takes one by `view=<id>`."""

from __future__ import annotations

from gardenos.crm.records import routes
from gardenos.crm.views.entity import VIEWS

router = routes.router(VIEWS)
