"""Which tests keep to one process when the suite is shared between several, and in what order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    import pytest

CLUSTERS: Final = ("tests/chaos/", "tests/e2e/", "tests/ha/")
"""The folders of tests that bring up clusters, on ports that nobody else can have meanwhile."""
LONGEST: Final = ("clusters", "tests/integration/test_fuzz.py")
"""Groups that take minutes, the longest first, however few tests they have.

One of them that starts late is worked off alone, while every other process has nothing left to do.
"""


def group_of(nodeid: str) -> str:
    """Tests of one group run in one process, one after another: those with clusters, and each file's."""
    return "clusters" if nodeid.startswith(CLUSTERS) else nodeid.partition("::")[0]


def order(nodeids: Iterable[str]) -> list[str]:
    """The groups of these tests as they are dealt out: the longest, then those of the most tests."""
    sizes = Counter(group_of(nodeid) for nodeid in nodeids)
    first = [group for group in LONGEST if group in sizes]
    return first + [group for group, _ in sizes.most_common() if group not in LONGEST]


class Shared(LoadScopeScheduling):
    """Deals groups out to processes in the order in which their first tests were collected.

    By the names of the tests alone: xdist's own marks of groups are not kept to with pytest 9.2.
    """

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        super().__init__(config, log)
        # xdist would deal a group of one test out last, however long it takes.
        config.option.loadscopereorder = False

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
