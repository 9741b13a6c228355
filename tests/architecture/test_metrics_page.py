"""docs/metrics.md lists each metric with its type, labels and meaning, and no other."""

from __future__ import annotations

import re
from pathlib import Path

from gardenos.observability.metrics import DEFINITIONS, REGISTRY

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text("utf-8")
RAYS = "\n## At Ray's\n"
_ROW = re.compile(
    r"^\| `(?P<name>\w+)` \| (?P<type>\w+) \| (?P<labels>[^|]*) \| (?P<text>[^|]+) \|$",
    re.MULTILINE,
)
_IDS = ("agency", "task_id", "lead", "user")


def rows(text: str) -> dict[str, tuple[str, tuple[str, ...], str]]:
    """Type, labels and meaning by name, as the tables of a part of the page say."""
    return {
        row["name"]: (row["type"], tuple(re.findall(r"`(\w+)`", row["labels"])), row["text"])
        for row in _ROW.finditer(text)
    }


def test_every_metric_is_listed_as_it_is_and_no_other() -> None:
    listed = rows(PAGE.partition(RAYS)[0])
    assert listed == {d.name: (d.kind, d.labels, d.text) for d in DEFINITIONS.values()}


def test_nothing_is_counted_without_a_definition() -> None:
    counted = {(family.name, family.type) for family in REGISTRY.collect()}
    assert counted == {(d.name.removesuffix("_total"), d.kind) for d in DEFINITIONS.values()}


def test_names_are_prometheus_names() -> None:
    for definition in DEFINITIONS.values():
        assert (definition.kind == "counter") == definition.name.endswith("_total")
        assert not definition.name.endswith(("_ms", "_count", "_sum", "_bucket"))
        assert definition.text.endswith(".")


def test_no_label_can_hold_an_id() -> None:
    labels = {label for definition in DEFINITIONS.values() for label in definition.labels}
    assert not [label for label in labels if label.startswith(_IDS) or label.endswith("_id")]


def test_rays_metrics_are_those_of_the_code() -> None:
    code = (Path(__file__).parents[2] / "gardenos" / "serve" / "process.py").read_text("utf-8")
    made = set(re.findall(r'_counter\(\s*"(\w+)"', code))
    assert rows(PAGE.partition(RAYS)[2]).keys() == made
