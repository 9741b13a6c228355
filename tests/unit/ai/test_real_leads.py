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
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold

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


def by_tenths(truth: Any, probability: Any) -> list[tuple[int, float, float]]:
    """How many leads were promised 0 to 10%, 10 to 20%, ..., what on average, and what was kept."""
    index = np.minimum((probability * 10).astype(int), 9)
    bins = [index == i for i in np.unique(index)]
    return [
        (int(held.sum()), float(probability[held].mean()), float(truth[held].mean()))
        for held in bins
    ]


def expected_calibration_error(truth: Any, probability: Any) -> float:
    """Mean distance between promised and kept, over ten bins, weighted by their size."""
    bins = by_tenths(truth, probability)
    return sum(n * abs(promised - kept) for n, promised, kept in bins) / len(truth)


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
    bins = by_tenths(scored.converted, scored.probability)
    error = expected_calibration_error(scored.converted, scored.probability)
    print(
        f"\nBrier {brier:.3f} (always saying {base:.3f} gives {base * (1 - base):.3f}), "
        f"expected calibration error {error:.3f}"
    )
    for n, promised, kept in bins:
        print(f"{n:5} leads: promised {promised:.0%}, kept {kept:.0%}")
    assert brier < 0.16
    assert error < 0.05
    assert all(abs(promised - kept) < 0.13 for n, promised, kept in bins if n >= 50)


@pytest.mark.real_leads
def test_the_surest_are_promised_no_more_than_the_surest_kept(scored: Scored) -> None:
    surest = np.argsort(-scored.probability)[: len(scored.probability) // 20]
    kept = scored.converted[surest].mean()
    print(
        f"\nOf the surest twentieth {kept:.1%} converted; promised were "
        f"{scored.probability[surest].mean():.1%} on average and {scored.probability.max():.1%} "
        f"to the surest lead, {scored.probability.min():.1%} to the least sure"
    )
    assert scored.probability.max() <= kept
    assert scored.probability.min() >= 0.01


@pytest.mark.real_leads
def test_a_correction_learnt_from_most_leads_is_no_better_on_the_rest(scored: Scored) -> None:
    log_odds = np.log(scored.probability / (1 - scored.probability)).reshape(-1, 1)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    slopes: list[float] = []
    corrected = np.zeros(len(scored.probability))
    for learnt, held_out in folds.split(log_odds, scored.converted):
        platt = LogisticRegression(C=1e6).fit(log_odds[learnt], scored.converted[learnt])
        slopes.append(float(platt.coef_[0, 0]))
        corrected[held_out] = platt.predict_proba(log_odds[held_out])[:, 1]
    before = brier_score_loss(scored.converted, scored.probability)
    after = brier_score_loss(scored.converted, corrected)
    print(
        f"\nA correction would stretch the log-odds by {min(slopes):.2f} to {max(slopes):.2f}; "
        f"Brier on leads it has not seen {after:.4f}, without it {before:.4f}"
    )
    assert min(slopes) >= 1  # below, what is promised would be bolder than what is kept
    assert before - after < 0.002


@pytest.mark.real_leads
def test_profile_alone_still_tells_something(rows: Sequence[dict[str, str]]) -> None:
    mapping = json.loads(MAPPING.read_text("utf-8"))
    for key in ("total_visits", "time_on_site_seconds", "pages_per_visit"):
        del mapping["custom"][key]
    quality = [score(LeadFacts.of(mapped(row, mapping))).quality_score for row in rows]
    auc = roc_auc_score([int(row["Converted"]) for row in rows], quality)
    print(f"\nAUC {auc:.3f} without what the site saw of them")
    assert auc > 0.70
