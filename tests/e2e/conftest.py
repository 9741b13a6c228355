"""One running installation for every test that needs one, brought up as a newcomer does."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.support.garden import Garden, new_garden


@pytest.fixture(scope="session")
def installation() -> Generator[Garden]:
    """An installation that is up. Whoever kills a part of it brings it back."""
    for garden in new_garden():
        garden.ok("up")
        yield garden
