"""`gardenos tasks` and `gardenos top` against an installation: what they print, and how they fail."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from asyncio.subprocess import DEVNULL
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.support.commands import GARDENOS

if TYPE_CHECKING:
    from gardenos.testing.postgres import AdminConnection
    from tests.support.commands import CommandLine

pytestmark = pytest.mark.timeout(300)  # a dozen programs started one after the other
QUEUED = """
INSERT INTO agent_tasks (agency_id, agent_type, run_at, priority)
SELECT id, $1, now() + interval '1 day', 7 FROM agencies ORDER BY created_at LIMIT 1
RETURNING id::text
"""
DEAD = """
INSERT INTO agent_tasks (agency_id, agent_type, state, fence, attempt, started_at, finished_at, error)
SELECT id, $1, 'dead', 4, 4, now(), now(), '{"code": "failed", "detail": "It never works."}'
  FROM agencies ORDER BY created_at LIMIT 1
RETURNING id::text
"""
ADA = '{"lead_data": {"first_name": "Ada"}}'


async def test_a_task_is_shown_whole_and_cancelled(up: CommandLine, admin: AdminConnection) -> None:
    task_id = await admin.fetchval(QUEUED, "painter")
    said = await up.ok("tasks", "show", task_id)
    assert f"Task {task_id}" in said
    assert "painter, priority 7" in said
    assert f"The task {task_id} is cancelled." in await up.ok("tasks", "cancel", task_id)
    assert "A member of the agency cancelled it." in await up.ok("tasks", "show", task_id)
    again = await up.run("tasks", "cancel", task_id)
    assert again.failure[0] == (
        f"The task {task_id} has ended as cancelled: there is nothing left to cancel."
    )
    followed = await up.ok("tasks", "show", "--follow", task_id)
    assert re.search(r"\d\d:\d\d:\d\d  cancelled", followed)


async def test_many_are_cancelled_by_what_matches_and_never_by_mistake(
    up: CommandLine, admin: AdminConnection
) -> None:
    for _ in range(3):
        await admin.fetchval(QUEUED, "painter")
    task_id = await admin.fetchval(QUEUED, "poet")
    nothing = await up.run("tasks", "cancel")
    assert "needs a filter, or all: true" in nothing.failure[1]
    both = await up.run("tasks", "cancel", task_id, "--all")
    assert both.failure[0] == "A task's id and a filter are one too many."
    wrong = await up.run("tasks", "cancel", "--state", "dead")
    assert wrong.failure == ["There is no state dead.", "There are: queued, running."]
    said = await up.ok("tasks", "cancel", "--type", "painter", "--limit", "2")
    assert said == "2 queued tasks are cancelled. There may be more: run it again.\n"
    said = await up.ok("tasks", "cancel", "--type", "painter", "--priority", "7")
    assert said == "1 queued tasks are cancelled.\n"
    assert await up.ok("tasks", "cancel", "--before", "2020-01-01") == (
        "0 queued tasks are cancelled.\n"
    )


async def test_dead_letters_are_listed_and_replayed(
    up: CommandLine, admin: AdminConnection
) -> None:
    first, *_ = [await admin.fetchval(DEAD, "painter") for _ in range(3)]
    said = await up.ok("tasks", "dead")
    assert said.count("It never works.") == 3
    assert "is queued again, with 3 retries." in await up.ok("tasks", "replay", first)
    refused = await up.run("tasks", "replay", first)
    assert "Only a dead one can be replayed" in refused.failure[0]
    assert await up.ok("tasks", "replay", "--all") == "2 tasks are queued again.\n"
    assert "No tasks match." in await up.ok("tasks", "dead")
    unknown = await up.run("tasks", "show", str(uuid4()))
    assert "There is no task" in unknown.failure[0]


async def test_work_is_paused_and_goes_on(up: CommandLine) -> None:
    assert "Nothing is paused." in await up.ok("tasks", "pauses")
    await up.ok("tasks", "pause", "--type", "painter", "--every-agency", "--reason", "No paint")
    said = await up.ok("tasks", "pauses")
    assert "No paint" in said
    assert "every one" in said
    await up.ok("tasks", "resume", "--type", "painter", "--every-agency")
    gone = await up.run("tasks", "resume", "--type", "painter", "--every-agency")
    assert gone.failure == ["Nothing is paused there: agents painter."]
    everything = await up.run("tasks", "pause", "--every-agency")
    assert "Name an agent_type." in everything.failure[0]


async def test_what_recurs_is_added_switched_and_removed(up: CommandLine) -> None:
    schedules = ("tasks", "schedules")
    said = await up.ok(
        *schedules, "add", "Daily", "lead_analysis", "0 7 * * *", ADA, "--time-zone", "Asia/Tokyo"
    )
    assert "Daily fires next at, in UTC:" in said
    assert said.count(" 22:00") == 5
    assert "Asia/Tokyo" in await up.ok(*schedules, "list")
    assert "is switched off" in await up.ok(*schedules, "off", "Daily")
    assert "fires next at" in await up.ok(*schedules, "on", "Daily")
    assert await up.ok(*schedules, "remove", "Daily") == "Daily is gone.\n"
    assert "Nothing recurs." in await up.ok(*schedules, "list")
    never = await up.run(*schedules, "add", "Never", "lead_analysis", "0 0 30 2 *", ADA)
    assert "never fires" in never.failure[0]
    no_json = await up.run(*schedules, "add", "Odd", "lead_analysis", "* * * * *", "{ada}")
    assert no_json.failure[0].startswith("The payload is not JSON")
    missing = await up.run(*schedules, "off", "Never")
    assert missing.failure[0] == "There is no schedule 'Never'."


async def test_the_queue_is_verified_and_a_violation_is_an_exit_code(
    up: CommandLine, admin: AdminConnection
) -> None:
    await admin.fetchval(DEAD, "painter")
    said = await up.ok("tasks", "verify", COLUMNS="120")
    assert "yes" in said
    assert "no, " not in said
    await admin.execute("ALTER TABLE agent_tasks DROP CONSTRAINT death_has_an_error")
    await admin.execute("UPDATE agent_tasks SET error = NULL")
    broken = await up.run("tasks", "verify", COLUMNS="120")
    assert broken.code == 1
    assert "no, 1 times" in broken.output


async def test_top_shows_the_agents_once_where_there_is_no_terminal(
    up: CommandLine, admin: AdminConnection
) -> None:
    # Of a type that no agent works off: why its head waits is said beside it.
    await admin.execute(
        "INSERT INTO agent_tasks (agency_id, agent_type) SELECT id, 'painter' FROM agencies"
    )
    for options in ((), ("--once",)):
        said = await up.ok("top", *options, COLUMNS="200")
        assert "the orchestrator is dispatching" in said
        assert re.search(r"lead_analysis +│ +1 of 3 ", said), said
        assert re.search(r"painter +│ +│ +│ +1 ", said), said


async def test_top_goes_on_on_a_terminal_until_it_is_interrupted(up: CommandLine) -> None:
    ours, theirs = os.openpty()
    others = {n: v for n, v in os.environ.items() if not n.startswith("GARDENOS_")}
    given = {"GARDENOS_HOME": str(up.home.folder), "COLUMNS": "200", "TERM": "xterm", **up.env}
    process = await asyncio.create_subprocess_exec(
        GARDENOS, "top", env=others | given, stdin=DEVNULL, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    said = b""
    drawn_twice = asyncio.Event()

    def read() -> None:
        nonlocal said
        said += os.read(ours, 65_536)
        if said.count(b"dispatching") >= 2:
            drawn_twice.set()

    loop = asyncio.get_running_loop()
    loop.add_reader(ours, read)
    try:
        async with asyncio.timeout(60):
            await drawn_twice.wait()
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
    finally:
        loop.remove_reader(ours)
        os.close(ours)
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert b"lead_analysis" in said
    assert b"Traceback" not in said


@pytest.mark.parametrize(
    "command",
    [
        ("tasks", "dead"),
        ("tasks", "verify"),
        ("tasks", "cancel", "--all"),
        ("tasks", "schedules", "list"),
        ("top", "--once"),
    ],
    ids=" ".join,
)
async def test_what_needs_an_installation_says_that_it_is_not_up(
    fresh: CommandLine, command: tuple[str, ...]
) -> None:
    said = await fresh.run(*command)
    assert "does not run" in said.failure[0]
    assert said.failure[1] == "Run `./garden up` first."
