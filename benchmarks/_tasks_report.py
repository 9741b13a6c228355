"""Measurements as JSON lines, and the table made of them: medians, ranges, ratios, losses."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

OURS = "GardenOS"
_HIGHER_IS_BETTER = {"tasks/s"}
_COUNTS = {"tasks"}
_TARGETS: Mapping[tuple[str, str], float] = {
    ("drain", "procrastinate"): 10.0,
    ("drain", "pgqueuer"): 1.0,
}
_LONGEST_START_MS = 100.0


@dataclass(frozen=True, slots=True)
class Line:
    """A measurement in its file."""

    seed: int
    round: int
    system: str
    name: str
    value: float
    unit: str


def append(file: Path, kind: str, **fields: Any) -> None:
    """Add a line of a kind to the file."""
    with file.open("a", encoding="utf-8") as opened:
        opened.write(json.dumps({"kind": kind, **fields}) + "\n")


def read(file: Path, kind: str) -> list[dict[str, Any]]:
    """The lines of a kind."""
    if not file.exists():
        return []
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines() if line.strip()]
    return [
        {name: value for name, value in line.items() if name != "kind"}
        for line in lines
        if line["kind"] == kind
    ]


def show(console: Console, file: Path) -> None:
    """Print what was measured with, and the table."""
    for about in read(file, "about")[:1]:
        console.print(about["text"], markup=False)
    for tuning in read(file, "tuning"):
        console.print(f"{tuning['system']}: {tuning['text']}", markup=False)
    lines = [Line(**line) for line in read(file, "measured")]
    if not lines:
        console.print("Nothing is measured yet.")
        return
    console.print(_table(lines))
    lost = [*_losses(lines)]
    console.print(
        "\n".join(["Where GardenOS loses, or misses its target:", *(f"  {one}" for one in lost)])
        if lost
        else "GardenOS loses no cell and misses no target."
    )


def _by_name(lines: Iterable[Line]) -> dict[str, dict[str, list[float]]]:
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list[float]))
    for line in lines:
        found[line.name][line.system].append(line.value)
    return found


def _table(lines: Sequence[Line]) -> Table:
    systems = sorted({line.system for line in lines}, key=lambda name: (name != OURS, name))
    units = {line.name: line.unit for line in lines}
    rounds = len({(line.seed, line.round) for line in lines})
    table = Table(
        title=f"Medians of {rounds} round{'s' * (rounds != 1)}, lowest to highest in brackets",
        title_justify="left",
    )
    table.add_column("")
    for system in systems:
        table.add_column(system, justify="right")
    for system in systems[1:]:
        table.add_column(f"x {system}", justify="right")
    for name, by_system in _by_name(lines).items():
        unit = units[name]
        cells = [_cell(by_system.get(system, ()), unit) for system in systems]
        ratios = [_ratio_cell(by_system, system, unit) for system in systems[1:]]
        table.add_row(f"{name} ({unit})", *cells, *ratios)
    return table


def _cell(values: Sequence[float], unit: str) -> str:
    if not values:
        return "-"
    digits = 1 if unit in ("ms", "s") else 0
    middle = f"{statistics.median(values):,.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):,.{digits}f}-{max(values):,.{digits}f})"


def _ratio(by_system: Mapping[str, Sequence[float]], other: str, unit: str) -> float | None:
    """How many times better we are; None where it cannot be said."""
    ours, theirs = by_system.get(OURS, ()), by_system.get(other, ())
    if not ours or not theirs or unit in _COUNTS:
        return None
    mine, its = statistics.median(ours), statistics.median(theirs)
    better, worse = (mine, its) if unit in _HIGHER_IS_BETTER else (its, mine)
    return better / worse if worse else None


def _ratio_cell(by_system: Mapping[str, Sequence[float]], other: str, unit: str) -> str:
    ratio = _ratio(by_system, other, unit)
    if ratio is None:
        return "-"
    return f"{ratio:.1f}" if ratio >= 1 else f"[red]{ratio:.2f} loses[/]"


def _losses(lines: Sequence[Line]) -> Iterable[str]:
    units = {line.name: line.unit for line in lines}
    for name, by_system in _by_name(lines).items():
        for other in by_system.keys() - {OURS}:
            ratio = _ratio(by_system, other, units[name])
            target = _TARGETS.get((name, other), 1.0)
            if ratio is not None and ratio < target:
                yield f"{name}: {ratio:.2f} of {other}, wanted {target:g}"
            elif units[name] in _COUNTS and _worst(by_system, OURS) > _worst(by_system, other):
                yield f"{name}: {_worst(by_system, OURS):g}, {other} {_worst(by_system, other):g}"
        ours = by_system.get(OURS, ())
        if name == "priority start p99" and ours and statistics.median(ours) > _LONGEST_START_MS:
            yield f"{name}: {statistics.median(ours):.0f} ms, wanted {_LONGEST_START_MS:.0f}"
        if name == "stuck after SIGKILL" and ours and max(ours):
            yield f"{name}: {max(ours):g}, wanted 0"


def _worst(by_system: Mapping[str, Sequence[float]], system: str) -> float:
    return max(by_system.get(system, (0.0,)), default=0.0)
