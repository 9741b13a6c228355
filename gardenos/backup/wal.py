"""The write-ahead log as files: names, positions, timelines, and what is missing between two of them."""

from __future__ import annotations

import re
import struct
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NewType

Lsn = NewType("Lsn", int)
"""A position in the log: bytes since its beginning."""

SEGMENT_NAME = re.compile(r"[0-9A-F]{24}")
HISTORY_NAME = re.compile(r"[0-9A-F]{8}\.history")
_LONG_HEADER = struct.Struct("<HHIQI4xQII")
"""XLogLongPageHeaderData of a little-endian machine: magic, info, timeline, page address, remaining
bytes, system identifier, segment size, block size (src/include/access/xlog_internal.h)."""
_HAS_LONG_HEADER = 0x0002
_PER_LOG = 1 << 32


def parse_lsn(text: str) -> Lsn:
    """`0/3000028` as PostgreSQL writes it. ValueError for anything else."""
    high, slash, low = text.strip().partition("/")
    if not slash:
        raise ValueError(f"{text!r} is no position of a write-ahead log")
    return Lsn(int(high, 16) * _PER_LOG + int(low, 16))


def format_lsn(lsn: Lsn) -> str:
    """As PostgreSQL writes it."""
    return f"{lsn // _PER_LOG:X}/{lsn % _PER_LOG:08X}"


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One file of the log: its timeline, and which one it is since the log's beginning."""

    timeline: int
    number: int

    @classmethod
    def of(cls, name: str, *, size: int) -> Segment:
        """The segment that a file's name says; `size` is a segment's size in bytes."""
        if not SEGMENT_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no segment of a write-ahead log")
        timeline, log, part = (int(name[i : i + 8], 16) for i in (0, 8, 16))
        return cls(timeline, log * (_PER_LOG // size) + part)

    @classmethod
    def at(cls, timeline: int, lsn: Lsn, *, size: int) -> Segment:
        """The segment that has the byte at `lsn`."""
        return cls(timeline, lsn // size)

    def name(self, *, size: int) -> str:
        """The name of its file."""
        log, part = divmod(self.number, _PER_LOG // size)
        return f"{self.timeline:08X}{log:08X}{part:08X}"

    def start(self, *, size: int) -> Lsn:
        """Where it begins."""
        return Lsn(self.number * size)

    def end(self, *, size: int) -> Lsn:
        """Where the next one begins."""
        return Lsn((self.number + 1) * size)


@dataclass(frozen=True, slots=True)
class Header:
    """What the first page of a segment says about it."""

    timeline: int
    start: Lsn
    system_identifier: int
    segment_size: int


def read_header(first_bytes: bytes) -> Header:
    """The header of a segment. ValueError where there is none, as in a file of zeros."""
    if len(first_bytes) < _LONG_HEADER.size:
        raise ValueError("it is too short")
    _, info, timeline, start, _, system, size, _ = _LONG_HEADER.unpack_from(first_bytes)
    if not info & _HAS_LONG_HEADER:
        raise ValueError("it does not begin as a segment does")
    return Header(timeline, Lsn(start), system, size)


def check_segment(content: bytes, segment: Segment, *, size: int, system_identifier: int) -> None:
    """Raise ValueError unless this is the whole of that segment of that cluster."""
    if len(content) != size:
        raise ValueError(f"it has {len(content)} bytes instead of {size}")
    header = read_header(content)
    if header.system_identifier != system_identifier:
        raise ValueError(f"it is of another cluster ({header.system_identifier})")
    if header.start != segment.start(size=size):
        raise ValueError(f"it begins at {format_lsn(header.start)}, as another segment does")


@dataclass(frozen=True, slots=True)
class Switch:
    """Where a timeline was left for the next one."""

    timeline: int
    lsn: Lsn


def parse_history(text: str) -> Sequence[Switch]:
    """A timeline's ancestors, the oldest first."""
    lines = (line.split() for line in text.splitlines() if line.strip() and line.strip()[0] != "#")
    return [Switch(int(fields[0]), parse_lsn(fields[1])) for fields in lines]


@dataclass(frozen=True, slots=True)
class Line:
    """The timelines from one to its newest descendant."""

    left: Sequence[Switch]
    """Those that were left for the next one, and where."""
    newest: int


def newest_line(timeline: int, lsn: Lsn, histories: Mapping[int, Sequence[Switch]]) -> Line:
    """The line that leads on from `lsn` of a timeline, as recovery to the latest one takes it."""
    newest = Line((), timeline)
    for descendant, ancestors in sorted(histories.items()):
        for index, switch in enumerate(ancestors):
            if switch.timeline == timeline and switch.lsn >= lsn:
                newest = Line(ancestors[index:], descendant)
    return newest


@dataclass(frozen=True, slots=True)
class Chain:
    """The log from a position on: what is there without interruption, and what is missing then."""

    whole: Sequence[Segment]
    missing: Sequence[Segment]
    beyond: int = 0
    """How many segments there are behind the first gap."""


def chain(
    timeline: int,
    lsn: Lsn,
    segments: Collection[Segment],
    histories: Mapping[int, Sequence[Switch]],
    *,
    size: int,
    partial: Segment | None = None,
) -> Chain:
    """What follows `lsn`, along the line that leads on from there.

    All before a partial segment is wanted, though that itself is not whole.
    """
    there = set(segments)
    line = newest_line(timeline, lsn, histories)
    known = [*there, Segment(partial.timeline, partial.number - 1)] if partial else there
    wanted = list(_wanted(lsn, line, known, size=size))
    missing = [segment for segment in wanted if segment not in there]
    whole = wanted[: wanted.index(missing[0])] if missing else wanted
    return Chain(whole, missing, len(wanted) - len(missing) - len(whole))


def _wanted(lsn: Lsn, line: Line, there: Collection[Segment], *, size: int) -> Iterator[Segment]:
    number = lsn // size
    for switch in line.left:
        # The segment in which a timeline is left is, whole, the first of the next one.
        end = switch.lsn // size
        yield from (Segment(switch.timeline, n) for n in range(number, end))
        number = max(number, end)
    last = max((one.number for one in there if one.timeline == line.newest), default=number - 1)
    yield from (Segment(line.newest, n) for n in range(number, last + 1))
