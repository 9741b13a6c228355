from __future__ import annotations

import errno
from pathlib import Path

import pytest

from gardenos.cli import problems
from gardenos.cli.problems import CommandFailed, Interrupted, told
from gardenos.core.errors import DatabaseUnavailable, InvalidContent


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a failing command leaves its traceback."""
    monkeypatch.setenv("GARDENOS_HOME", str(tmp_path))
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs" / "gardenos.log"


def said_by(error: BaseException, capsys: pytest.CaptureFixture[str]) -> tuple[list[str], object]:
    """The lines on stderr and the exit code of a command that raises `error`."""
    with pytest.raises(SystemExit) as ended, told():
        raise error
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines(), ended.value.code


def test_a_failure_is_one_sentence_and_what_to_do(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failure = CommandFailed("The port\nis taken [by x].", todo="Stop it.")
    lines, code = said_by(failure, capsys)
    assert lines == ["✗ The port is taken [by x].", "  Stop it."]
    assert code == 1
    assert "CommandFailed" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_errors_of_the_server_speak_for_themselves(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, code = said_by(DatabaseUnavailable("The database does not answer: no."), capsys)
    assert lines == ["✗ The database does not answer: no."]
    assert code == 1
    fields = [{"pointer": "/phone", "detail": "is too long"}]
    lines, _ = said_by(InvalidContent("Some fields are not valid.", errors=fields), capsys)
    assert lines[1] == "  /phone: is too long"
    assert log.exists()


def test_an_unforeseen_error_points_to_the_log_and_shows_no_traceback(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, code = said_by(ZeroDivisionError("division by zero"), capsys)
    assert "ZeroDivisionError: division by zero" in lines[0]
    assert lines[1] == f"  {log} has the details."
    assert code == 1
    assert "Traceback" not in "".join(lines)
    assert "Traceback" in log.read_text()


@pytest.mark.parametrize(
    ("number", "sentence"),
    [(errno.ENOSPC, "The disk is full."), (errno.EACCES, "There is no permission")],
)
def test_the_systems_refusals_are_put_into_words(number: int, sentence: str) -> None:
    said = problems.explain(OSError(number, "no", "/data"))
    assert said is not None
    assert said[0].startswith(sentence)
    assert said[1]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Interrupted()])
@pytest.mark.usefixtures("log")
def test_being_stopped_is_no_failure_to_explain(
    error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, code = said_by(error, capsys)
    assert lines == ["✗ Stopped, as asked."]
    assert code == 130


def test_without_a_home_nothing_is_logged_and_none_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GARDENOS_HOME", str(tmp_path / "none"))
    lines, _ = said_by(RuntimeError("x"), capsys)
    assert len(lines) == 1
    assert not (tmp_path / "none").exists()
