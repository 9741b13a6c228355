"""`test`, `check` and `bench`, as those who change GardenOS run them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gardenos.cli import quality
from tests.support.commands import CommandLine

if TYPE_CHECKING:
    import pytest


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
