from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gardenos.core.errors import InvalidContent
from gardenos.core.ids import AgencyId
from gardenos.orchestrator import recurring
from gardenos.orchestrator.recurring import Schedule, next_run

BERLIN = ZoneInfo("Europe/Berlin")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def berlin(
    year: int, month: int, day: int, hour: int, minute: int = 0, *, fold: int = 0
) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=BERLIN, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("cron", "zone", "then"),
    [
        ("0 9 * * *", "UTC", datetime(2026, 11, 25, 9, tzinfo=UTC)),
        ("0 9 * * *", "Europe/Berlin", datetime(2026, 11, 25, 8, tzinfo=UTC)),
        ("*/15 * * * *", "UTC", datetime(2026, 11, 24, 12, 15, tzinfo=UTC)),
        ("0 9 * * MON", "UTC", datetime(2026, 11, 30, 9, tzinfo=UTC)),
        ("0 0 L * *", "UTC", datetime(2026, 11, 30, tzinfo=UTC)),
        ("0 0 29 2 *", "UTC", datetime(2028, 2, 29, tzinfo=UTC)),
    ],
)
def test_a_line_names_times_of_its_zone(cron: str, zone: str, then: datetime) -> None:
    assert next_run(cron, zone, after=NOON) == then


def test_a_time_that_the_clock_skips_runs_once_when_it_has_jumped() -> None:
    then = next_run("30 2 * * *", "Europe/Berlin", after=berlin(2026, 3, 28, 12))
    assert then == berlin(2026, 3, 29, 3)
    assert next_run("30 2 * * *", "Europe/Berlin", after=then) == berlin(2026, 3, 30, 2, 30)


@pytest.mark.parametrize("minute", [15, 30, 45])
def test_a_time_that_comes_twice_runs_once(minute: int) -> None:
    first = next_run("30 2 * * *", "Europe/Berlin", after=berlin(2026, 10, 24, 12))
    assert first == berlin(2026, 10, 25, 2, 30)
    assert next_run("30 2 * * *", "Europe/Berlin", after=first) == berlin(2026, 10, 26, 2, 30)
    within = berlin(2026, 10, 25, 2, minute, fold=1)
    assert next_run("30 2 * * *", "Europe/Berlin", after=within) == berlin(2026, 10, 26, 2, 30)


def test_what_runs_every_hour_follows_the_time_that_passes() -> None:
    at, times = berlin(2026, 10, 25, 1, 45), list[datetime]()
    for _ in range(4):
        at = next_run("30 * * * *", "Europe/Berlin", after=at)
        times.append(at)
    hour = timedelta(hours=1)
    assert times == [berlin(2026, 10, 25, 2, 30) + n * hour for n in range(4)]


@pytest.mark.parametrize(
    ("cron", "zone", "pointer", "said"),
    [
        ("0 0 30 2 *", "UTC", "/cron", "never fires: no such month has such a day"),
        ("0 0 31 2,4,6 *", "Europe/Berlin", "/cron", "never fires"),
        ("x * * * *", "UTC", "/cron", "The minute of the cron line 'x * * * *' cannot be read."),
        ("0 24 * * *", "UTC", "/cron", "The hour of the cron line"),
        ("0 0 30 13 *", "UTC", "/cron", "The month of the cron line"),
        ("* * * *", "UTC", "/cron", "has 4 fields instead of five"),
        ("* * * * * *", "UTC", "/cron", "has 6 fields instead of five"),
        ("", "UTC", "/cron", "has 0 fields"),
        ("@daily", "UTC", "/cron", "has 1 fields"),
        ("* * * * *", "Europe/Atlantis", "/time_zone", "no time zone 'Europe/Atlantis'"),
        ("* * * * *", "Europe", "/time_zone", "no time zone"),
        ("* * * * *", "../../etc/passwd", "/time_zone", "no time zone"),
        ("* * * * *", "", "/time_zone", "no time zone"),
        ("* * * * *", "a\x00b", "/time_zone", "no time zone"),
    ],
)
def test_what_cannot_be_kept_is_refused_in_a_sentence(
    cron: str, zone: str, pointer: str, said: str
) -> None:
    with pytest.raises(InvalidContent, match=r".") as caught:
        next_run(cron, zone, after=NOON)
    assert said in caught.value.detail
    assert caught.value.errors == ({"pointer": pointer, "detail": caught.value.detail},)


FIELDS = st.tuples(
    st.sampled_from(["*", "0", "30", "*/7", "15,45"]),
    st.sampled_from(["*", "2", "3", "*/5", "0-4"]),
    st.sampled_from(["*", "1", "25", "29", "31", "L"]),
    st.sampled_from(["*", "1", "3", "10", "2-10"]),
    st.sampled_from(["*", "0", "SUN", "1-5"]),
).map(" ".join)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"])


@given(cron=FIELDS, zone=ZONES, after_s=st.integers(0, 2 * 366 * 86_400))
def test_the_next_time_is_later_and_in_utc(cron: str, zone: str, after_s: int) -> None:
    after = NOON + timedelta(seconds=after_s)
    then = next_run(cron, zone, after=after)
    assert then > after
    assert then.tzinfo is UTC


def schedule(time_zone: str = "UTC") -> Schedule:
    return Schedule(
        id=UUID(int=3),
        agency_id=AgencyId(UUID(int=4)),
        agent_type="echo",
        payload={"a": 1},
        cron="0 * * * *",
        time_zone=time_zone,
        next_run_at=NOON,
    )


def test_a_due_time_becomes_a_task_with_a_key_of_its_own() -> None:
    firing = recurring.fire(schedule(), NOON + timedelta(seconds=1))
    key = "schedule:00000000-0000-0000-0000-000000000003:2026-11-24T12:00:00+00:00"
    assert firing.task.idempotency_key == key
    assert firing.next_run_at == NOON + timedelta(hours=1)
    assert firing.task == recurring.fire(schedule(), NOON + timedelta(minutes=50)).task


def test_times_that_were_missed_run_once() -> None:
    firing = recurring.fire(schedule(), NOON + timedelta(days=9, minutes=1))
    assert firing.next_run_at == NOON + timedelta(days=9, hours=1)


def test_what_cannot_go_on_says_why() -> None:
    firing = recurring.fire(schedule(time_zone="Gone/Away"), NOON)
    assert firing.next_run_at is None
    assert "no time zone" in firing.why_no_more
