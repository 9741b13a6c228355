"""What a process counted, as plain values: to send, to add up over processes, and to expose."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from gardenos.observability.metrics import DEFINITIONS, PROCESS, REGISTRY, Definition

Key: TypeAlias = tuple[str, tuple[str, ...]]
"""A metric's name and its labels' values, in the order of its definition."""
Rows: TypeAlias = dict[Key, tuple[float, ...]]
"""A counter or gauge has one value; a histogram the counts up to each bound, of all, and the sum."""
_INFINITY = float("inf")


def collect() -> Rows:
    """What this process has counted so far."""
    rows: dict[Key, dict[str, float]] = defaultdict(dict)
    for family in REGISTRY.collect():
        for sample in family.samples:
            definition = _definition_of(sample.name)
            if definition is not None:
                labels = tuple(sample.labels[label] for label in definition.labels)
                part = sample.labels.get("le", sample.name)
                rows[definition.name, labels][part] = sample.value
    return {key: _vector(DEFINITIONS[key[0]], parts) for key, parts in rows.items()}


def _definition_of(sample: str) -> Definition | None:
    # What a histogram's count says, its last bucket says too; when it was made, nobody asks.
    return DEFINITIONS.get(sample.removesuffix("_bucket").removesuffix("_sum")) or DEFINITIONS.get(
        sample
    )


def _vector(definition: Definition, parts: Mapping[str, float]) -> tuple[float, ...]:
    if definition.kind != "histogram":
        return (parts[definition.name],)
    bounds = [floatToGoString(bound) for bound in (*definition.buckets, _INFINITY)]
    return (*(parts[bound] for bound in bounds), parts[f"{definition.name}_sum"])


def pack(rows: Rows) -> list[list[Any]]:
    """Rows as JSON can hold them."""
    return [[name, labels, values] for (name, labels), values in rows.items()]


def unpack(packed: Any) -> Rows:
    """Packed rows; those that this version of the code does not know are left out."""
    rows: Rows = {}
    for each in packed if isinstance(packed, list) else []:
        match each:
            case [str(name), [*labels], [*values]] if _fits(name, labels, values):
                rows[name, tuple(map(str, labels))] = tuple(map(float, values))
            case _:
                pass
    return rows


def _fits(name: str, labels: Sequence[object], values: Sequence[object]) -> bool:
    definition = DEFINITIONS.get(name)
    if definition is None:
        return False
    width = len(definition.buckets) + 2 if definition.kind == "histogram" else 1
    numbers = all(isinstance(value, int | float) for value in values)
    return len(labels) == len(definition.labels) and len(values) == width and numbers


def totals(rows: Rows) -> Rows:
    """The counters and histograms among the rows: what is left of a process that is gone."""
    return {key: row for key, row in rows.items() if DEFINITIONS[key[0]].kind != "gauge"}


def said_of_itself(rows: Rows) -> Rows:
    """The gauges that a process gives of itself, under its own name."""
    return {
        key: row
        for key, row in rows.items()
        if DEFINITIONS[key[0]].kind == "gauge" and PROCESS in DEFINITIONS[key[0]].labels
    }


def add(many: Iterable[Rows]) -> Rows:
    """Counters and histograms added up over processes; of gauges of the same labels the last one."""
    added: Rows = {}
    for rows in many:
        for key, row in rows.items():
            before = added.get(key)
            if before is None or DEFINITIONS[key[0]].kind == "gauge":
                added[key] = row
            else:
                added[key] = tuple(a + b for a, b in zip(before, row, strict=True))
    return added


def exposition(rows: Rows) -> bytes:
    """The rows in Prometheus' text format, each metric with its description."""
    registry = CollectorRegistry()
    registry.register(_Rows(rows))
    return generate_latest(registry)


@dataclass(frozen=True, slots=True, eq=False)
class _Rows(Collector):
    rows: Rows

    def collect(self) -> Iterator[Metric]:
        """See `Collector`."""
        of: defaultdict[str, list[tuple[tuple[str, ...], tuple[float, ...]]]] = defaultdict(list)
        for (name, labels), row in sorted(self.rows.items()):
            of[name].append((labels, row))
        for definition in DEFINITIONS.values():
            yield _family(definition, of[definition.name])


def _family(
    definition: Definition, rows: Iterable[tuple[tuple[str, ...], tuple[float, ...]]]
) -> Metric:
    name, text, labels = definition.name, definition.text, definition.labels
    match definition.kind:
        case "counter":
            counter = CounterMetricFamily(name, text, labels=labels)
            for values, (count,) in rows:
                counter.add_metric(values, count)
            return counter
        case "gauge":
            gauge = GaugeMetricFamily(name, text, labels=labels)
            for values, (value,) in rows:
                gauge.add_metric(values, value)
            return gauge
        case "histogram":
            histogram = HistogramMetricFamily(name, text, labels=labels)
            bounds = [floatToGoString(bound) for bound in (*definition.buckets, _INFINITY)]
            for values, row in rows:
                histogram.add_metric(values, list(zip(bounds, row, strict=False)), row[-1])
            return histogram
