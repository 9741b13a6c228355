"""The quickstart notebook does what it says, against a running installation."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Protocol

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "examples" / "quickstart.ipynb"


class Installation(Protocol):
    """What the notebook needs of a running installation."""

    @property
    def url(self) -> str: ...
    @property
    def token(self) -> str: ...


def read() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def printed(notebook: Any) -> str:
    """Everything the executed cells printed."""
    return "".join(
        output.text
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == "stream" and output.name == "stdout"
    )


def test_the_notebook_is_kept_without_outputs() -> None:
    cells = [cell for cell in read().cells if cell.cell_type == "code"]
    assert cells
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells)


@pytest.mark.ray
def test_the_quickstart_notebook_runs(installation: Installation) -> None:
    notebook = read()
    client = NotebookClient(notebook, timeout=180, kernel_name="python3")
    client.execute(
        env={
            **os.environ,
            "GARDENOS_URL": installation.url,
            "GARDENOS_TOKEN": installation.token,
        }
    )
    said = printed(notebook)
    assert "Maren Nordlicht Interior new" in said
    assert re.search(r"quality \d{1,3}/100, probability \d{1,3}%", said)
    assert "lead_analysis 2\nlead_analysis 1\n" in said
