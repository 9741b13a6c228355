"""What Ray's processes must be told when they start: environment, flags, ports, folders. Imports no Ray.

Serve reads these variables once, when the raylet and its workers start, so they belong into the
environment of `ray start` (or a container); in a `runtime_env` they come too late.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from gardenos.core.config import ENV_PREFIX, SECRETS_FOLDER, Settings
from gardenos.core.errors import GardenOSError

_SESSION_PATH_BYTES = 68  # "/session_<date>_<time>_<pid>/sockets/dash_<Module>Head"
_UNIX_SOCKET_BYTES = 107
_HAPROXY_PATH_BYTES = 70  # "/<node id, 56 digits>/metrics.sock"
_HAPROXY_SOCKET_BYTES = 97
_TOKEN_FILE = "ray_auth_token"  # noqa: S105 its name, not the token
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+@:-]+")
_OBJECT_STORE_BYTES = 128 * 1024 * 1024  # handle calls are small: nothing of ours goes there
_CPUS_AT_FULL_SCALE = 4
"""Agents wait for databases and models: ten of a type may share one core. Ray only counts."""


class RayFolderRefused(GardenOSError):
    """Ray's folder belongs to somebody else. Set GARDENOS_HOME to a folder of your own."""

    code = "ray-folder-refused"


@dataclass(frozen=True, slots=True)
class Ports:
    """Every fixed port of one installation. The rest Ray chooses freely.

    All but the first three follow from them by the distances of Ray's own defaults, so that two
    installations on one machine need to differ in nothing else. Gateway replicas take theirs from
    `replicas`, a range of its own: an HAProxy must never find another installation's replica
    where one of its own has been.
    """

    http: int
    dashboard: int
    gcs: int

    @classmethod
    def of(cls, settings: Settings) -> Ports:
        """The ports these settings lead to."""
        return cls(settings.http_port, settings.dashboard_port, settings.ray_port)

    @property
    def haproxy_stats(self) -> int:
        """HAProxy's statistics page, on every interface (8404)."""
        return _shifted(self.http, 404)

    @property
    def fallback(self) -> int:
        """Serve's own proxy, which answers while no gateway replica does (8500)."""
        return _shifted(self.http, 500)

    @property
    def haproxy_metrics(self) -> int:
        """HAProxy's Prometheus metrics, on every interface (9101)."""
        return _shifted(self.http, 1101)

    @property
    def dashboard_metrics(self) -> int:
        """Prometheus metrics of Ray's dashboard itself (44227)."""
        return _shifted(self.dashboard, 35_962)

    @property
    def replicas(self) -> range:
        """Where gateway replicas listen: 50 ports from 30000 on, by HTTP port."""
        first = 30_000 + (self.http - 8000) * 50 % 10_000
        return range(first, first + 50)

    def all(self) -> dict[str, int]:
        """Every port that must be free before a start, by what it is for."""
        return {
            "http": self.http,
            "dashboard": self.dashboard,
            "ray": self.gcs,
            "haproxy_stats": self.haproxy_stats,
            "fallback": self.fallback,
            "haproxy_metrics": self.haproxy_metrics,
            "dashboard_metrics": self.dashboard_metrics,
        }


def _shifted(port: int, by: int) -> int:
    return port + by if port + by <= 65_535 else port - by  # noqa: PLR2004 the highest port there is


def ray_folder(home: Path) -> Path:
    """Where Ray keeps sessions, sockets and logs: `<home>/ray/tmp`, else a short path.

    Sockets lie deep below this folder, and the kernel takes 107 bytes for their whole path. Ray
    opens the folder to everybody: what keeps others out is the one above it.
    """
    longest = _UNIX_SOCKET_BYTES - _SESSION_PATH_BYTES
    return _first_fitting(home / "ray" / "tmp", home, longest, below="r")


def haproxy_folder(home: Path) -> Path:
    """Where HAProxy keeps its configuration and sockets: beside Ray's folder, else in a short path."""
    longest = _HAPROXY_SOCKET_BYTES - _HAPROXY_PATH_BYTES
    return _first_fitting(home / "ray" / "haproxy", home, longest, below="h")


def _first_fitting(wished: Path, home: Path, longest: int, below: str) -> Path:
    """The folder wished for if it is plain and short enough, else one of this home in /tmp.

    Plain, because the configuration that Serve writes for HAProxy quotes no spaces.
    """
    digest = hashlib.sha256(f"{os.geteuid()}:{home}".encode("utf-8", "surrogateescape")).hexdigest()
    # Not where TMPDIR points: that may be as long as any home. Its owner is checked before use.
    short = Path("/tmp") / f"gardenos-{digest[:8]}" / below  # noqa: S108
    fits = len(os.fsencode(wished)) <= longest and _PLAIN_PATH.fullmatch(str(wished))
    return wished if fits else short


def log_folder(home: Path) -> Path:
    """Where the processes of the running Ray session log: `*.err` has the JSON lines of ours."""
    return ray_folder(home) / "session_latest" / "logs"


def ray_token_file(home: Path) -> Path:
    """The token that Ray's ports and dashboard ask for."""
    return home / SECRETS_FOLDER / _TOKEN_FILE


def prepare_folders(home: Path) -> None:
    """Make the folders and the token that `ray start` needs, for nobody but this user; idempotent.

    Raises `RayFolderRefused` where the folder is somebody else's.
    """
    ray, haproxy = ray_folder(home), haproxy_folder(home)
    for folder in (ray.parent, haproxy.parent, ray, haproxy, ray_token_file(home).parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_foreign(folder)
        folder.chmod(0o700)
    token = ray_token_file(home)
    if not token.exists():
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))


def _refuse_foreign(folder: Path) -> None:
    held = folder.lstat()
    if not stat.S_ISDIR(held.st_mode) or held.st_uid != os.geteuid():
        raise RayFolderRefused(f"{folder} belongs to another user.")


def ray_environment(settings: Settings, home: Path) -> dict[str, str]:
    """What to add to the environment of `ray start`, `serve` and every driver of this installation."""
    ports = Ports.of(settings)
    return {
        f"{ENV_PREFIX}HOME": str(home),
        **_ray(ports, home),
        **_serve(ports, haproxy_folder(home)),
    }


def _ray(ports: Ports, home: Path) -> dict[str, str]:
    return {
        "RAY_ADDRESS": f"127.0.0.1:{ports.gcs}",
        # `serve deploy` and `serve status` talk to the dashboard.
        "RAY_DASHBOARD_ADDRESS": f"http://127.0.0.1:{ports.dashboard}",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(ray_token_file(home)),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_START_HOOK": "gardenos.serve.start.leave_out_remote_drivers",
        # There is no other node that could take over: draining would only delay the end.
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": "0",
        # A dozen processes import the same modules: the first leaves its compiled ones to the rest.
        "PYTHONDONTWRITEBYTECODE": "",
        "DASHBOARD_METRIC_PORT": str(ports.dashboard_metrics),
        # Idle workers made ahead of time would only take memory: replicas start their own.
        "RAY_prestart_worker_first_driver": "0",
        "RAY_enable_metrics_collection": "1",
        # Ray's workers make way for every other program (15) unless told otherwise; ours answer people.
        "RAY_worker_niceness": "0",
        # A dead worker is a normal event here; its death is in the log of what noticed it.
        "RAY_DEDUP_LOGS": "1",
        "RAY_COLOR_PREFIX": "0",
        "RAY_ROTATION_MAX_BYTES": str(32 * 1024 * 1024),
        "RAY_ROTATION_BACKUP_COUNT": "3",
    }


def _serve(ports: Ports, haproxy: Path) -> dict[str, str]:
    return {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        "RAY_SERVE_LOG_TO_STDERR": "1",
        "RAY_SERVE_HAPROXY_NBTHREAD": "1",
        # Files and sockets: Ray's default is one folder in /tmp for the whole machine.
        "RAY_SERVE_HAPROXY_CONFIG_FILE_LOC": str(haproxy / "haproxy.cfg"),
        "RAY_SERVE_HAPROXY_SOCKET_PATH": str(haproxy / "admin.sock"),
        "RAY_SERVE_HAPROXY_METRICS_SOCKET_PATH": str(haproxy / "metrics.sock"),
        "RAY_SERVE_HAPROXY_SERVER_STATE_BASE": str(haproxy),
        "RAY_SERVE_HAPROXY_SERVER_STATE_FILE": str(haproxy / "server-state"),
        "RAY_SERVE_HAPROXY_STATS_PORT": str(ports.haproxy_stats),
        "RAY_SERVE_HAPROXY_METRICS_PORT": str(ports.haproxy_metrics),
        "RAY_SERVE_FALLBACK_PROXY_HTTP_PORT": str(ports.fallback),
        "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(ports.replicas.start),
        "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(ports.replicas.stop),
        # An updated gateway drains this long; no request of ours but a bounded wait is longer.
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "5",
        # A reloaded HAProxy's old process lets go of idle clients instead of serving stale routes.
        "RAY_SERVE_HAPROXY_CLOSE_SPREAD_TIME_S": "2",
    }


def ray_start_command(settings: Settings) -> list[str]:
    """The command that runs Ray's head node in the foreground, with `ray_environment` around it.

    `--block` makes it one process to supervise: SIGTERM to it ends everything it started, and a
    reaper does so where it is killed.
    """
    ports = Ports.of(settings)
    return [
        str(Path(sys.executable).with_name("ray")),
        "start",
        "--head",
        "--block",
        "--disable-usage-stats",
        f"--port={ports.gcs}",
        "--min-worker-port=0",
        "--max-worker-port=0",
        "--include-dashboard=true",
        "--dashboard-host=127.0.0.1",
        f"--dashboard-port={ports.dashboard}",
        "--dashboard-agent-listen-port=0",
        "--include-log-monitor=false",
        "--no-monitor",
        f"--num-cpus={max(os.cpu_count() or 1, _CPUS_AT_FULL_SCALE)}",
        f"--object-store-memory={_OBJECT_STORE_BYTES}",
        f"--temp-dir={ray_folder(settings.home)}",
    ]
