"""How a command fails: one sentence, what to do about it, an exit code; the traceback goes to a log."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from gardenos.core.errors import GardenOSError

FAILED, INTERRUPTED = 1, 130
_DISK_FULL = os.strerror(errno.ENOSPC)
_FREE_SPACE = "Free some space, then run the same command again."


class CommandFailed(GardenOSError):
    """The command could not do what it was asked."""

    code = "command-failed"

    def __init__(self, detail: str, *, todo: str = "") -> None:
        super().__init__(detail)
        self.todo = todo
        """What the person who asked can do about it, as a sentence."""


class Interrupted(BaseException):
    """Somebody asked the command to stop: SIGTERM, as Ctrl-C raises KeyboardInterrupt."""


def explain(error: BaseException) -> tuple[str, str] | None:
    """An error as a sentence and what to do; None for one that nobody foresaw."""
    if isinstance(error, CommandFailed):
        return error.detail, error.todo
    if isinstance(error, GardenOSError):
        if _DISK_FULL in error.detail:  # PostgreSQL met it first
            return error.detail, _FREE_SPACE
        faults = "; ".join(f"{f.get('pointer')}: {f.get('detail')}" for f in error.errors[:5])
        return error.detail, faults
    if isinstance(error, OSError):
        return _explain_os(error)
    return None


def _explain_os(error: OSError) -> tuple[str, str] | None:
    where = error.filename or "a file"
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return "The disk is full.", _FREE_SPACE
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return (
                f"There is no permission to write to {where}.",
                "Make it yours, or set GARDENOS_HOME to a folder of your own.",
            )
        case errno.ENOENT:
            return f"{where} does not exist.", "Check the path."
        case errno.EISDIR:
            return f"{where} is a folder.", "Name a file."
        case _:
            return None


def keep_traceback(log: Path, error: BaseException) -> bool:
    """Append the error's traceback to `log`; whether that worked."""
    with contextlib.suppress(OSError):
        if not log.parent.exists():
            return False
        log.touch(mode=0o600)
        with log.open("a", encoding="utf-8") as file:
            asked = " ".join(Path(part).name for part in sys.argv[:2])
            file.write(f"{datetime.now(UTC).isoformat()} {asked}\n")
            file.write("".join(traceback.format_exception(error)) + "\n")
        return True
    return False


@contextmanager
def told() -> Generator[None]:
    """Turn whatever the block raises into lines on stderr and an exit code; never a traceback."""
    try:
        yield
    except (KeyboardInterrupt, Interrupted):
        _print("Stopped, as asked.", "")
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read the output (head, less) has gone: nothing is left to tell.
        with contextlib.suppress(OSError):
            sys.stderr.close()
        sys.exit(FAILED)
    except Exception as error:  # noqa: BLE001 the one place where every failure ends
        from gardenos.cli.home import Home

        log = Home.default().command_log
        kept = keep_traceback(log, error)
        said = explain(error)
        if said is None:
            said = (
                f"Something went wrong that GardenOS did not foresee: {type(error).__name__}: {error}",
                f"{log} has the details." if kept else "",
            )
        _print(*said)
        sys.exit(FAILED)


def _print(sentence: str, todo: str) -> None:
    from gardenos.cli.screen import errors

    errors.print(f"[red]✗[/] {_plain(sentence)}", highlight=False)
    if todo:
        errors.print(f"  {_plain(todo)}", highlight=False)


def _plain(text: str) -> str:
    from rich.markup import escape

    from gardenos.cli.screen import to_type

    return escape(to_type(" ".join(text.split())))
