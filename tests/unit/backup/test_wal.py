from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gardenos.backup.wal import (
    Lsn,
    Segment,
    Switch,
    chain,
    check_segment,
    format_lsn,
    newest_line,
    parse_history,
    parse_lsn,
)

SIZE = 16 * 1024 * 1024
SIZES = st.sampled_from([1 << 20, SIZE, 1 << 30])


def segments(timeline: int, *numbers: int) -> list[Segment]:
    return [Segment(timeline, number) for number in numbers]


def at(number: int, offset: int = 0) -> Lsn:
    return Lsn(number * SIZE + offset)


@given(lsn=st.integers(0, (1 << 64) - 1))
def test_a_position_is_read_as_it_is_written(lsn: int) -> None:
    assert parse_lsn(format_lsn(Lsn(lsn))) == lsn


def test_a_position_is_written_as_postgresql_does() -> None:
    assert format_lsn(Lsn(0x16B374D848)) == "16/B374D848"
    assert format_lsn(Lsn(0x2000028)) == "0/02000028"
    assert parse_lsn("0/2000028") == 0x2000028
    with pytest.raises(ValueError, match="no position"):
        parse_lsn("2000028")


@given(timeline=st.integers(1, 0xFFFFFFFF), number=st.integers(0, 1 << 33), size=SIZES)
def test_a_segments_name_says_which_it_is(timeline: int, number: int, size: int) -> None:
    segment = Segment(timeline, number % ((1 << 64) // size))
    assert Segment.of(segment.name(size=size), size=size) == segment
    assert Segment.at(timeline, segment.start(size=size), size=size) == segment
    assert segment.end(size=size) - segment.start(size=size) == size


def test_a_segments_name_is_postgresqls() -> None:
    assert Segment(1, 0xFF).name(size=SIZE) == "0000000100000000000000FF"
    assert Segment(2, 0x100).name(size=SIZE) == "000000020000000100000000"
    with pytest.raises(ValueError, match="no segment"):
        Segment.of("00000001000000000000000g", size=SIZE)


def test_a_history_names_the_ancestors_and_where_they_were_left() -> None:
    text = "1\t0/5000000\tno recovery target specified\n\n# note\n2\t0/70000A0\tbefore 2026-11-24\n"
    assert parse_history(text) == [Switch(1, Lsn(0x5000000)), Switch(2, Lsn(0x70000A0))]


def test_a_log_without_gaps_is_whole() -> None:
    found = chain(1, at(3, 40), segments(1, 2, 3, 4, 5), {}, size=SIZE)
    assert found.whole == segments(1, 3, 4, 5)
    assert not found.missing


def test_a_gap_ends_what_is_whole_and_is_named() -> None:
    found = chain(1, at(3), segments(1, 3, 4, 6, 8, 9), {}, size=SIZE)
    assert found.whole == segments(1, 3, 4)
    assert found.missing == segments(1, 5, 7)
    assert found.beyond == 3


def test_a_log_that_begins_too_late_has_a_gap() -> None:
    found = chain(1, at(3), segments(1, 5, 6), {}, size=SIZE)
    assert found.whole == []
    assert found.missing == segments(1, 3, 4)


def test_no_log_at_all_is_no_gap() -> None:
    found = chain(1, at(3), [], {}, size=SIZE)
    assert (found.whole, found.missing) == ([], [])


def test_all_before_an_unfinished_segment_is_wanted() -> None:
    found = chain(1, at(3), segments(1, 3), {}, size=SIZE, partial=Segment(1, 6))
    assert found.missing == segments(1, 4, 5)
    assert not chain(1, at(3), segments(1, 3), {}, size=SIZE, partial=Segment(1, 4)).missing


def test_the_line_follows_a_failover_within_a_segment() -> None:
    histories = {2: [Switch(1, at(5, 100))]}
    there = [*segments(1, 3, 4, 5), *segments(2, 5, 6)]
    found = chain(1, at(3), there, histories, size=SIZE)
    # The segment in which the old timeline ended begins the new one, with the same beginning.
    assert found.whole == [*segments(1, 3, 4), *segments(2, 5, 6)]
    assert not found.missing


def test_the_line_follows_several_failovers() -> None:
    histories = {2: [Switch(1, at(4))], 3: [Switch(1, at(4)), Switch(2, at(6, 8))]}
    there = [*segments(1, 3), *segments(2, 4, 5), *segments(3, 6, 7)]
    found = chain(1, at(3), there, histories, size=SIZE)
    assert found.whole == [*segments(1, 3), *segments(2, 4, 5), *segments(3, 6, 7)]
    assert not found.missing


def test_a_timeline_that_forked_before_the_backup_is_another_line() -> None:
    histories = {2: [Switch(1, at(2))]}
    assert newest_line(1, at(3), histories).newest == 1
    found = chain(1, at(3), [*segments(1, 3, 4), *segments(2, 2, 3, 4, 5)], histories, size=SIZE)
    assert found.whole == segments(1, 3, 4)


def test_a_segment_missing_behind_a_failover_is_named_on_its_timeline() -> None:
    histories = {2: [Switch(1, at(5, 100))]}
    found = chain(1, at(3), [*segments(1, 3, 4), *segments(2, 6)], histories, size=SIZE)
    assert found.missing == segments(2, 5)


def header(*, start: int, system: int = 7) -> bytes:
    fields = (
        (0xD118).to_bytes(2, "little")
        + (0x0002).to_bytes(2, "little")
        + (1).to_bytes(4, "little")
        + start.to_bytes(8, "little")
        + bytes(8)
        + system.to_bytes(8, "little")
        + SIZE.to_bytes(4, "little")
        + (8192).to_bytes(4, "little")
    )
    return fields.ljust(SIZE, b"\0")


def test_a_segment_is_held_against_its_name_and_its_cluster() -> None:
    segment = Segment(1, 3)
    check_segment(header(start=3 * SIZE), segment, size=SIZE, system_identifier=7)
    for content, said in (
        (header(start=3 * SIZE, system=8), "of another cluster"),
        (header(start=2 * SIZE), "begins at 0/02000000"),
        (header(start=3 * SIZE)[:-1], "bytes instead of"),
        (bytes(SIZE), "does not begin as a segment does"),
    ):
        with pytest.raises(ValueError, match=said):
            check_segment(content, segment, size=SIZE, system_identifier=7)
