"""The short form: everything is broken once or more within a minute or so, and nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from tests.chaos import report as reports
from tests.chaos.run import run

# Of this seed Serve and HAProxy come last: the outages of HTTP they make leave no work to be hit.
SEED, MINUTES = 668, 1.15


@pytest.mark.ray
@pytest.mark.timeout(700)
def test_whatever_dies_every_accepted_task_ends_once_with_its_effect(tmp_path: Path) -> None:
    report = run(seed=SEED, minutes=MINUTES, folder=tmp_path, say=print)
    reports.show(Console(highlight=False, soft_wrap=True), report)
    assert report.failures == []
    assert report.verdict.complaints == []
    assert report.verdict.accepted > 200, "too little work to say anything"
    assert sum(struck.hit for struck in report.struck) >= len(report.struck) * 0.6
