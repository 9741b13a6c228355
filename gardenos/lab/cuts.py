"""What is cut off, and which connections that stops: written by whoever breaks, read by the wires."""

from __future__ import annotations

import secrets
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from gardenos.lab.layout import Link, Reach

_FILE, _OBEYED = "cuts.json", "cuts.obeyed"


class Cuts(BaseModel):
    """The nodes that are cut off, from everything or from some of it."""

    model_config = ConfigDict(frozen=True)

    isolated: frozenset[str] = frozenset()
    """From everybody, both ways: a pulled cable."""
    without_etcd: frozenset[str] = frozenset()
    """From etcd alone: clients and other nodes still reach it."""

    def stops(self, link: Link, source: str | None) -> bool:
        """Whether bytes of a connection over `link` vanish; `source` is the node it comes from.

        What a node says to itself goes over no link.
        """
        if link.node in self.isolated or source in self.isolated:
            return True
        return link.reach is Reach.ETCD and link.node in self.without_etcd


def order(run: Path, cuts: Cuts) -> str:
    """Write down what is to be cut; the token that `obeyed` shows once it is."""
    token = secrets.token_hex(8)
    half = run / f".cuts.{token}"
    half.write_text(f"{token}\n{cuts.model_dump_json()}\n", "utf-8")
    half.chmod(0o644)
    half.replace(run / _FILE)
    return token


def ordered(run: Path) -> tuple[str, Cuts]:
    """The last order and its token; nothing is cut where there is none."""
    try:
        token, _, text = (run / _FILE).read_text("utf-8").partition("\n")
    except FileNotFoundError:
        return "", Cuts()
    return token, Cuts.model_validate_json(text)


def obeyed(folder: Path) -> str:
    """The token of the order that is in force. `folder` is the wires' own."""
    try:
        return (folder / _OBEYED).read_text("utf-8")
    except FileNotFoundError:
        return ""


def obey(folder: Path, token: str) -> None:
    """Say that the order of this token is in force."""
    half = folder / f".{_OBEYED}"
    half.write_text(token, "utf-8")
    half.replace(folder / _OBEYED)
