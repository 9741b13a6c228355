"""The caller's agency in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gardenos.crm.agencies.models import Agency
from gardenos.db import sql
from gardenos.db.session import TenantSession

QUERIES = sql.load("gardenos.crm.agencies")


async def get(session: TenantSession) -> Agency | None:
    """The session's agency; None where it was removed since the token was made."""
    row = await session.fetchrow(QUERIES["get_agency"])
    return Agency.model_validate(dict(row)) if row else None


async def change(
    session: TenantSession, values: Mapping[str, Any], *, versions: Sequence[int] | None
) -> Agency | None:
    """Change the agency; None where it is at none of `versions` (None: any)."""
    row = await session.fetchrow(
        QUERIES["change_agency"],
        versions,
        values.get("name"),
        "default_country" in values,
        values.get("default_country"),
        values.get("duplicate_check"),
    )
    return Agency.model_validate(dict(row)) if row else None
