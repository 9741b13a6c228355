"""Named SQL blocks: `queries.sql` beside the code that runs them, one `-- name: verb_noun` each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files

_BLOCK = re.compile(r"^-- name: (?P<name>\w+)\s*$", re.MULTILINE)


class Queries(Mapping[str, str]):
    """The blocks of one `queries.sql`; `queries["lease_lanes"]` is its text."""

    def __init__(self, package: str, text: str) -> None:
        self.package = package
        parts = _BLOCK.split(text)
        names, bodies = parts[1::2], parts[2::2]
        doubled = {name for name in names if names.count(name) > 1}
        if doubled:
            raise ValueError(f"{package}: queries.sql names {sorted(doubled)} twice.")
        self._blocks = {n: body.strip() for n, body in zip(names, bodies, strict=True)}

    def __getitem__(self, name: str) -> str:
        return self._blocks[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._blocks)

    def __len__(self) -> int:
        return len(self._blocks)


def load(package: str) -> Queries:
    """The `queries.sql` of a package, as in `load("gardenos.crm.leads")`."""
    return Queries(package, files(package).joinpath("queries.sql").read_text("utf-8"))
