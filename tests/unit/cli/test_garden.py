"""The script `garden`, in a copy of the checkout with a package installer that needs no network."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SYSTEM_PATH = "/usr/bin:/bin"

OLD_PYTHON = """#!/bin/sh
# Answers like a Python 3.9 to both questions that garden asks.
case $2 in *print*) echo 3.9.18 ;; *) exit 1 ;; esac
"""
# Makes environments and notes what it was asked to install; the network is the seam.
UV = """#!/bin/sh
echo "$*" >>"$UV_CALLS"
[ -z "${{UV_DEFAULT_INDEX:-}}" ] || echo "$UV_DEFAULT_INDEX" >"$UV_CALLS.index"
[ "$1" != --version ] || exit 0
if [ "$1" = venv ]; then
  for target in "$@"; do :; done
  exec {python} -m venv --without-pip "$target"
fi
[ ! -e "$UV_CALLS.fails" ] || {{ echo "no network" >&2; exit 2; }}
for project in "$@"; do :; done
case "$*" in
  *" -e "*)
    printf '#!/bin/sh\\necho "$GARDENOS_HOME" "$@"\\n' >"$project/.venv/bin/gardenos"
    chmod +x "$project/.venv/bin/gardenos"
    ;;
esac
"""


@dataclass
class Checkout:
    """A copy of what `garden` needs, in a folder whose name has a space."""

    root: Path
    tools: Path

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    def program(self, name: str, text: str) -> Path:
        """A program on the PATH."""
        path = self.tools / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def run(
        self, *args: str, cwd: Path | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run ./garden with nothing on the PATH but the system's programs and our own."""
        return subprocess.run(
            [self.root / "garden", *args],
            cwd=cwd or self.root,
            env={
                "PATH": f"{self.tools}:{SYSTEM_PATH}",
                "HOME": str(self.tools),
                "UV_CALLS": str(self.calls),
                **env,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def calls(self) -> Path:
        return self.tools / "calls"

    def installed(self) -> list[str]:
        """What uv was asked since the last time."""
        said = self.calls.read_text().splitlines() if self.calls.exists() else []
        self.calls.unlink(missing_ok=True)
        return [line.split()[0] for line in said if not line.startswith("--version")]


def wheel_of_uv(folder: Path) -> None:
    """A wheel that pip installs as uv, without asking anybody."""
    program = zipfile.ZipInfo("uv-1.0.data/scripts/uv")
    program.external_attr = (stat.S_IFREG | 0o755) << 16
    about = "uv-1.0.dist-info"
    files: dict[str | zipfile.ZipInfo, str] = {
        program: UV.format(python=sys.executable),
        f"{about}/METADATA": "Metadata-Version: 2.1\nName: uv\nVersion: 1.0\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/RECORD": "",
    }
    with zipfile.ZipFile(folder / "uv-1.0-py3-none-any.whl", "w") as wheel:
        for name, content in files.items():
            wheel.writestr(name, content)


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    root, tools = tmp_path / "check out", tmp_path / "tools"
    for folder in (root, tools):
        folder.mkdir()
    for name in ("garden", "pyproject.toml"):
        shutil.copy(ROOT / name, root)
    (root / "requirements.lock").write_text("typer==0.29.2 --hash=sha256:00\n")
    return Checkout(root, tools)


@pytest.fixture
def ready(checkout: Checkout) -> Checkout:
    """With a Python and a uv on the PATH."""
    checkout.program("python3.13", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    checkout.program("uv", UV.format(python=sys.executable))
    return checkout


def only_old_pythons(checkout: Checkout) -> None:
    # The system's own python3 must not be found behind it.
    for name in ("python3.13", "python3.12", "python3.11", "python3", "python"):
        checkout.program(name, OLD_PYTHON)


def test_too_old_a_python_is_one_clear_sentence(checkout: Checkout) -> None:
    only_old_pythons(checkout)
    done = checkout.run("up")
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "needs Python 3.11, 3.12 or 3.13" in done.stderr
    assert "python3 is 3.9.18" in done.stderr
    assert "GARDEN_PYTHON=" in done.stderr
    assert not checkout.venv.exists()


def test_a_python_named_by_hand_that_is_too_old_is_refused(checkout: Checkout) -> None:
    old = checkout.program("old", OLD_PYTHON)
    done = checkout.run("up", GARDEN_PYTHON=str(old))
    assert done.returncode == 1
    assert f"GARDEN_PYTHON is {old}, which is Python 3.9.18" in done.stderr


def test_a_python_named_by_hand_that_does_not_run_is_refused(checkout: Checkout) -> None:
    done = checkout.run("up", GARDEN_PYTHON="/no/python")
    assert done.returncode == 1
    assert "GARDEN_PYTHON is /no/python, which is no Python that runs" in done.stderr


@pytest.mark.parametrize("asked", [[], ["--help"], ["-h"]])
def test_help_needs_no_environment_and_makes_none(checkout: Checkout, asked: list[str]) -> None:
    only_old_pythons(checkout)
    done = checkout.run(*asked)
    assert done.returncode == 0
    assert "up [--demo]" in done.stdout
    assert not checkout.venv.exists()


def test_the_first_command_installs_and_the_next_does_not(ready: Checkout) -> None:
    done = ready.run("status", "--x", "a b")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{ready.root}/.garden status --x a b\n"
    assert ready.installed() == ["venv", "pip", "pip"]
    assert ready.run("status").stdout == f"{ready.root}/.garden status\n"
    assert ready.installed() == []


def test_without_uv_pip_brings_it_and_hands_its_index_over(ready: Checkout) -> None:
    ready.program("uv", "#!/bin/sh\nexit 1\n")
    wheel_of_uv(ready.tools)
    done = ready.run(
        "status",
        PIP_NO_INDEX="1",
        PIP_FIND_LINKS=str(ready.tools),
        PIP_INDEX_URL="https://example.org/wheels",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{ready.root}/.garden status\n"
    assert ready.installed() == ["pip", "pip"]
    handed_over = ready.tools / "calls.index"
    assert handed_over.read_text() == "https://example.org/wheels\n"


def test_a_uv_on_the_path_keeps_its_own_index(ready: Checkout) -> None:
    assert ready.run("status", PIP_INDEX_URL="https://example.org/wheels").returncode == 0
    assert not (ready.tools / "calls.index").exists()


def test_it_works_from_anywhere_and_through_a_link(ready: Checkout, tmp_path: Path) -> None:
    link = tmp_path / "tools" / "garden"
    link.symlink_to(os.path.relpath(ready.root / "garden", link.parent))
    done = subprocess.run(
        ["garden", "status"],
        cwd="/",
        env={"PATH": f"{ready.tools}:{SYSTEM_PATH}", "UV_CALLS": str(ready.calls)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == f"{ready.root}/.garden status\n", done.stderr


def test_a_home_named_by_hand_is_kept(ready: Checkout) -> None:
    assert ready.run("status", GARDENOS_HOME="/srv/g").stdout == "/srv/g status\n"


@pytest.mark.parametrize("changed", ["requirements.lock", "pyproject.toml"])
def test_a_changed_lock_or_project_is_installed_again(ready: Checkout, changed: str) -> None:
    ready.run("status")
    ready.installed()
    with (ready.root / changed).open("a") as file:
        file.write("\n# changed\n")
    assert ready.run("status").returncode == 0
    assert ready.installed() == ["pip", "pip"]


def test_an_installation_that_broke_off_is_made_anew(ready: Checkout) -> None:
    fails = ready.tools / "calls.fails"
    fails.touch()
    done = ready.run("status")
    assert done.returncode == 1
    assert "no network" in done.stderr
    assert "Installing failed" in done.stderr.splitlines()[-1]
    ready.installed()
    fails.unlink()
    (ready.venv / "half").touch()
    done = ready.run("status")
    assert done.returncode == 0
    assert "broken or unfinished" in done.stderr
    assert ready.installed() == ["venv", "pip", "pip"]
    assert not (ready.venv / "half").exists()


def test_an_environment_whose_python_is_gone_is_made_anew(ready: Checkout) -> None:
    ready.run("status")
    (ready.venv / "bin" / "python").unlink()
    done = ready.run("status")
    assert done.returncode == 0
    assert "broken or unfinished" in done.stderr


def test_a_checkout_that_was_moved_is_installed_anew(ready: Checkout) -> None:
    ready.run("status")
    ready.installed()
    ready.root = ready.root.rename(ready.root.with_name("moved away"))
    done = ready.run("status")
    assert done.stdout == f"{ready.root}/.garden status\n"
    assert ready.installed() == ["venv", "pip", "pip"]


def test_two_installations_at_once_are_refused(ready: Checkout) -> None:
    ready.venv.mkdir()
    (ready.venv / ".garden-installing").write_text(f"{os.getpid()}\n")
    done = ready.run("status")
    assert done.returncode == 1
    assert f"process {os.getpid()}" in done.stderr
    assert ready.installed() == []


def test_without_the_lock_file_nothing_is_installed(ready: Checkout) -> None:
    (ready.root / "requirements.lock").unlink()
    done = ready.run("status")
    assert done.returncode == 1
    assert "requirements.lock is missing" in done.stderr.splitlines()[-1]
