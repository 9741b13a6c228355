"""In what order tests are dealt out to processes."""

from __future__ import annotations

from pathlib import Path

from tests.support.sharing import LONGEST, group_of, order

ROOT = Path(__file__).parents[2]
FUZZ = "tests/integration/test_fuzz.py"


def test_a_long_group_of_one_test_starts_before_short_groups_of_many() -> None:
    short = [f"tests/unit/test_many.py::test_{n}" for n in range(50)]
    shorter = [f"tests/unit/test_some.py::test_{n}" for n in range(5)]
    clusters = ["tests/ha/test_backup.py::test_a", "tests/e2e/test_scaling.py::test_b"]
    found = order([*shorter, *short, f"{FUZZ}::test_a", *clusters])
    assert found == ["clusters", FUZZ, "tests/unit/test_many.py", "tests/unit/test_some.py"]


def test_tests_with_clusters_are_one_group_and_others_one_a_file() -> None:
    assert group_of("tests/ha/test_backup.py::test_a") == group_of(
        "tests/chaos/test_plan.py::test_b"
    )
    assert group_of("tests/unit/test_a.py::test_a[x::y]") == "tests/unit/test_a.py"


def test_what_is_called_long_is_there() -> None:
    assert [name for name in LONGEST if name != "clusters" and not (ROOT / name).is_file()] == []
