"""The program `gardenos` as a person runs it, bound to one home."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import dataclass, field
from pathlib import Path

from gardenos.cli.home import Home

GARDENOS = Path(sys.executable).with_name("gardenos")


@dataclass(frozen=True)
class Said:
    """What a command printed, and how it ended."""

    code: int
    output: str
    errors: str

    @property
    def failure(self) -> list[str]:
        """The lines on stderr of a command that failed: a sentence, and what to do about it."""
        assert self.code == 1, self
        assert "Traceback" not in self.errors
        return [line.strip("✗ ") for line in self.errors.splitlines()]


@dataclass(frozen=True)
class CommandLine:
    """`gardenos`, bound to a home."""

    home: Home
    env: dict[str, str] = field(default_factory=dict[str, str])

    async def run(self, *args: str | Path, **env: str) -> Said:
        """Run a command to its end. Its variables are those of nobody's installation."""
        others = {n: v for n, v in os.environ.items() if not n.startswith("GARDENOS_")}
        given = {"GARDENOS_HOME": str(self.home.folder), "COLUMNS": "200", **self.env, **env}
        process = await asyncio.create_subprocess_exec(
            GARDENOS,
            *map(str, args),
            env=others | given,
            cwd=self.home.folder.parent,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
        )
        output, errors = await process.communicate()
        assert process.returncode is not None
        return Said(process.returncode, output.decode(), errors.decode())

    async def ok(self, *args: str | Path, **env: str) -> str:
        """The output of a command that must succeed."""
        said = await self.run(*args, **env)
        assert said.code == 0, said
        return said.output
