"""docs/api.md as people and shells read it: its blocks, and a sales week that is run twice."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import httpx
import pytest

from tests.support.agency_state import state_of

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_WEEK = re.compile(r"^## A sales week$.*?(?=^## )", re.MULTILINE | re.DOTALL)
_ASKING = re.compile(r"^(?:\w+=\$\()?(?:curl|ask) ", re.MULTILINE)
PREAMBLE = "url=http://127.0.0.1:8000\ntoken=$(./garden token)\n"
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


async def run_the_week_twice(url: str) -> dict[str, list[dict[str, object]]]:
    """Run the week by curl in one agency and by the SDK in another; how both have ended."""
    by_curl = await signed_up(url, "curl@example.org")
    by_sdk = await signed_up(url, "sdk@example.org")
    await typed_into_a_shell(examples(week(), "sh"), url=url, token=by_curl)
    given = f"url = {url!r}\ntoken = {by_sdk!r}\n"
    program = (sys.executable, "-W", "error", "-")
    code, said, errors = await run(given + examples(week(), "python"), *program)
    assert code == 0, said + errors
    for line in ("Roof garden 18500 Flora Nord GmbH", "Care of the roof 5200 EUR"):
        assert line in said, said
    ended, same = await state_of(url, by_curl), await state_of(url, by_sdk)
    for of_one in (ended, same):
        [owner] = of_one.pop("members")
        assert owner["role"] == "owner"
    for noun, records in ended.items():
        assert same[noun] == records, noun
    return ended


def assert_it_is_what_the_page_tells(ended: dict[str, list[dict[str, object]]]) -> None:
    """The deals, the task and the lead stand as somebody who read the page would expect."""
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
