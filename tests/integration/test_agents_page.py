"""docs/agents.md builds an agent from nothing; here it is saved, named and asked as the page says."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import AsyncGenerator, Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from gardenos.ai import agents
from tests.support import own_agent
from tests.support.local import local_installation, settings_for, signing_in

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI

    from gardenos.core.claims import Claims
    from gardenos.testing.postgres import PostgresServer


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """A folder on the path with the page's agent in it, known to nobody yet."""
    own_agent.save(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop(own_agent.MODULE, None)
    monkeypatch.undo()
    agents.register({})


@pytest.fixture
async def app(folder: Path, server: PostgresServer, database_name: str) -> AsyncGenerator[FastAPI]:
    named = own_agent.arguments()["agents"]
    agents.register({agent_type: pool["class"] for agent_type, pool in named.items()})
    async with local_installation(settings_for(server.app(database_name))) as app:
        yield app


@pytest.fixture
async def api(app: FastAPI, owner: Claims) -> AsyncGenerator[httpx.AsyncClient]:
    async with signing_in(app) as client:
        yield client(owner)


async def ask(api: httpx.AsyncClient, body: str | dict[str, Any]) -> httpx.Response:
    method, path, said = own_agent.request()
    return await api.request(method, path, json=json.loads(said) if body == "" else body)


async def test_the_pages_agent_answers_as_the_page_asks_it(api: httpx.AsyncClient) -> None:
    answer = await ask(api, "")
    assert answer.status_code == 200, answer.text
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    assert answer.json()["result"] == {
        "on": tomorrow.isoformat(),
        "text": "Call Ines tomorrow",
    }


async def test_what_is_no_note_is_refused_and_what_names_no_day_fails(
    api: httpx.AsyncClient,
) -> None:
    assert (await ask(api, {"input": {"text": ""}})).status_code == 422
    made = await api.post(
        "/ai/tasks", json={"agent_type": "reminder", "payload": {"text": "Call Ines"}}
    )
    found = (await api.get(made.headers["location"], params={"wait_s": 30})).json()
    assert found["state"] == "dead"
    assert found["error"]["detail"].startswith("The note names no day")


async def test_it_is_listed_with_what_it_takes_and_gives(api: httpx.AsyncClient) -> None:
    items = (await api.get("/ai/agent-types")).json()["items"]
    (shown,) = [item for item in items if item["agent_type"] == "reminder"]
    assert shown["summary"] == "Says when to come back to a note."
    assert set(shown["input_schema"]["properties"]) == {"text"}
    assert set(shown["output_schema"]["properties"]) == {"on", "text"}


def test_the_pages_entry_point_registers_it_too(folder: Path) -> None:
    points = tomllib.loads(own_agent.entry_point())["project"]["entry-points"]
    (group,) = points
    info = folder / "reminders-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: reminders\nVersion: 1.0\n")
    lines = [f"{name} = {path}" for name, path in points[group].items()]
    (info / "entry_points.txt").write_text("\n".join([f"[{group}]", *lines]))
    assert agents.discover()["reminder"].__name__ == "ReminderAgent"
