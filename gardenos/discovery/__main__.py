"""`python -m gardenos.discovery`: put the sidecar together and run it until a signal ends it."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from pathlib import Path
from types import FrameType

from gardenos.discovery import settings as told
from gardenos.discovery import wire
from gardenos.discovery.cycle import Services, Sidecar
from gardenos.discovery.etcd import Access, Etcd, Watch, leader_key
from gardenos.discovery.evidence import Member
from gardenos.discovery.figures import Figures
from gardenos.discovery.files import FileStore
from gardenos.discovery.kubernetes import KubernetesStore
from gardenos.discovery.loop import Loop
from gardenos.discovery.patroni import Patroni
from gardenos.discovery.settings import Settings, WrongSetting
from gardenos.discovery.status import StatusServer
from gardenos.discovery.store import SliceStore, now

PATRONI_S = 2.0
API_S = 2.0


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": now(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


def configure_logs(level: str) -> None:
    """One JSON object per line on stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler])


def access_of(settings: Settings) -> Access:
    """How to reach etcd."""
    password = ""
    if settings.etcd_password_file is not None:
        password = settings.etcd_password_file.read_text(encoding="utf-8").strip()
    context = None
    if any(url.startswith("https") for url in settings.etcd_urls):
        context = wire.trust(settings.etcd_ca, cert=settings.etcd_cert, key=settings.etcd_key)
    return Access(settings.etcd_urls, context, settings.etcd_user, password)


def store_of(settings: Settings) -> SliceStore:
    """The keeper of the slices."""
    if settings.slice_dir is not None:
        return FileStore(settings.slice_dir)
    client = _client(settings.api_url, API_S, settings.api_ca)
    return KubernetesStore(client, namespace=settings.namespace, token=settings.api_token)


def _client(url: str, timeout_s: float, ca: Path | None) -> wire.JsonClient:
    context = wire.trust(ca) if url.startswith("https") else None
    return wire.JsonClient(url, timeout_s=timeout_s, context=context)


def assemble(settings: Settings) -> tuple[Loop, Watch, StatusServer]:
    """All parts; OSError where a file cannot be read or the address to listen on is taken."""
    figures = Figures()
    access = access_of(settings)
    key = leader_key(settings.patroni_namespace, settings.scope)
    sidecar = Sidecar(
        Member(settings.member, settings.address, settings.port),
        patroni=Patroni(
            _client(settings.patroni_url, PATRONI_S, settings.patroni_ca),
            name=settings.member,
            scope=settings.scope,
        ),
        etcd=Etcd(access, key),
        store=store_of(settings),
        services=Services(settings.service, settings.replicas_service),
        ttl_s=settings.ttl_s,
        figures=figures,
    )
    loop = Loop(sidecar, figures, tick_s=settings.tick_s)
    watch = Watch(access, key, loop.wake)
    status = StatusServer(*settings.listen, loop=loop, figures=figures, watch=watch)
    return loop, watch, status


def main() -> int:
    """Run; 0 after a signal, 2 with a sentence where a setting is wrong."""
    try:
        settings = told.read(sys.argv[1:], os.environ)
        configure_logs(settings.log_level)
        loop, watch, status = assemble(settings)
    except WrongSetting as wrong:
        sys.stderr.write(f"{wrong}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"The sidecar cannot start: {error}.\n")
        return 2

    def stop(_number: int, _frame: FrameType | None) -> None:
        loop.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    status.start()
    watch.start()
    loop.run()
    # The slices stay: the end of a sidecar says nothing about the leader.
    watch.stop()
    status.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
