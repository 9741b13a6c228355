"""How far the score carries on 9,237 real leads; `pytest -s` prints the figures."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from gardenos.ai.scoring import LeadFacts, score

ROOT = Path(__file__).parents[3]
MAPPING = ROOT / "examples" / "x-education-mapping.json"
LEAKING = {
    "Converted",
    "Tags",
    "Lead Quality",
    "Lead Profile",
    "Asymmetrique Activity Index",
    "Asymmetrique Profile Index",
    "Asymmetrique Activity Score",
    "Asymmetrique Profile Score",
    "Last Activity",
    "Last Notable Activity",
}


@dataclass(frozen=True)
class Scored:
    converted: Any
    quality: Any
    probability: Any
    microseconds_per_lead: float


def says_yes(text: str) -> bool:
    return text == "Yes"


def mapped(row: dict[str, str], mapping: dict[str, Any]) -> dict[str, Any]:
    """A CSV row as the lead an import makes of it."""
    empty = {"", *mapping["empty"]}
    custom: dict[str, Any] = {}
    for key, spec in mapping["custom"].items():
        column = spec if isinstance(spec, str) else spec["column"]
        kind = "text" if isinstance(spec, str) else spec["type"]
        value = row[column]
        if value not in empty:
            custom[key] = {"number": float, "boolean": says_yes}.get(kind, str)(value)
    fields = {key: row[column] for key, column in mapping["fields"].items()}
    return {key: value for key, value in fields.items() if value not in empty} | {"custom": custom}


def expected_calibration_error(truth: Any, probability: Any, bins: int = 10) -> float:
    """Mean distance between promised and kept, over equal-width bins, weighted by their size."""
    index = np.minimum((probability * bins).astype(int), bins - 1)
    gaps = [
        abs(probability[index == i].mean() - truth[index == i].mean()) * (index == i).mean()
        for i in np.unique(index)
    ]
    return float(sum(gaps))


@pytest.fixture(scope="module")
def rows(real_leads: Path) -> Sequence[dict[str, str]]:
    with real_leads.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def scored(rows: Sequence[dict[str, str]]) -> Scored:
    mapping = json.loads(MAPPING.read_text("utf-8"))
    leads = [mapped(row, mapping) for row in rows]
    began = time.perf_counter()
    scores = [score(LeadFacts.of(lead)) for lead in leads]
    took = time.perf_counter() - began
    return Scored(
        converted=np.array([int(row["Converted"]) for row in rows]),
        quality=np.array([s.quality_score for s in scores]),
        probability=np.array([s.conversion_probability for s in scores]),
        microseconds_per_lead=took / len(leads) * 1e6,
    )


def test_the_mapping_leaves_out_what_knows_the_outcome() -> None:
    mapping = json.loads(MAPPING.read_text("utf-8"))
    columns = set(mapping["fields"].values()) | {
        spec if isinstance(spec, str) else spec["column"] for spec in mapping["custom"].values()
    }
    assert not columns & LEAKING


@pytest.mark.real_leads
def test_the_score_tells_who_converts(scored: Scored) -> None:
    by_quality = roc_auc_score(scored.converted, scored.quality)
    by_probability = roc_auc_score(scored.converted, scored.probability)
    fifth = np.argsort(-scored.probability)[: len(scored.probability) // 5]
    captured = scored.converted[fifth].sum() / scored.converted.sum()
    print(
        f"\n{len(scored.converted)} leads: AUC {by_quality:.3f} by quality_score, "
        f"{by_probability:.3f} by conversion_probability; the best fifth holds {captured:.1%} of "
        f"the conversions; {scored.microseconds_per_lead:.0f} µs per lead"
    )
    assert by_quality > 0.80
    assert by_probability > 0.80
    assert captured > 0.40


@pytest.mark.real_leads
def test_the_probability_keeps_what_it_promises(scored: Scored) -> None:
    brier = brier_score_loss(scored.converted, scored.probability)
    base = scored.converted.mean()
    error = expected_calibration_error(scored.converted, scored.probability)
    print(
        f"\nBrier {brier:.3f} (always saying {base:.3f} gives {base * (1 - base):.3f}), "
        f"expected calibration error {error:.3f}"
    )
    assert brier < 0.17
    assert error < 0.06


@pytest.mark.real_leads
def test_profile_alone_still_tells_something(rows: Sequence[dict[str, str]]) -> None:
    mapping = json.loads(MAPPING.read_text("utf-8"))
    for key in ("total_visits", "time_on_site_seconds", "pages_per_visit"):
        del mapping["custom"][key]
    quality = [score(LeadFacts.of(mapped(row, mapping))).quality_score for row in rows]
    auc = roc_auc_score([int(row["Converted"]) for row in rows], quality)
    print(f"\nAUC {auc:.3f} without what the site saw of them")
    assert auc > 0.70
