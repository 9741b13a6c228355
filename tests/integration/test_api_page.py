"""The examples of docs/api.md, run as they stand against a whole installation."""

from __future__ import annotations

import asyncio
import re
import shutil
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from gardenos.auth.operators import ensure_operator, issue_access_token
from gardenos.auth.tokens import TokenIssuer
from gardenos.db.session import Database
from gardenos.testing.postgres import PostgresServer
from tests.support.local import local_installation, settings_for
from tests.support.serving import served

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```sh\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_PREAMBLE = "url=http://127.0.0.1:8000\ntoken=$(./garden token)\n"
_NOTING = """\
set -eu
curl() { command curl -w '%{stderr}%{http_code}\\n' "$@"; }
"""
"""Stops at the first failure; notes the status of every answer beside what the reader sees."""


def examples() -> str:
    """What a reader would type, in order."""
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    return "".join(match["code"] for match in _BLOCK.finditer(page))


async def run(script: str) -> tuple[int | None, str, str]:
    """Exit code, output and errors of a shell script run at the root of the checkout."""
    shell = await asyncio.create_subprocess_exec(
        "sh", stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=ROOT
    )
    output, errors = await shell.communicate(script.encode())
    return shell.returncode, output.decode(), errors.decode()


async def test_every_example_works(
    server: PostgresServer, database_name: str, db: Database
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("there is no curl on the PATH")
    settings = settings_for(server.app(database_name))
    await ensure_operator(db, "admin@example.org", "a password of some length")
    token = await issue_access_token(db, TokenIssuer.of(settings), ttl_s=600)
    typed = examples()
    assert typed.startswith(_PREAMBLE)
    async with local_installation(settings) as app, served(app) as url:
        given = f"url={url}\ntoken={token}\n"
        code, output, errors = await run(_NOTING + given + typed.removeprefix(_PREAMBLE))
    said = output + errors
    assert code == 0, said
    statuses = re.findall(r"^\d{3}$", errors, re.MULTILINE)
    assert len(statuses) == typed.count("curl "), said
    assert {status[0] for status in statuses} == {"2"}, said
    for member in ("quality_score", "full_message", "imported", "access_token"):
        assert f'"{member}":' in output, said
