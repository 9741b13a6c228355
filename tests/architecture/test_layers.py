from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINTER = Path(sys.executable).parent / "lint-imports"


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of `pyproject.toml` against the package `gardenos` in `folder`."""
    return subprocess.run(
        [LINTER, "--no-cache", "--no-logo", "--config", ROOT / "pyproject.toml"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package's modules in a folder of their own, to plant violations in."""
    shutil.copytree(
        ROOT / "gardenos",
        tmp_path / "gardenos",
        ignore=lambda _folder, names: [n for n in names if "." in n and not n.endswith(".py")],
    )
    return tmp_path


def test_every_contract_is_kept() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("core/planted.py", "import gardenos.db.pool", "Imports point down only"),
        ("web/planted.py", "import gardenos.orchestrator.task", "Imports point down only"),
        ("orchestrator/planted.py", "import gardenos.auth", "Imports point down only"),
        ("undeclared/__init__.py", "", "Imports point down only"),
        ("sdk/planted.py", "import gardenos.core.page", "The SDK knows the wire"),
        ("crm/planted.py", "import gardenos.sdk", "Only the command line is a client"),
        ("db/planted.py", "import gardenos.testing.postgres", "What ships does not lean"),
        ("testing/planted.py", "import gardenos.serve", "The fakes stay below"),
    ],
)
def test_a_planted_import_breaks_its_contract(
    copy: Path, module: str, line: str, contract: str
) -> None:
    planted = copy / "gardenos" / module
    planted.parent.mkdir(exist_ok=True)
    planted.write_text(line + "\n")
    done = lint(copy)
    assert done.returncode != 0
    broken = [said for said in done.stdout.splitlines() if said.endswith("BROKEN")]
    assert any(said.startswith(contract) for said in broken), done.stdout


@pytest.mark.parametrize(("upper", "lower"), [("leads", "contacts"), ("deals", "audit")])
def test_a_noun_that_imports_upwards_breaks_the_crms_contract(
    copy: Path, upper: str, lower: str
) -> None:
    for noun, line in ((upper, ""), (lower, f"import gardenos.crm.{upper}\n")):
        folder = copy / "gardenos" / "crm" / noun
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").touch()
        (folder / "planted.py").write_text(line)
    done = lint(copy)
    assert "Inside the CRM, nouns point down too BROKEN" in done.stdout, done.stdout
