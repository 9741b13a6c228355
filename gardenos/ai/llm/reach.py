"""Where model calls may go: anywhere in production, nowhere but this machine in tests."""

from __future__ import annotations

import ipaddress
from collections.abc import Generator
from contextlib import contextmanager


class RemoteModelForbidden(RuntimeError):
    """A test tried to call a real model over the network. Give the agent a FunctionLLM instead."""


class _Reach:
    remote: bool = True


_reach = _Reach()


def check(host: str) -> None:
    """Raise `RemoteModelForbidden` where calls to `host` are not allowed now."""
    if _reach.remote or _is_this_machine(host):
        return
    raise RemoteModelForbidden(f"{RemoteModelForbidden.__doc__} ({host})")


@contextmanager
def this_machine_only() -> Generator[None]:
    """Refuse every model that is not on this machine until the block ends."""
    before = _reach.remote
    _reach.remote = False
    try:
        yield
    finally:
        _reach.remote = before


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
