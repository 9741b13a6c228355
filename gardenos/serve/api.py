"""The HTTP API as one FastAPI application. Imports no Ray: tests and `gardenos openapi` need none."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI
from fastapi.routing import APIRoute

from gardenos.ai.operations import router as operations
from gardenos.ai.routes import router as work
from gardenos.auth.api_keys.routes import router as api_keys
from gardenos.auth.routes import router as sign_in
from gardenos.core.config import Settings
from gardenos.crm.attachments.addresses import CONTENT
from gardenos.crm.records.bulk.routes import PATHS as BULK
from gardenos.crm.routers import ROUTERS as CRM
from gardenos.crm.transfer.routes import PATH as IMPORTS
from gardenos.serve.health import router as health
from gardenos.web import problems
from gardenos.web.body_limit import BodyLimit
from gardenos.web.requests import Requests
from gardenos.web.services import Services

_DESCRIPTION = """\
Leads, contacts, companies and deals, and agents that score the leads, say why, and draft follow-ups.

Sign in at `/auth/v1/token`, or run `gardenos token`, and send `Authorization: Bearer <token>`.
Errors are `application/problem+json`. A record carries an `ETag`; changing it needs `If-Match`.
A `POST` with an `Idempotency-Key` can be repeated safely. A query parameter a route does not have
is an error. Lists are paged by `cursor`.
"""
_ROUTERS = (health, sign_in, api_keys, *CRM, work, operations)


def create_api(services: Services | None = None) -> FastAPI:
    """The application on `services`; without them it can describe itself and serve nothing."""
    app = FastAPI(
        title="GardenOS",
        version=version("gardenos"),
        description=_DESCRIPTION,
        generate_unique_id_function=_operation_id,
        redoc_url=None,
    )
    problems.install(app)
    settings = services.settings if services else Settings.model_construct()
    app.add_middleware(
        BodyLimit,
        max_bytes=settings.max_body_bytes,
        larger={
            **dict.fromkeys(BULK, settings.max_bulk_bytes),
            IMPORTS: settings.max_import_bytes,
            CONTENT: settings.attachment_max_bytes,
        },
    )
    app.add_middleware(Requests)
    for router in _ROUTERS:
        app.include_router(router)
    if services:
        app.state.services = services
    return app


def _operation_id(route: APIRoute) -> str:
    # What generated clients call their methods: the function's name, unique by review and by test.
    return route.name
