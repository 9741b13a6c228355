"""A large file through a running installation, whose worker is killed at half; and the way back."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.support.garden import Garden
from tests.support.waiting import until

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]

ROWS = 40_000
KNOWN = 500
COUNTS = ("imported", "updated", "duplicates", "rejected")
LEADS = """
SELECT count(*) AS n, count(DISTINCT external_id) AS ids FROM leads WHERE external_id LIKE 'K-%'
"""
CONTENT = """
SELECT md5(string_agg((to_jsonb(l) - '{version,updated_at}'::text[])::text, '|' ORDER BY id)) AS digest
  FROM leads l
 WHERE external_id LIKE 'K-%'
"""


def write(path: Path) -> None:
    """Of a hundred rows one is faulty, and one says again what the one before it says."""
    with path.open("w", encoding="utf-8") as file:
        file.write("id,email,city\n")
        for n in range(ROWS):
            match n % 100:
                case 50:
                    file.write(f"K-{n},nobody,Oslo\n")
                case 99:
                    file.write(f"K-{n - 1},k{n - 1}@example.com,Oslo\n")
                case _:
                    file.write(f"K-{n},k{n}@example.com,Oslo\n")


def store_known(client: httpx.Client) -> None:
    """Leads that the file changes."""
    operations = [
        {"op": "create", "record": {"external_id": f"K-{n}", "city": "Rome"}} for n in range(KNOWN)
    ]
    done = client.post("/v1/leads/bulk", json={"operations": operations}, timeout=60)
    assert done.json()["succeeded"] == KNOWN


def asked(client: httpx.Client, place: str) -> dict[str, Any]:
    return client.get(place, timeout=60).json()


def test_an_import_killed_at_half_accounts_for_every_row_and_can_be_taken_back(
    garden: Garden, tmp_path: Path
) -> None:
    file = tmp_path / "leads.csv"
    write(file)
    workers = garden.replica_pids("BulkJobAgent")
    with garden.client() as client:
        store_known(client)
        [before] = garden.query(CONTENT)
        with file.open("rb") as content:
            answer = client.post(
                "/v1/imports",
                files={"file": ("leads.csv", content)},
                data={"on_duplicate": "update"},
                timeout=120,
            )
        assert answer.status_code == 202, answer.text
        place = answer.headers["location"]
        half = until(
            lambda: asked(client, place), lambda one: one["rows_read"] >= ROWS // 2, within_s=120
        )
        assert half["state"] == "running"
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        psutil.wait_procs([psutil.Process(pid) for pid in workers if psutil.pid_exists(pid)], 10)
        found = until(
            lambda: asked(client, place), lambda one: one["state"] == "finished", within_s=180
        )
        # Ten of each hundred known rows are as the others; two of a hundred say nothing new.
        assert sum(found[name] for name in COUNTS) == found["rows_read"] == ROWS
        faulty = KNOWN // 100
        assert found["rejected"] == ROWS // 100
        assert found["updated"] == KNOWN - 2 * faulty
        assert found["duplicates"] == ROWS // 100
        assert found["imported"] == ROWS - 2 * ROWS // 100 - found["updated"]
        [leads] = garden.query(LEADS)
        assert leads["n"] == leads["ids"] == found["imported"] + KNOWN

        reverted = client.post(f"{place}/revert", timeout=60)
        assert reverted.status_code == 202
        back = until(
            lambda: asked(client, place), lambda one: one["state"] == "reverted", within_s=180
        )
    assert (back["removed"], back["restored"], back["kept"]) == (
        found["imported"],
        found["updated"],
        0,
    )
    assert garden.query(CONTENT) == [before]
