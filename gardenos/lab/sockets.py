"""Whose a connection is: the kernel says which socket it is, and which processes hold it (Linux)."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from gardenos.lab.layout import Address

Inode: TypeAlias = int
_PROC = Path("/proc")
_SOCK_DIAG = 4
"""NETLINK_SOCK_DIAG, which the socket module does not name."""
_BY_FAMILY, _REQUEST, _ERROR = 20, 1, 2
_HEADER = struct.Struct("=IHHII")
_ASKED = struct.Struct("=BBBxI")
_ENDS = struct.Struct("!HH4s12x4s12x")
_ANY = struct.Struct("=III")
_INODE_AT = _HEADER.size + 68
_ANY_STATE = 0xFFFF_FFFF


def inode_of(near: Address, far: Address) -> Inode | None:
    """The socket at the `near` end of a TCP connection over IPv4; None where there is none.

    One question about one connection: reading /proc/net/tcp takes a busy machine a quarter of a
    second.
    """
    ends = _ENDS.pack(near.port, far.port, socket.inet_aton(near.host), socket.inet_aton(far.host))
    anywhere = _ANY.pack(0, _ANY_STATE, _ANY_STATE)  # any interface, no cookie
    asked = _ASKED.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, _ANY_STATE) + ends + anywhere
    head = _HEADER.pack(_HEADER.size + len(asked), _BY_FAMILY, _REQUEST, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _SOCK_DIAG) as kernel:
        kernel.sendto(head + asked, (0, 0))
        answer = kernel.recv(4096)
    kind = _HEADER.unpack_from(answer)[1]
    return None if kind == _ERROR else int(struct.unpack_from("=I", answer, _INODE_AT)[0])


def processes_in(folder: Path) -> list[int]:
    """The processes that work in `folder` or below it."""
    inside = f"{folder}/"
    found: list[int] = []
    for name in os.listdir(_PROC):  # noqa: PTH208 hundreds of them, by number alone
        if name.isdecimal():
            with contextlib.suppress(OSError):
                # PTH115: as above.
                if f"{os.readlink(f'/proc/{name}/cwd')}/".startswith(inside):  # noqa: PTH115
                    found.append(int(name))
    return found


def held_by(processes: Iterable[int]) -> set[Inode]:
    """The sockets that these processes hold."""
    found: set[Inode] = set()
    for pid in processes:
        with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as files:
            for file in files:
                with contextlib.suppress(OSError):
                    goal = os.readlink(file.path)  # noqa: PTH115 as above
                    if goal.startswith("socket:["):
                        found.add(int(goal[len("socket:[") : -1]))
    return found
