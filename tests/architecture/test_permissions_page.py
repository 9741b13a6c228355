"""docs/permissions.md prints the defaults that the migrations make."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gardenos.cli import matrix

if TYPE_CHECKING:
    from gardenos.db.session import Database


async def test_the_page_shows_the_defaults_of_every_role_entity_and_verb(db: Database) -> None:
    table = matrix.printed(await matrix.defaults(db))
    page = matrix.PAGE.read_text("utf-8")
    assert table.count("\n| `leads` |") == 5
    assert matrix.replaced(page, table) == page, (
        "Run `python -m gardenos.cli.matrix` and review the difference."
    )
