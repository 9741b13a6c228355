from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from gardenos.orchestrator.board import AGENT_PREFIX, POOLS, LocalBoard, decode, encode


def test_notes_are_read_by_the_beginning_of_their_key() -> None:
    board = LocalBoard()
    board.put(POOLS, b"1")
    board.put(f"{AGENT_PREFIX}a", b"2")
    board.put(f"{AGENT_PREFIX}b", b"3")
    board.put(f"{AGENT_PREFIX}b", b"4")
    assert board.read(AGENT_PREFIX) == {"agent:a": b"2", "agent:b": b"4"}
    assert board.read(POOLS) == {POOLS: b"1"}


def test_a_note_taken_down_is_gone_and_twice_is_no_error() -> None:
    board = LocalBoard()
    board.put(POOLS, b"1")
    board.drop(POOLS)
    board.drop(POOLS)
    assert board.read("") == {}


def test_a_note_survives_its_encoding() -> None:
    note = {"at": 1.5, "pools": {"a": {"backlog": 3, "override": None}}}
    assert decode(encode(note)) == note


def test_what_json_has_no_word_for_is_written_as_text() -> None:
    note = decode(encode({"id": UUID(int=1), "at": datetime(2026, 1, 1, tzinfo=UTC)}))
    assert note == {"id": str(UUID(int=1)), "at": "2026-01-01 00:00:00+00:00"}


@pytest.mark.parametrize("note", [b"", b"{", b"[1]", b"null", b"\xff\xfe"])
def test_a_note_that_cannot_be_read_is_empty(note: bytes) -> None:
    assert decode(note) == {}
