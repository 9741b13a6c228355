"""The wires between the nodes: a TCP relay per link whose bytes can be made to vanish.

A cut connection stays open and carries nothing, either way, as with a pulled cable; what was on
its way arrives after the cut is mended. New connections are taken and carry nothing. That is what
a network does to its users, with one difference: a handshake into a cut succeeds here.

    python -m gardenos.lab.wires FOLDER BASE_PORT
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
import time
from pathlib import Path
from typing import cast

from gardenos.lab import cuts as orders
from gardenos.lab import sockets
from gardenos.lab.cuts import Cuts
from gardenos.lab.layout import HOST, WIRES, Address, Layout, Link

_LOOK_S = 0.02
_FORGOTTEN_S = 1.0
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends RST."""


class _End(asyncio.Protocol):
    """One end of a connection; what it receives, the other one sends."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: _End | None = None
        self.cut = False
        self.ended = False
        self.choked = False
        """The other end's buffer is full."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.other and self.other.transport:
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        """Half of the connection has ended; both halves, and it is closed."""
        self.ended = True
        if self.other and self.other.transport:
            if self.other.ended:
                self.other.transport.close()
                return False
            self.other.transport.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 the base names it
        if self.other and self.other.transport:
            self.other.transport.close()

    def pause_writing(self) -> None:
        if self.other:
            self.other.choked = True
            self.other.listen()

    def resume_writing(self) -> None:
        if self.other:
            self.other.choked = False
            self.other.listen()

    def listen(self) -> None:
        """Read, or do not, as is due."""
        if self.transport is None or self.transport.is_closing():
            return
        if self.cut or self.choked:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()


class _Connection:
    """Both ends of one connection over a link."""

    def __init__(self, link: Link, near: _End, peer: Address) -> None:
        self.link = link
        self.near = near
        self.far = _End()
        self.peer = peer
        near.other, self.far.other = self.far, near

    def cut(self, wanted: bool) -> None:
        for end in (self.near, self.far):
            end.cut = wanted
            end.listen()

    @property
    def open(self) -> bool:
        return self.near.transport is not None and not self.near.transport.is_closing()


class Wires:
    """All links of a lab."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._cuts = Cuts()
        self._connections: set[_Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._seen: dict[str, tuple[float, list[int]]] = {}

    async def run(self) -> None:
        """Relay, and obey orders, until cancelled."""
        loop = asyncio.get_running_loop()
        with contextlib.ExitStack() as stack:
            stack.callback(self._hang_up)
            for link in self._layout.links():
                server = await loop.create_server(
                    lambda link=link: _Door(self, link), *link.listens
                )
                stack.callback(server.close)
            await self._obey()

    async def _obey(self) -> None:
        folder = self._layout.part(WIRES)
        token = ""
        while True:
            asked, cuts = orders.ordered(self._layout.run)
            if asked != token:
                self._cuts = cuts
                self._apply()
                token = asked
                orders.obey(folder, token)
            await asyncio.sleep(_LOOK_S)

    def _hang_up(self) -> None:
        for one in self._connections:
            for end in (one.near, one.far):
                if end.transport is not None:
                    end.transport.abort()

    def _apply(self) -> None:
        self._connections = {one for one in self._connections if one.open}
        for one in self._connections:
            stopped = self._is_stopped(one)
            if one.far.transport is None and not stopped:
                self._connect(one)
            else:
                one.cut(stopped)

    def take(self, link: Link, near: _End, peer: Address) -> None:
        """A connection came in over `link`."""
        one = _Connection(link, near, peer)
        self._connections.add(one)
        one.cut(True)  # until there is a far end to send to
        if not self._is_stopped(one):
            self._connect(one)

    def _is_stopped(self, one: _Connection) -> bool:
        if self._cuts.stops(one.link, None):
            return True
        # Into another node's door anybody may have come, an isolated node too.
        return one.link.inbound and self._cuts.stops(one.link, self._source(one))

    def _source(self, one: _Connection) -> str | None:
        """The isolated node that a connection comes from, if it is one."""
        if self._cuts.isolated:
            inode = sockets.inode_of(one.peer, one.link.listens)
            for node in self._cuts.isolated:
                if inode in sockets.held_by(self._workers(node)):
                    return node
        return None

    def _workers(self, node: str) -> list[int]:
        """The processes of a node, as they were a second ago at most."""
        seen, pids = self._seen.get(node, (0.0, []))
        if time.monotonic() - seen > _FORGOTTEN_S:
            pids = sockets.processes_in(self._layout.part(node))
            self._seen[node] = time.monotonic(), pids
        return pids

    def _connect(self, one: _Connection) -> None:
        task = asyncio.get_running_loop().create_task(self._join(one))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _join(self, one: _Connection) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: one.far, *one.link.leads_to)
        except OSError:
            if one.near.transport is not None:
                _refuse(one.near.transport)
            return
        if one.open:
            one.cut(self._is_stopped(one))
        elif one.far.transport is not None:
            one.far.transport.close()


class _Door(_End):
    """The near end of a connection, made by a listening socket."""

    def __init__(self, wires: Wires, link: Link) -> None:
        super().__init__()
        self._wires = wires
        self._link = link

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        host, port = transport.get_extra_info("peername") or (HOST, 0)
        self._wires.take(self._link, self, Address(host, port))


def _refuse(near: asyncio.Transport) -> None:
    """Nobody listens: say so as the kernel would."""
    plain = near.get_extra_info("socket")
    with contextlib.suppress(OSError):
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    near.abort()


def main(folder: str, base: str) -> None:
    """The program."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(Wires(Layout(Path(folder), int(base))).run())


if __name__ == "__main__":
    main(*sys.argv[1:])
