"""Commands that talk to an installation, against one: what they print, and how they fail."""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from gardenos.cli import demo, secrets
from gardenos.cli.screen import console
from gardenos.db.migrate import available
from gardenos.sdk import GardenOS
from gardenos.serve.api import create_api
from tests.support.commands import CommandLine
from tests.support.garden import free_ports

if TYPE_CHECKING:
    from gardenos.testing.postgres import PostgresServer

pytestmark = pytest.mark.timeout(120)
CSV = """First Name,E-mail,Company,Source
Ada,ada@example.org,Analytical Engines,Referral
Grace,grace@example.org,Compilers Ltd,Website
Grace,GRACE@example.org,Compilers Ltd,Website
Kay,kay at example.org,,
"""


@pytest.fixture
def leads_csv(tmp_path: Path) -> Path:
    path = tmp_path / "leads.csv"
    path.write_text(CSV)
    return path


async def test_leads_are_imported_scored_and_listed(up: CommandLine, leads_csv: Path) -> None:
    said = await up.ok("leads", "import", leads_csv, "--score")
    counts = next(line for line in said.splitlines() if line.startswith("│    "))
    assert counts.replace("│", " ").split() == ["4", "2", "0", "1", "1", "2"]
    assert "'kay at example.org' is not an e-mail address" in said
    assert "Scoring" in said
    assert "2/2" in said
    assert "have no score" not in said
    listed = await up.ok("leads", "list")
    assert listed.count("%") == listed.count("@example.org") == 2
    assert "Ada" in await up.ok("leads", "list", "--q", "analytical")
    assert "No leads match." in await up.ok("leads", "list", "--q", "nobody")


async def test_a_mapping_says_which_column_is_which_field(up: CommandLine, tmp_path: Path) -> None:
    file, mapping = tmp_path / "odd.csv", tmp_path / "mapping.json"
    file.write_text("who;where\nIda;Ulm\n")
    mapping.write_text(json.dumps({"fields": {"first_name": "who"}, "custom": {"seen": "where"}}))
    assert "odd.csv" in await up.ok("leads", "import", file, "--map", mapping)
    assert "Ida" in await up.ok("leads", "list")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The file is empty."),
        (b"nothing,known\n1,2\n", "The first row names no column that a lead has"),
    ],
)
async def test_a_csv_that_is_none_is_refused_with_the_reason(
    up: CommandLine, tmp_path: Path, content: bytes, sentence: str
) -> None:
    file = tmp_path / "wrong.csv"
    file.write_bytes(content)
    said = await up.run("leads", "import", file)
    assert said.failure[0].startswith(sentence)
    assert "No leads match." in await up.ok("leads", "list")


async def test_a_mapping_of_unknown_fields_is_refused(
    up: CommandLine, tmp_path: Path, leads_csv: Path
) -> None:
    mapping = tmp_path / "mapping.json"
    mapping.write_text('{"fields": {"first_nam": "First Name"}}')
    said = await up.run("leads", "import", leads_csv, "--map", mapping)
    assert said.failure[0] == "The mapping cannot be read."
    assert "first_nam" in said.failure[1]


async def test_tasks_are_listed_by_state_and_type(up: CommandLine, leads_csv: Path) -> None:
    await up.ok("leads", "import", leads_csv, "--score")
    said = await up.ok("tasks", "list", "--type", "lead_analysis", "--state", "succeeded")
    assert said.count("succeeded") == 2
    assert "No tasks match." in await up.ok("tasks", "list", "--state", "dead")
    refused = await up.run("tasks", "list", "--state", "lost")
    assert refused.failure[0] == "There is no state lost."
    assert "succeeded" in refused.failure[1]


async def test_a_pool_is_scaled_within_its_range(up: CommandLine) -> None:
    assert "lead_analysis: 2 asked for." in await up.ok("scale", "lead_analysis", "2")
    assert "asked for until" in await up.ok("scale", "lead_analysis", "2", "--for", "60")
    assert "decides again" in await up.ok("scale", "lead_analysis", "2", "--for", "0")
    too_many = await up.run("scale", "lead_analysis", "99")
    assert "runs 1 to 3 agents here" in too_many.failure[0]
    unknown = await up.run("scale", "poetry", "2")
    assert "There are no agents of type 'poetry'" in unknown.failure[0]


async def test_a_token_opens_the_api_and_another_persons_is_there_for_the_asking(
    up: CommandLine,
) -> None:
    token = (await up.ok("token")).strip()
    assert token.count(".") == 2
    assert await up.ok("token", "--email", "admin@example.org")
    nobody = await up.run("token", "--email", "nobody@example.org")
    assert nobody.failure == ["There is no account for nobody@example.org.", "Check the address."]


async def test_the_demo_shows_the_best_leads_and_a_letter_and_imports_once(up: CommandLine) -> None:
    # `up --demo` without the `up`: what it calls once everything runs.
    settings = up.home.settings()
    token = (await up.ok("token")).strip()

    def shown() -> str:
        url = f"http://127.0.0.1:{settings.http_port}"
        with GardenOS(url, token=token) as client, console.capture() as captured:
            demo.run(up.home, client)
        return captured.get()

    said = await asyncio.to_thread(shown)
    steps = ["Import of leads.csv", "not taken", "57/57", "The ten best leads", "A follow-up to"]
    places = [said.index(step) for step in steps]
    assert places == sorted(places)
    assert "…" not in said
    assert "have no score" not in said
    _, ten_best, letter = said.partition("The ten best leads")[2].rpartition("Subject: ")
    assert ten_best
    assert "\n│  Hello " in letter
    before = await up.ok("leads", "list", "--limit", "200")
    again = await asyncio.to_thread(shown)
    assert "are here from an earlier demo" in again
    assert letter in again
    assert await up.ok("leads", "list", "--limit", "200") == before
    assert before.count("\n") > 50


async def test_the_openapi_document_is_printed_without_a_server(fresh: CommandLine) -> None:
    document = json.loads(await fresh.ok("openapi"))
    assert document == create_api().openapi()
    assert "/v1/leads" in document["paths"]


@pytest.mark.parametrize(
    "command",
    [("leads", "list"), ("tasks", "list"), ("scale", "lead_analysis", "2"), ("token",)],
    ids=" ".join,
)
async def test_what_needs_an_installation_says_that_it_is_not_up(
    fresh: CommandLine, command: tuple[str, ...]
) -> None:
    said = await fresh.run(*command)
    assert "does not run" in said.failure[0]
    assert said.failure[1] == "Run `./garden up` first."
    assert not fresh.home.folder.exists()


async def test_a_wrong_file_is_named_before_anything_is_asked_for(
    fresh: CommandLine, tmp_path: Path, leads_csv: Path
) -> None:
    gone = tmp_path / "gone.csv"
    assert (await fresh.run("leads", "import", gone)).failure[0] == f"There is no file {gone}."
    folder = await fresh.run("leads", "import", tmp_path)
    assert folder.failure == [f"{tmp_path} is a folder.", "Name a file."]
    for text in ("{", "first_name: x", "[1]"):
        mapping = tmp_path / "mapping.json"
        mapping.write_text(text)
        said = await fresh.run("leads", "import", leads_csv, "--map", mapping)
        assert said.failure[0].startswith(f"{mapping} is no mapping")


async def test_an_api_that_stopped_answering_is_one_sentence(up: CommandLine) -> None:
    running = up.home.recorded()
    assert running is not None
    # A port on which nobody listens.
    up.home.record(running.model_copy(update={"http_port": 1}))
    said = await up.run("leads", "list")
    assert said.failure == [
        "The API on port 1 does not answer.",
        "Run `./garden up`, which starts again what does not run.",
    ]


async def test_what_is_listed_fits_a_narrow_terminal_and_loses_nothing(
    up: CommandLine, tmp_path: Path
) -> None:
    file = tmp_path / "long.csv"
    email = f"{'maximiliane' * 4}@{'wholesale' * 4}.example.org"
    file.write_text(f"First Name,Company,E-mail\nMaximiliane,{'Wholesale ' * 9},{email}\n")
    await up.ok("leads", "import", file, "--score")
    for command in ("leads list", "tasks list", "status", "doctor"):
        said = await up.ok(*command.split(), COLUMNS="80")
        assert max(map(len, said.splitlines())) <= 80
        assert "…" not in said
    listed = await up.ok("leads", "list", COLUMNS="80")
    assert email in "".join(line.split("│")[3].strip() for line in listed.splitlines()[3:-1])
    with_ids = await up.ok("tasks", "list", COLUMNS="80")
    assert re.search(rf"[0-9a-f-]{{{len(str(UUID(int=0)))}}}", with_ids)


async def test_status_and_doctor_find_all_well(up: CommandLine) -> None:
    said = await up.ok("status")
    assert "does not run" not in said
    for part in ("PostgreSQL", "Ray", "API documentation"):
        assert part in said
    said = await up.ok("doctor")
    assert "✗" not in said
    assert "bound by row-level security" in said
    assert "ready on port" in said


async def test_status_says_where_things_would_be_and_that_they_do_not_run(
    fresh: CommandLine,
) -> None:
    said = await fresh.run("status")
    assert said.code == 1
    assert said.output.count("does not run") == 4
    # Seen from the folder in which the command was typed; root's server may be kept elsewhere.
    kept = str(fresh.home.postgres.folder)
    assert f" {kept.removeprefix(f'{fresh.home.folder.parent}/')} " in said.output
    assert "`./garden up` starts what does not run" in said.output
    assert not fresh.home.folder.exists()


async def test_doctor_tells_a_machine_that_can_run_it_from_one_that_cannot(
    fresh: CommandLine,
) -> None:
    ports = free_ports()
    said = await fresh.ok("doctor", **ports)
    assert "none yet: `up` makes them" in said
    assert not fresh.home.folder.exists()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(ports["GARDENOS_RAY_PORT"])))
        taken.listen()
        said = await fresh.run("doctor", **ports)
    assert said.code == 1
    assert f"process {os.getpid()}" in said.output
    assert "GARDENOS_RAY_PORT" in said.output


async def test_doctor_finds_secrets_that_others_can_read(fresh: CommandLine) -> None:
    fresh.home.make()
    secrets.ensure(fresh.home, secrets.GENERATORS)
    (fresh.home.secrets / "gardenos_cursor_secret").chmod(0o644)
    said = await fresh.run("doctor", **free_ports())
    assert said.code == 1
    assert "Others can read gardenos_cursor_secret" in said.output


async def test_a_password_is_neither_shown_nor_logged_where_it_broke_the_address(
    fresh: CommandLine,
) -> None:
    fresh.home.make()
    said = await fresh.run(
        "migrate", GARDENOS_DATABASE_URL="postgresql://gardenos_app:hu/sh@db/crm"
    )
    assert said.failure[0].startswith("GARDENOS_DATABASE_URL cannot be taken apart")
    logged = fresh.home.command_log.read_text()
    assert "Traceback" in logged
    for text in (said.output, said.errors, logged):
        assert "hu/sh" not in text
        assert "'hu'" not in text


async def test_migrating_says_what_it_lacks(fresh: CommandLine) -> None:
    said = await fresh.run("migrate")
    assert said.failure == [
        "The embedded PostgreSQL does not run.",
        "Run `./garden up`, which migrates too.",
    ]
    app = "postgresql://gardenos_app:x@127.0.0.1:1/crm"
    said = await fresh.run("migrate", GARDENOS_DATABASE_URL=app)
    assert said.failure[0] == "GARDENOS_ADMIN_DATABASE_URL is not set."
    said = await fresh.run("migrate", GARDENOS_DATABASE_URL=app, GARDENOS_ADMIN_DATABASE_URL=app)
    assert "The database at 127.0.0.1:1/crm does not answer" in said.failure[0]


async def test_migrating_names_what_it_applies(fresh: CommandLine, server: PostgresServer) -> None:
    urls = {
        "GARDENOS_DATABASE_URL": server.app("made_by_migrate"),
        "GARDENOS_ADMIN_DATABASE_URL": server.admin("made_by_migrate"),
    }
    said = (await fresh.ok("migrate", **urls)).splitlines()
    assert [int(line.split()[0]) for line in said[:-1]] == [m.number for m in available()]
    assert said[-1] == f"The schema is up to date; {len(available())} applied now."
    assert await fresh.ok("migrate", **urls) == "The schema is up to date; 0 applied now.\n"


@pytest.mark.parametrize("asked", [("fly",), ("leads", "fly"), ("leads", "list", "--limit", "0")])
async def test_a_command_that_does_not_exist_is_refused(
    fresh: CommandLine, asked: tuple[str, ...]
) -> None:
    said = await fresh.run(*asked)
    assert said.code == 2
    assert said.errors.startswith("Usage:")
