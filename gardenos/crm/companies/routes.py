"""`/v1/companies`."""

from __future__ import annotations

from gardenos.crm.companies.entity import COMPANIES
from gardenos.crm.records import routes

router = routes.router(COMPANIES)
