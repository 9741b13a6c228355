"""Load from wrk, a program of its own: a client in Python would measure itself."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gardenos.cli.problems import CommandFailed

_REPORT = Path(__file__).with_name("_report.lua")


@dataclass(frozen=True, slots=True)
class Target:
    """One server's answer to one request, to be asked for again and again."""

    name: str
    url: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Figures:
    """What a target did under load; latencies in milliseconds."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float


def require_wrk() -> str:
    """The path of wrk. Raises `CommandFailed` where there is none."""
    found = shutil.which("wrk")
    if found is None:
        raise CommandFailed(
            "This benchmark needs the load generator wrk.",
            todo="Install it (on Debian and Ubuntu: apt-get install wrk), then run this again.",
        )
    return found


def measure(target: Target, *, connections: int, seconds: int) -> Figures:
    """Ask for `target` on so many connections for so long.

    Raises `CommandFailed` where an answer was an error or none: it would be no speed.
    """
    headers = [f"-H{name}: {value}" for name, value in target.headers.items()]
    command = [
        require_wrk(),
        "--threads=1",
        f"--connections={connections}",
        f"--duration={seconds}s",
        f"--script={_REPORT}",
        *headers,
        target.url,
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    report = json.loads(said.splitlines()[-1])
    if report["failed"] or not report["requests"]:
        raise CommandFailed(
            f"{target.name}: {report['failed']} of {report['requests']} requests failed.",
            todo="Look at the server's log: a speed with failures in it means nothing.",
        )
    return Figures(
        requests_per_s=report["requests"] / report["duration_us"] * 1e6,
        p50_ms=report["p50_us"] / 1000,
        p99_ms=report["p99_us"] / 1000,
    )


def median(rounds: Sequence[Figures]) -> Figures:
    """The median of each figure over the rounds."""
    return Figures(
        statistics.median(one.requests_per_s for one in rounds),
        statistics.median(one.p50_ms for one in rounds),
        statistics.median(one.p99_ms for one in rounds),
    )
