"""`test`, `check` and `bench`, as those who change GardenOS run them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gardenos.cli import quality
from tests.support.commands import CommandLine
from tests.support.sharing import group_of

CRASHES = """
import os


def test_that_passes():
    pass


def test_that_takes_its_process_along():
    os._exit(0)
"""


def test_tests_run_without_settings_but_with_what_is_said_to_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GARDENOS_DATABASE_URL", "postgresql://app@db/crm")
    monkeypatch.setenv("GARDENOS_HOME", "/srv/gardenos")
    monkeypatch.setenv("GARDENOS_X_EDUCATION_CSV", "/data/leads.csv")
    given = quality.environment()
    assert not {"GARDENOS_DATABASE_URL", "GARDENOS_HOME"} & given.keys()
    assert given["GARDENOS_X_EDUCATION_CSV"] == "/data/leads.csv"


async def test_a_check_says_what_it_checked(fresh: CommandLine) -> None:
    assert (await fresh.ok("check", "imports")).startswith("✓ imports")


async def test_a_check_that_does_not_exist_is_refused_with_those_there_are(
    fresh: CommandLine,
) -> None:
    said = await fresh.run("check", "docs", "luck")
    assert said.failure == [
        "There is no check luck.",
        "There are: style, format, imports, docs, types.",
    ]


async def test_test_hands_pytest_its_arguments_and_its_exit_code_back(fresh: CommandLine) -> None:
    arguments = ("tests/unit/cli/test_quality.py", "-q", "-k", "no_such_test")
    said = await fresh.run("test", *arguments)
    assert "deselected" in said.output
    assert said.code == 5


@pytest.mark.parametrize(
    "arguments", [[], ["-q", "-x"], ["tests/unit", "tests/integration"], ["-k", "leads", "-n", "4"]]
)
def test_the_suite_and_its_folders_are_shared_between_processes(arguments: list[str]) -> None:
    assert quality.in_parallel(arguments)


@pytest.mark.parametrize(
    "arguments",
    [["tests/unit/cli/test_home.py"], ["-x", "tests/e2e/test_notebook.py::test_it"], ["-s"]],
)
def test_a_file_and_what_is_to_be_watched_stay_in_one_process(arguments: list[str]) -> None:
    assert not quality.in_parallel(arguments)


async def test_a_process_that_dies_with_its_test_fails_the_run(
    fresh: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "test_crash.py").write_text(CRASHES)
    said = await fresh.run("test", tmp_path, "-n", "2")
    assert said.code == 1
    # What takes its process along is tried in further ones, until xdist makes no more.
    assert re.search(r"[1-9]\d* failed, 1 passed", said.output)
    assert "test_that_takes_its_process_along" in said.output


def test_what_brings_up_a_cluster_keeps_to_one_process() -> None:
    tests = Path(__file__).parents[2]
    marked = re.compile(r"pytest\.mark\.(ray|lab)\b")
    found = {
        group_of(f"tests/{file.relative_to(tests).as_posix()}::test")
        for file in tests.rglob("test_*.py")
        if file != Path(__file__) and marked.search(file.read_text("utf-8"))
    }
    assert found == {"clusters"}
    assert group_of("tests/unit/cli/test_home.py::test_it[a]") == "tests/unit/cli/test_home.py"


async def test_benchmarks_are_listed_with_what_they_measure(fresh: CommandLine) -> None:
    said = await fresh.ok("bench")
    assert "http_overhead" in said
    assert "How long `up` takes" in said


async def test_a_benchmark_gets_its_arguments_and_an_unknown_one_is_refused(
    fresh: CommandLine,
) -> None:
    assert "start_up" in await fresh.ok("bench", "start_up", "--", "--help")
    said = await fresh.run("bench", "luck")
    assert said.failure[0] == "There is no benchmark luck."
    assert "start_up" in said.failure[1]
