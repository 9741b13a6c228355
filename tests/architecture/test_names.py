"""Who may name what: rules about names inside modules, which import contracts cannot see."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "gardenos"
Finds = Callable[[ast.AST], bool]


def imported(node: ast.AST) -> Iterator[str]:
    """The dotted names an import statement could bind: `from a import b` may bind module `a.b`."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        yield module
        yield from (f"{module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        yield from (str(arg.value) for arg in node.args if isinstance(arg, ast.Constant))


def imports(*packages: str) -> Finds:
    def finds(node: ast.AST) -> bool:
        return any(f"{name}.".startswith(f"{p}.") for name in imported(node) for p in packages)

    return finds


def names(*dotted: str) -> Finds:
    def finds(node: ast.AST) -> bool:
        if isinstance(node, ast.Attribute):
            return ast.unparse(node) in dotted
        return any(name in dotted for name in imported(node))

    return finds


def reaches_the_pool(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute) and node.attr == "pool":
        return True
    return names("asyncpg.connect", "asyncpg.create_pool")(node) or imports("gardenos.db.pool")(
        node
    )


def leaves_the_sdk(node: ast.AST) -> bool:
    known = (
        "gardenos.sdk.",
        "gardenos.core.errors.",
        "gardenos.core.ids.",
        "gardenos.__version__.",
    )
    ours = [name for name in imported(node) if name.startswith(("gardenos.", "."))]
    ours = [name for name in ours if name != "gardenos.core"]  # `from gardenos.core import errors`
    return any(not f"{name}.".startswith(known) for name in ours)


@dataclass(frozen=True)
class Rule:
    what: str
    finds: Finds
    only_in: tuple[str, ...] = ("",)
    never_in: tuple[str, ...] = ()

    def binds(self, path: str) -> bool:
        """Whether the module at `path`, relative to the package, must not match."""
        if self.never_in:
            return path.startswith(self.never_in)
        return not path.startswith(self.only_in)


RULES = {
    "ray": Rule("imports ray", imports("ray"), ("serve/", "orchestrator/actor.py")),
    "openai": Rule("imports openai", imports("openai"), ("ai/llm/openai.py",)),
    "jwt": Rule("imports jwt", imports("jwt"), ("auth/tokens.py",)),
    "pool": Rule(
        "reaches past sessions to the pool or to a connection of its own",
        reaches_the_pool,
        # The listener's connection hears of every agency's tasks and reads no row.
        ("db/", "orchestrator/store.py", "orchestrator/listener.py", "serve/", "cli/", "testing/"),
    ),
    "environment": Rule(
        "reads the environment",
        names("os.environ", "os.environb", "os.getenv", "os.putenv"),
        ("core/config.py", "cli/", "serve/environment.py", "discovery/__main__.py"),
    ),
    "sdk": Rule("imports of ours more than ids and errors", leaves_the_sdk, never_in=("sdk/",)),
}

PLANTED = [
    ("ray", "ai/agents/base.py", "import ray"),
    ("ray", "orchestrator/store.py", "def f():\n    from ray import serve"),
    ("ray", "auth/deps.py", "import importlib\nimportlib.import_module('ray.serve')"),
    ("openai", "ai/llm/rules.py", "from openai import AsyncOpenAI"),
    ("jwt", "auth/routes.py", "import jwt.algorithms as a"),
    ("pool", "crm/leads/store.py", "rows = await services.database.pool.fetch('SELECT 1')"),
    ("pool", "web/services.py", "from gardenos.db.pool import open_database"),
    ("pool", "web/services.py", "from gardenos.db import pool"),
    ("pool", "orchestrator/queue.py", "conn = await asyncpg.connect(dsn)"),
    ("pool", "orchestrator/queue.py", "from asyncpg import create_pool"),
    ("environment", "db/pool.py", "import os\nx = os.environ['X']"),
    ("environment", "ai/llm/openai.py", "import os\nx = os.getenv('X')"),
    ("environment", "serve/app.py", "from os import environ"),
    ("sdk", "sdk/client.py", "from gardenos.core.page import Page"),
    ("sdk", "sdk/client.py", "from gardenos.core import config"),
    ("sdk", "sdk/client.py", "from gardenos import web"),
]
INNOCENT = [
    ("ray", "serve/gateway.py", "from ray import serve"),
    ("ray", "orchestrator/actor.py", "import ray"),
    ("ray", "ai/agents/base.py", "import rayleigh\nray = 1"),
    ("openai", "ai/llm/openai.py", "import openai"),
    ("jwt", "auth/tokens.py", "import jwt"),
    ("pool", "orchestrator/store.py", "database.pool"),
    ("pool", "crm/leads/store.py", "import asyncpg\nasyncpg.UniqueViolationError"),
    ("environment", "core/config.py", "import os\nos.environ"),
    ("environment", "db/embedded.py", "import os\nos.geteuid()"),
    (
        "sdk",
        "sdk/client.py",
        "from gardenos import __version__\nfrom gardenos.core.ids import LeadId",
    ),
]


def violations(rule: Rule, path: str, source: str) -> list[str]:
    if not rule.binds(path):
        return []
    return [
        f"gardenos/{path}:{getattr(node, 'lineno', 0)} {rule.what}"
        for node in ast.walk(ast.parse(source))
        if rule.finds(node)
    ]


@pytest.mark.parametrize("name", RULES)
def test_the_package_keeps_the_rule(name: str) -> None:
    found = [
        violation
        for file in sorted(PACKAGE.rglob("*.py"))
        for violation in violations(
            RULES[name], file.relative_to(PACKAGE).as_posix(), file.read_text("utf-8")
        )
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("name", "path", "source"), PLANTED)
def test_a_planted_violation_is_found(name: str, path: str, source: str) -> None:
    assert violations(RULES[name], path, source)


@pytest.mark.parametrize(("name", "path", "source"), INNOCENT)
def test_what_is_allowed_is_not_found(name: str, path: str, source: str) -> None:
    assert violations(RULES[name], path, source) == []
