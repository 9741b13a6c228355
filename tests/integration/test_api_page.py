"""The examples of docs/api.md, run as they stand against a whole installation."""

from __future__ import annotations

import re

from gardenos.auth.operators import ensure_operator, issue_access_token
from gardenos.auth.tokens import TokenIssuer
from gardenos.db.session import Database
from gardenos.serve.api import create_api
from gardenos.testing.postgres import PostgresServer
from tests.support.api_page import (
    PREAMBLE,
    assert_it_is_what_the_page_tells,
    examples,
    page,
    run_the_week_twice,
    typed_into_a_shell,
    week,
)
from tests.support.local import local_installation, settings_for
from tests.support.serving import served


def test_the_table_of_paths_leaves_none_out() -> None:
    table = set(re.findall(r"`(/[^`]*)`", page()[: page().index("## ")]))
    paths = create_api().openapi()["paths"]
    missing = [
        path
        for path in paths
        if not any(path == known or path.startswith(f"{known}/") for known in table)
        and re.sub(r"\{\w+\}", "{type}", path) not in table
    ]
    assert missing == []


async def test_every_example_works(
    server: PostgresServer, database_name: str, db: Database
) -> None:
    settings = settings_for(server.app(database_name))
    await ensure_operator(db, "admin@example.org", "a password of some length")
    token = await issue_access_token(db, TokenIssuer.of(settings), ttl_s=600)
    typed = examples(page().replace(week(), ""), "sh")
    assert typed.startswith(PREAMBLE)
    async with local_installation(settings) as app, served(app) as url:
        said = await typed_into_a_shell(typed.removeprefix(PREAMBLE), url=url, token=token)
    for member in ("quality_score", "full_message", "imported", "access_token"):
        assert f'"{member}":' in said, said


async def test_a_sales_week_ends_alike_by_curl_and_by_the_sdk(
    server: PostgresServer, database_name: str
) -> None:
    settings = settings_for(server.app(database_name))
    async with local_installation(settings) as app, served(app) as url:
        assert_it_is_what_the_page_tells(await run_the_week_twice(url))
