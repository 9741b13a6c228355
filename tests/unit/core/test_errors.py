"""The trees drawn in docstrings are the classes below them; a class's docstring is its message."""

from __future__ import annotations

import inspect
import re
from types import ModuleType

import pytest

from gardenos.ai.llm import errors as llm_errors
from gardenos.auth import errors as auth_errors
from gardenos.core import errors
from gardenos.core.errors import GardenOSError
from gardenos.sdk import errors as sdk_errors

_NODE = re.compile(
    r"^(?P<lead>[ │├└─]*)(?P<name>[A-Z]\w*)(?: +(?P<status>\d{3}) (?P<code>[\w-]+).*)?$",
    re.MULTILINE,
)
TREES = [
    pytest.param(errors, GardenOSError, id="core"),
    pytest.param(auth_errors, auth_errors.SignInError, id="auth"),
    pytest.param(llm_errors, llm_errors.LLMError, id="llm"),
    pytest.param(sdk_errors, GardenOSError, id="sdk"),
]


def drawn(module: ModuleType, root: str) -> dict[str, tuple[str | None, int, str] | None]:
    """Parent, status and code by the name of each class; None for a root drawn without them."""
    found: dict[str, tuple[str | None, int, str] | None] = {}
    path: list[tuple[int, str]] = []
    for node in _NODE.finditer(module.__doc__ or ""):
        if not path and node["name"] != root:
            continue
        depth = len(node["lead"])
        path = [step for step in path if step[0] < depth]
        parent = path[-1][1] if path else None
        path.append((depth, node["name"]))
        said = node["status"] is not None
        found[node["name"]] = (parent, int(node["status"]), node["code"]) if said else None
    return found


@pytest.mark.parametrize(("module", "root"), TREES)
def test_the_drawing_shows_every_class_where_it_stands(
    module: ModuleType, root: type[GardenOSError]
) -> None:
    classes = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, root) and kind.__module__ == module.__name__
    ]
    tree = drawn(module, root.__name__)
    assert len(classes) >= 4
    names = {kind.__name__ for kind in classes}
    # A branch that another tree bears is drawn without status and code.
    assert names <= tree.keys()
    assert not [name for name in tree.keys() - names if tree[name] is not None]
    for kind in classes:
        parent = None if kind is root else kind.__bases__[0].__name__
        shown = tree[kind.__name__]
        assert shown == (parent, kind.status, kind.code) or (kind is root and shown is None)


def test_a_drawing_is_read_as_it_is_drawn() -> None:
    module = ModuleType("planted", "    A     500 a\n    └── B    400 b\n        └── C    401 c\n")
    assert drawn(module, "A") == {
        "A": (None, 500, "a"),
        "B": ("A", 400, "b"),
        "C": ("B", 401, "c"),
    }


def test_the_docstring_is_the_message_unless_another_is_given() -> None:
    assert errors.NotFound().detail == errors.NotFound.__doc__
    assert errors.NotFound("No lead 7.").problem(instance="/v1/leads/7") == {
        "type": "urn:gardenos:problem:not-found",
        "title": "Not found",
        "status": 404,
        "detail": "No lead 7.",
        "instance": "/v1/leads/7",
    }


@pytest.mark.parametrize(("module", "root"), TREES)
def test_every_message_is_a_sentence(module: ModuleType, root: type[GardenOSError]) -> None:
    for kind in vars(module).values():
        if isinstance(kind, type) and issubclass(kind, root):
            detail = inspect.cleandoc(kind.__doc__ or "")
            assert detail[:1].isupper(), kind
            assert detail.endswith("."), kind
