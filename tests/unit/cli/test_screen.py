from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from gardenos.cli import leads, screen
from gardenos.cli.status import Part, show
from gardenos.core.config import Settings
from gardenos.sdk import Lead


def rendered(table: object, width: int) -> str:
    console = Console(width=width)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


@pytest.mark.parametrize("width", [20, 40, 80])
def test_no_table_cuts_anything_off(width: int) -> None:
    cells = ("a" * 60, "b" * 7, f"{'c' * 30} {'d' * 30}")
    table = screen.table("One", "Two", "Three")
    table.add_row(*cells)
    said = rendered(table, width)
    assert "…" not in said
    assert max(map(len, said.splitlines())) <= width
    for letter, count in (("a", 60), ("b", 7), ("c", 30), ("d", 30)):
        assert said.count(letter) == count


def test_a_path_is_shown_from_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert screen.near(tmp_path / ".garden" / "postgres") == ".garden/postgres"
    assert screen.near(tmp_path.parent) == str(tmp_path.parent)


def test_a_command_in_a_sentence_can_be_typed_as_it_stands() -> None:
    said = screen.to_type("Run `gardenos down`, then `gardenos up`; gardenos is the program.")
    assert said == "Run `./garden down`, then `./garden up`; gardenos is the program."


def test_status_fits_eighty_columns(capsys: pytest.CaptureFixture[str]) -> None:
    parts = [
        Part("PostgreSQL", runs=True, where="/srv/gardenos/.garden/postgres", said="process 4711"),
        Part("Ray", runs=True, where="port 6379", said="process 4712, for 3 min, 14 processes"),
        Part("LeadAnalysisAgent", runs=False, where="0 replicas", said="deploying " * 9),
    ]
    show(parts, Settings())
    said = capsys.readouterr().out
    assert "…" not in said
    assert max(map(len, said.splitlines())) <= 80
    assert "http" not in said


@pytest.mark.parametrize(
    ("probability", "shown"),
    [
        (None, ""),
        (0.0, "0%"),
        (1e-9, "<1%"),
        (0.004, "<1%"),
        (0.006, "1%"),
        (0.5, "50%"),
        (0.994, "99%"),
        (0.996, ">99%"),
        (1.0, "100%"),
    ],
)
def test_only_what_is_certain_is_shown_as_certain(probability: float | None, shown: str) -> None:
    assert leads.percent(probability) == shown


def test_a_lead_is_shown_by_what_is_known_of_it() -> None:
    stored = {
        "id": "019b0000-0000-7000-8000-000000000000",
        "version": 1,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
    }
    whole = Lead.model_validate(stored | {"first_name": "Ada", "company": "Engines [ltd]"})
    assert leads.card(whole, "ada@example.org") == (
        "Ada\n[dim]Engines \\[ltd][/]\n[dim]ada@example.org[/]"
    )
    firm = Lead.model_validate(stored | {"company": "Engines"})
    assert leads.card(firm, None) == "Engines"
    assert leads.score_of(firm) == ("", "")
