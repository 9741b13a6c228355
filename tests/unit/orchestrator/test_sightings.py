from __future__ import annotations

from gardenos.orchestrator.sightings import Sightings


def test_a_key_counts_once_its_stamp_has_changed() -> None:
    sightings = Sightings(within_s=4)
    sightings.see({"a": 1}, now=10)
    assert sightings.fresh(now=10) == set()
    sightings.see({"a": 2}, now=11)
    assert sightings.fresh(now=11) == {"a"}


def test_a_key_whose_stamp_stands_still_grows_old() -> None:
    sightings = Sightings(within_s=4)
    sightings.see({"a": 1, "b": 1}, now=0)
    sightings.see({"a": 2, "b": 2}, now=1)
    sightings.see({"a": 3, "b": 2}, now=4)
    assert sightings.fresh(now=5) == {"a", "b"}
    assert sightings.fresh(now=5.1) == {"a"}


def test_stamps_may_be_anything_that_can_be_compared() -> None:
    sightings = Sightings(within_s=4)
    sightings.see({"no": None, "text": "x", "past": 5}, now=0)
    sightings.see({"no": None, "text": "y", "past": 1}, now=1)
    assert sightings.fresh(now=1) == {"text", "past"}


def test_a_key_that_went_away_begins_anew() -> None:
    sightings = Sightings(within_s=4)
    sightings.see({"a": 1}, now=0)
    sightings.see({"a": 2}, now=1)
    sightings.see({}, now=2)
    assert sightings.fresh(now=2) == set()
    sightings.see({"a": 3}, now=3)
    assert sightings.fresh(now=3) == set()
