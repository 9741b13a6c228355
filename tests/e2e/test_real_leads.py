"""The main job on real data: 9,237 leads through HTTP, queue, agents and database, whoever dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from sklearn.metrics import roc_auc_score

from tests.support.garden import Garden
from tests.support.leads import real_leads_file
from tests.support.scoring import Run, make_leads_up
from tests.support.waiting import until

pytestmark = [pytest.mark.ray, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def made_up_leads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("leads") / "made-up.csv"
    make_leads_up(file)
    return file


def kill(pid: int) -> None:
    """Kill -9, and see it dead."""
    process = psutil.Process(pid)
    os.kill(pid, signal.SIGKILL)
    psutil.wait_procs([process], timeout=10)


@pytest.mark.real_leads
def test_every_real_lead_is_scored_once_and_the_score_tells_who_converts(
    installation: Garden, real_leads: Path
) -> None:
    with Run(installation, real_leads) as run:
        report = run.report
        assert (report["rows_read"], report["imported"]) == (len(run.rows), len(run.rows))
        assert (report["duplicates"], report["rejected"]) == (0, 0)
        leads = run.end()
    converted = [int(run.rows[lead["external_id"]]["Converted"]) for lead in leads]
    auc = roc_auc_score(converted, [lead["quality_score"] for lead in leads])
    print(f"AUC of the quality score against Converted: {auc:.3f}")
    assert auc >= 0.65


def kill_an_agent(garden: Garden) -> None:
    before = garden.replica_pids("LeadAnalysisAgent")
    kill(min(before))
    until(
        lambda: garden.replica_pids("LeadAnalysisAgent"),
        lambda now: bool(now - before),
        within_s=60,
    )


def kill_the_orchestrator(garden: Garden) -> None:
    [before] = garden.replica_pids("AIOrchestrator")
    kill(before)
    until(
        lambda: garden.replica_pids("AIOrchestrator"),
        lambda now: bool(now) and before not in now,
        within_s=60,
    )


def kill_postgresql(garden: Garden) -> None:
    pid = garden.home.postgres.pid()
    assert pid is not None
    kill(pid)
    assert "started again: PostgreSQL" in garden.ok("up")


@pytest.mark.parametrize("strike", [kill_an_agent, kill_the_orchestrator, kill_postgresql])
def test_a_kill_in_the_middle_loses_and_repeats_nothing(
    installation: Garden, made_up_leads: Path, strike: Callable[[Garden], None]
) -> None:
    real = real_leads_file()
    with Run(installation, real if real.is_file() else made_up_leads) as run:
        run.get_under_way()
        strike(run.garden)
        run.end()
