from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from gardenos.db import sql

if TYPE_CHECKING:
    from gardenos.testing.postgres import AdminConnection

ROOT = Path(__file__).parents[2]
PACKAGES = [
    ".".join(file.parent.relative_to(ROOT).parts)
    for file in sorted((ROOT / "gardenos").rglob("queries.sql"))
]


@pytest.mark.parametrize("package", PACKAGES)
async def test_every_statement_fits_the_schema(admin: AdminConnection, package: str) -> None:
    faults: list[str] = []
    for name, statement in sql.load(package).items():
        try:
            await admin.prepare(statement)
        except asyncpg.PostgresError as error:
            faults.append(f"{name}: {error}")
    assert not faults, "\n".join(faults)


async def test_a_statement_that_does_not_fit_is_noticed(admin: AdminConnection) -> None:
    with pytest.raises(asyncpg.UndefinedColumnError):
        await admin.prepare("SELECT no_such_column FROM leads")
