"""Which tests keep to one process when the suite is shared between several."""

from __future__ import annotations

from typing import Final

from xdist.scheduler import LoadScopeScheduling

CLUSTERS: Final = ("tests/chaos/", "tests/e2e/", "tests/ha/")
"""The folders of tests that bring up clusters, on ports that nobody else can have meanwhile."""


def group_of(nodeid: str) -> str:
    """Tests of one group run in one process, one after another: those with clusters, and each file's."""
    return "clusters" if nodeid.startswith(CLUSTERS) else nodeid.partition("::")[0]


class Shared(LoadScopeScheduling):
    """Deals groups out to processes, the largest first.

    By the names of the tests alone: xdist's own marks of groups are not kept to with pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)
