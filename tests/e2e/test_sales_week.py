"""The sales week of docs/api.md on an installation as people have it: Serve, HAProxy, agents."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.api_page import assert_it_is_what_the_page_tells, run_the_week_twice
from tests.support.garden import Garden

pytestmark = [pytest.mark.ray, pytest.mark.timeout(400)]


def test_a_sales_week_ends_alike_by_curl_and_by_the_sdk(garden: Garden) -> None:
    assert_it_is_what_the_page_tells(asyncio.run(run_the_week_twice(garden.url)))
