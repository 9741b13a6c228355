from __future__ import annotations

import os
import socket
from pathlib import Path

from gardenos.lab import sockets
from gardenos.lab.layout import Address


def test_each_end_of_a_connection_is_found_with_the_process_that_holds_it() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as client,
        server.accept()[0] as accepted,
    ):
        near, far = Address(*client.getsockname()), Address(*client.getpeername())
        ends = sockets.inode_of(near, far), sockets.inode_of(far, near)
        assert ends == (os.fstat(client.fileno()).st_ino, os.fstat(accepted.fileno()).st_ino)
        assert set(ends) <= sockets.held_by(sockets.processes_in(Path.cwd()))


def test_a_connection_that_is_not_there_has_no_socket() -> None:
    assert sockets.inode_of(Address("127.0.0.1", 1), Address("127.0.0.1", 2)) is None


def test_a_folder_in_which_nobody_works_holds_none(tmp_path: Path) -> None:
    assert sockets.held_by(sockets.processes_in(tmp_path)) == set()
