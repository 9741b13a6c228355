from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from gardenos.lab import cuts
from gardenos.lab.cuts import Cuts
from gardenos.lab.layout import NODES, WIRES, Layout
from gardenos.lab.wires import Wires
from tests.support.lab import free_base_port
from tests.support.waiting import until

ISOLATED = Cuts(isolated=frozenset({"pg1"}))

CALL = """
import contextlib, socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1) as called:
    called.sendall(b"hello")
    with contextlib.suppress(TimeoutError):
        print(called.recv(5).decode(), end="")
"""


async def ordered(layout: Layout, wanted: Cuts) -> None:
    """Returns once the wires obey."""
    token = cuts.order(layout.run, wanted)
    await asyncio.to_thread(
        until, lambda: cuts.obeyed(layout.part(WIRES)), lambda seen: seen == token, within_s=10
    )


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture
async def layout(tmp_path: Path) -> AsyncGenerator[Layout]:
    """Wires between nodes; the PostgreSQL of pg1 and of pg2 says again what it hears."""
    made = Layout(tmp_path, free_base_port())
    for folder in (made.run, made.part(WIRES), *map(made.part, NODES)):
        folder.mkdir()
    first = await asyncio.start_server(echo, *made.postgres(1))
    second = await asyncio.start_server(echo, *made.postgres(2))
    wires = asyncio.create_task(Wires(made).run())
    await ordered(made, Cuts())
    async with first, second:
        yield made
        wires.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await wires


async def said_back(layout: Layout, what: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*layout.postgres_door(1))
    writer.write(what)
    answer = await reader.readexactly(len(what))
    writer.close()
    return answer


async def test_bytes_pass_both_ways(layout: Layout) -> None:
    much = bytes(range(256)) * 20_000
    assert await said_back(layout, much) == much


async def test_bytes_into_a_cut_vanish_and_arrive_once_it_is_mended(layout: Layout) -> None:
    reader, writer = await asyncio.open_connection(*layout.postgres_door(1))
    writer.write(b"before")
    assert await reader.readexactly(6) == b"before"
    await ordered(layout, ISOLATED)
    writer.write(b"within")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.5)
    await ordered(layout, Cuts())
    assert await asyncio.wait_for(reader.readexactly(6), 10) == b"within"
    writer.close()


async def test_a_connection_made_into_a_cut_carries_nothing(layout: Layout) -> None:
    await ordered(layout, ISOLATED)
    reader, writer = await asyncio.open_connection(*layout.postgres_door(1))
    writer.write(b"hello")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.5)
    writer.close()


@pytest.mark.parametrize(("node", "heard"), [("pg1", ""), ("pg3", "hello")])
async def test_an_isolated_node_does_not_get_through_to_another(
    layout: Layout, node: str, heard: str
) -> None:
    await ordered(layout, ISOLATED)
    host, port = layout.postgres_door(2)
    caller = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        CALL,
        host,
        str(port),
        cwd=layout.part(node),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await caller.communicate()
    assert said.decode() == heard


async def test_where_nobody_listens_a_connection_is_refused(layout: Layout) -> None:
    reader, writer = await asyncio.open_connection(*layout.postgres_door(3))
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(reader.read(1), 10)
    writer.close()


async def test_the_end_of_one_side_is_the_end_of_the_other(layout: Layout) -> None:
    reader, writer = await asyncio.open_connection(*layout.postgres_door(1))
    writer.write(b"last")
    writer.write_eof()
    assert await asyncio.wait_for(reader.read(), 10) == b"last"
    writer.close()
