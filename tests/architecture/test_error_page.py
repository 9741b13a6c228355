"""docs/errors.md lists every error there is, with its status, and no other."""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import gardenos
from gardenos.core.errors import GardenOSError

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
_ROW = re.compile(r"^\| `(?P<code>[a-z_-]+)` \|(?: (?P<status>\d{3}) \|)?", re.MULTILINE)


def listed() -> list[tuple[str, int | None]]:
    """The codes of the page's tables; None for the status of what no HTTP answer has."""
    return [
        (row["code"], int(row["status"]) if row["status"] else None)
        for row in _ROW.finditer(PAGE.read_text("utf-8"))
    ]


def tree(kind: type[GardenOSError] = GardenOSError) -> Iterator[type[GardenOSError]]:
    """The error classes that stand in our modules; not those that tests make, or clients as they go."""
    module = sys.modules.get(kind.__module__)
    ours = kind.__module__.partition(".")[0] == gardenos.__name__
    if ours and getattr(module, kind.__name__, None) is kind:
        yield kind
    for child in kind.__subclasses__():
        yield from tree(child)


def existing() -> set[tuple[str, int]]:
    for module in pkgutil.walk_packages(gardenos.__path__, "gardenos."):
        importlib.import_module(module.name)
    return {(kind.code, kind.status) for kind in tree()}


# Ray Serve's own models, as they are imported.
@pytest.mark.filterwarnings("ignore::pydantic.PydanticDeprecatedSince20")
def test_the_page_lists_every_error_and_no_other() -> None:
    errors = existing()
    page = listed()
    assert {code for code, _ in page} == {code for code, _ in errors}
    statuses = {(code, status) for code, status in page if status is not None}
    unsent = {code for code, status in page if status is None}
    assert statuses == {(code, status) for code, status in errors if code not in unsent}


def test_the_page_lists_each_error_once() -> None:
    page = listed()
    assert len(page) == len(set(page))
