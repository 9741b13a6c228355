"""What a job title says about who decides: read by whole words, and only where it is a title."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache

_WORDS = re.compile(r"[^a-z0-9]+")
_LONGEST_TITLE = 80
"""Longer text is prose, which may be written to look like anything: it counts as unknown."""


class Job(StrEnum):
    """The standing a title speaks of."""

    SENIOR = "senior"
    WORKING = "working"
    STUDENT = "student"
    NOT_WORKING = "not_working"
    UNKNOWN = "unknown"


_SENIOR = frozenset(
    [
        "owner",
        "founder",
        "cofounder",
        "ceo",
        "cto",
        "cfo",
        "coo",
        "cmo",
        "cio",
        "chief",
        "president",
        "vp",
        "director",
        "head",
        "partner",
        "principal",
        "businessman",
        "businesswoman",
        "entrepreneur",
        "proprietor",
    ]
)
_STUDENT = frozenset(["student", "pupil", "intern", "trainee", "undergraduate"])
_NOT_WORKING = frozenset(
    ["unemployed", "jobless", "retired", "housewife", "homemaker", "jobseeker"]
)
_NOTHING = frozenset(["other", "others", "misc", "na", "select", "unknown"])


@lru_cache(maxsize=2048)
def standing(title: str) -> Job:
    """The standing of whoever holds this title; any real title is somebody at work."""
    if len(title) > _LONGEST_TITLE:
        return Job.UNKNOWN
    words = set(_WORDS.sub(" ", title.lower()).split())
    if words & _NOT_WORKING:
        return Job.NOT_WORKING
    if words & _STUDENT:
        return Job.STUDENT
    if words & _SENIOR:
        return Job.SENIOR
    if words <= _NOTHING and title.isascii():
        return Job.UNKNOWN
    return Job.WORKING
