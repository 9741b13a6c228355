"""A way into a server on restored data that needs no password of whenever the backup was made."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from gardenos.backup.restore import Restored


@contextmanager
def private(server: Restored) -> Generator[tuple[Mapping[str, str], str]]:
    """Settings to start the server with, and a superuser's connection string, for the block.

    Whoever reaches the socket is let in, and only the server's own user and root reach its folder.
    """
    folder = server.folder / f"s{secrets.token_hex(3)}"
    folder.mkdir(mode=0o700)
    rules = folder / "pg_hba.conf"
    rules.write_text("local all all trust\n")
    server.own(folder, rules)
    places = {"hba_file": str(rules), "unix_socket_directories": str(folder)}
    try:
        yield (
            {**_SETTINGS, **places},
            f"postgresql://postgres@/postgres?host={quote(str(folder), safe='')}",
        )
    finally:
        server.halt()
        shutil.rmtree(folder, ignore_errors=True)


_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    # What follows is of the cluster that the data are from: other machines, files that are not here, and
    # an archive and replicas that this copy must not meddle with.
    "archive_mode": "off",
    "primary_conninfo": "",
    "primary_slot_name": "",
    "synchronous_standby_names": "",
    "shared_preload_libraries": "",
    "ssl": "off",
    "logging_collector": "off",
    "log_destination": "stderr",
}
