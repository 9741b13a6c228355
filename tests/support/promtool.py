"""promtool, from Debian's package of Prometheus, unpacked and not installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path


def apt_is_here() -> bool:
    """Whether the package can be fetched at all."""
    return shutil.which("apt-get") is not None and shutil.which("dpkg") is not None


def fetched(folder: Path) -> Path:
    """promtool in `folder`, fetched where it is not there yet."""
    tool = folder / "root" / "usr" / "bin" / "promtool"
    if not tool.is_file():
        fetching = folder / f"fetching-{os.getpid()}"
        fetching.mkdir(parents=True)
        try:
            # apt-get's own sandbox cannot write to a folder of ours; nothing here needs its user.
            _run("apt-get", "-o", "APT::Sandbox::User=root", "download", "prometheus", cwd=fetching)
            (package,) = fetching.glob("prometheus_*.deb")
            _run("dpkg", "-x", package.name, "root", cwd=fetching)
            shutil.rmtree(folder / "root", ignore_errors=True)
            (fetching / "root").rename(folder / "root")
        finally:
            shutil.rmtree(fetching, ignore_errors=True)
    return tool


def _run(*command: str, cwd: Path) -> None:
    done = subprocess.run(
        command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
