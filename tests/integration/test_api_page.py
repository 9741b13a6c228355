"""The examples of docs/api.md, run as they stand against a whole installation."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import httpx
import pytest

from gardenos.auth.operators import ensure_operator, issue_access_token
from gardenos.auth.tokens import TokenIssuer
from gardenos.db.session import Database
from gardenos.serve.api import create_api
from gardenos.testing.postgres import PostgresServer
from tests.support.agency_state import state_of
from tests.support.local import local_installation, settings_for
from tests.support.serving import served

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_WEEK = re.compile(r"^## A sales week$.*?(?=^## )", re.MULTILINE | re.DOTALL)
_ASKING = re.compile(r"^(?:\w+=\$\()?(?:curl|ask) ", re.MULTILINE)
_PREAMBLE = "url=http://127.0.0.1:8000\ntoken=$(./garden token)\n"
_NOTING = """\
set -eu
curl() { command curl -w '%{stderr}%{http_code}\\n' "$@"; }
"""
"""Stops at the first failure; notes the status of every answer beside what the reader sees."""


def page() -> str:
    """The page as it is written."""
    return (ROOT / "docs" / "api.md").read_text("utf-8")


def week() -> str:
    """Its section on a sales week."""
    found = _WEEK.search(page())
    assert found is not None
    return found[0]


def examples(text: str, language: str) -> str:
    """What a reader would type, in order."""
    blocks = _BLOCK.finditer(text)
    return "".join(block["code"] for block in blocks if block["language"] == language)


async def run(script: str, *program: str) -> tuple[int | None, str, str]:
    """Exit code, output and errors of a script run at the root of the checkout."""
    shell = await asyncio.create_subprocess_exec(
        *program, stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=ROOT
    )
    output, errors = await shell.communicate(script.encode())
    return shell.returncode, output.decode(), errors.decode()


async def typed_into_a_shell(script: str, *, url: str, token: str) -> str:
    """What a shell says to a script in which every request has to succeed."""
    if shutil.which("curl") is None:
        pytest.skip("there is no curl on the PATH")
    code, output, errors = await run(f"{_NOTING}url={url}\ntoken={token}\n{script}", "sh")
    said = output + errors
    assert code == 0, said
    statuses = re.findall(r"^\d{3}$", errors, re.MULTILINE)
    assert len(statuses) == len(_ASKING.findall(script)), said
    assert {status[0] for status in statuses} == {"2"}, said
    return said


async def signed_up(url: str, email: str) -> str:
    """The access token of an account with an agency of its own."""
    named = {"agency_name": "Green & Co"}
    account = {"email": email, "password": "correct horse battery", "data": named}
    async with httpx.AsyncClient(base_url=url) as api:
        answer = await api.post("/auth/v1/signup", json=account)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


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
    assert typed.startswith(_PREAMBLE)
    async with local_installation(settings) as app, served(app) as url:
        said = await typed_into_a_shell(typed.removeprefix(_PREAMBLE), url=url, token=token)
    for member in ("quality_score", "full_message", "imported", "access_token"):
        assert f'"{member}":' in said, said


async def test_a_sales_week_ends_alike_by_curl_and_by_the_sdk(
    server: PostgresServer, database_name: str
) -> None:
    settings = settings_for(server.app(database_name))
    async with local_installation(settings) as app, served(app) as url:
        by_curl = await signed_up(url, "curl@example.org")
        by_sdk = await signed_up(url, "sdk@example.org")
        await typed_into_a_shell(examples(week(), "sh"), url=url, token=by_curl)
        given = f"url = {url!r}\ntoken = {by_sdk!r}\n"
        code, said, errors = await run(
            given + examples(week(), "python"), sys.executable, "-W", "error", "-"
        )
        assert code == 0, said + errors
        ended = await state_of(url, by_curl)
        for member in ended.pop("members"):
            assert member["role"] == "owner"
        for noun, records in (await state_of(url, by_sdk)).items():
            if noun != "members":
                assert records == ended[noun], noun
    _is_what_the_page_tells(ended)
    assert "Roof garden 18500 Flora Nord GmbH" in said
    assert "Care of the roof 5200 EUR" in said


def _is_what_the_page_tells(ended: dict[str, list[dict[str, object]]]) -> None:
    deals = {deal["name"]: deal for deal in ended["deals"]}
    assert deals.keys() == {"Roof garden", "Care of the roof"}
    won, open_ = deals["Roof garden"], deals["Care of the roof"]
    assert (won["status"], won["close_reason"]) == ("won", "Best plan")
    assert (open_["status"], open_["stage_id"]) == ("open", "<stage Offered>")
    assert open_["custom"] == {"runs": "two years"}
    [todo] = ended["tasks"]
    assert (todo["status"], todo["due_at"]) == ("done", "2027-03-04T09:00:00Z")
    [lead] = [lead for lead in ended["leads"] if lead["last_name"] == "Nord"]
    assert lead["converted_deal_id"] == "<deals Roof garden>"
    assert isinstance(lead["quality_score"], int)
    assert len(ended["leads"]) > 50
    assert {entry["entity"] for entry in ended["audit"]} >= {"leads", "deals", "tasks", "tags"}
