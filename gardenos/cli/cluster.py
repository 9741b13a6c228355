"""The Ray cluster of an installation: start it, deploy to it, wait for it, end it."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import yaml

import gardenos
from gardenos.cli import processes
from gardenos.cli.home import Home, Running
from gardenos.cli.problems import CommandFailed
from gardenos.cli.processes import ProcessRecord
from gardenos.cli.screen import Say
from gardenos.core.config import ENV_PREFIX, Settings
from gardenos.serve import environment

ROOT = Path(gardenos.__file__).parents[1]
CONFIG = ROOT / "serve_config.yaml"
_APPLICATIONS = "/api/serve/applications/"
_FAILED = "DEPLOY_FAILED"
_RAY_PATIENCE_S, _READY_PATIENCE_S = 90.0, 180.0
_POLL_S = 0.2
_KEPT_SESSIONS = 3
_GRACE_S = 12.0
"""Ray gives its own processes up to ten seconds."""


def launch(home: Home, settings: Settings) -> ProcessRecord:
    """Start Ray's head node in a session of its own, so that Ctrl-C and a closed terminal pass it by.

    Returns at once; `wait_for_ray` says when it takes orders.
    """
    environment.prepare_folders(home.folder)
    _clear_away(home)
    home.ray_log.touch(mode=0o600)
    with home.ray_log.open("ab") as log:
        process = subprocess.Popen(
            environment.ray_start_command(settings),
            env=_environment(home, settings),
            cwd=home.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    record = ProcessRecord.of(process.pid)
    if record is None or process.poll() is not None:
        raise _ray_failed(home)
    home.record(
        Running(
            ray=record,
            http_port=settings.http_port,
            dashboard_port=settings.dashboard_port,
            ray_port=settings.ray_port,
            started_at=datetime.now(UTC),
        )
    )
    return record


def _clear_away(home: Home) -> None:
    """Remove what ended sessions left, but for the logs of the last few."""
    sessions = sorted(environment.ray_folder(home.folder).glob("session_2*"))
    for left in sessions[:-_KEPT_SESSIONS]:
        shutil.rmtree(left, ignore_errors=True)
    for left in environment.haproxy_folder(home.folder).iterdir():
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)


def _environment(home: Home, settings: Settings) -> dict[str, str]:
    # The administrator's login stays here: what serves requests has no use for it.
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name != f"{ENV_PREFIX}ADMIN_DATABASE_URL"
    }
    return {
        **inherited,
        **environment.ray_environment(settings, home.folder),
        processes.MARK: processes.mark_of(home.folder),
        # `up` in another shell heals with the ports of the first one, whatever its variables say.
        f"{ENV_PREFIX}HTTP_PORT": str(settings.http_port),
        f"{ENV_PREFIX}DASHBOARD_PORT": str(settings.dashboard_port),
        f"{ENV_PREFIX}RAY_PORT": str(settings.ray_port),
        f"{ENV_PREFIX}PUBLIC_URL": settings.public_url,
    }


def end(home: Home) -> None:
    """End Ray and everything that descends from it, orphans too. Raises where something stays."""
    running = home.recorded()
    ray = running.ray.process() if running else None
    left = processes.marked(home.folder)
    everyone = [*left, *(processes.family(ray) if ray else [])]
    stayed = processes.end([ray] if ray else left, everyone, grace_s=_GRACE_S)
    # What was started while the rest was dying.
    stayed = processes.end(processes.marked(home.folder), stayed, grace_s=1) or stayed
    if [process for process in stayed if process.is_running()]:
        pids = ", ".join(str(process.pid) for process in stayed)
        raise CommandFailed(
            f"Some of GardenOS's processes do not end: {pids}.",
            todo="Run `gardenos down` as the user who started them.",
        )
    home.forget()


def orphans(home: Home) -> bool:
    """Whether processes of this installation live although the one they descend from does not."""
    return home.running() is None and bool(processes.marked(home.folder))


def wait_for_ray(home: Home, settings: Settings, say: Say) -> None:
    """Return once Ray takes deployments. Raises `CommandFailed` where it ended or takes too long."""
    give_up = time.monotonic() + _RAY_PATIENCE_S
    with client(home, settings) as dashboard:
        while time.monotonic() < give_up:
            if home.running() is None:
                raise _ray_failed(home)
            if _serve_details(dashboard) is not None:
                say("Ray runs")
                return
            say("Waiting for Ray")
            time.sleep(_POLL_S)
    raise CommandFailed(
        f"Ray has not come up within {_RAY_PATIENCE_S:.0f} s.",
        todo=f"{home.ray_log} and {environment.log_folder(home.folder)} may say why.",
    )


def deploy(home: Home, settings: Settings) -> None:
    """What `serve deploy serve_config.yaml` does, on this installation's port."""
    try:
        with client(home, settings) as dashboard:
            answer = dashboard.put(_APPLICATIONS, json=config(settings), timeout=60)
    except httpx.TransportError as error:
        raise CommandFailed(
            f"Ray's dashboard on port {settings.dashboard_port} does not answer: "
            f"{str(error) or type(error).__name__}.",
            todo="Run `gardenos down`, then `gardenos up`.",
        ) from error
    if not answer.is_success:
        raise CommandFailed(
            f"Ray Serve refused serve_config.yaml: {_last_line(answer.text)}",
            todo=f"{home.ray_log} and {environment.log_folder(home.folder)} may say more.",
        )


def config(settings: Settings) -> dict[str, Any]:
    """`serve_config.yaml`, listening on the port of these settings."""
    if not CONFIG.exists():
        raise CommandFailed(
            f"{CONFIG} is missing: `up` needs a checkout of GardenOS.",
            todo="Get one, and run ./garden up in it.",
        )
    read: dict[str, Any] = yaml.safe_load(CONFIG.read_text("utf-8"))
    return read | {"http_options": {**read.get("http_options", {}), "port": settings.http_port}}


def wait_until_ready(home: Home, settings: Settings, say: Say) -> None:
    """Return once the API answers that all its parts are ready.

    Raises `CommandFailed` where a deployment failed, Ray ended, or it takes too long.
    """
    give_up = time.monotonic() + _READY_PATIENCE_S
    missing = "it does not answer yet"
    with client(home, settings) as dashboard:
        while time.monotonic() < give_up:
            missing = why_not_ready(settings)
            if missing is None:
                say("All parts are ready")
                return
            if home.running() is None:
                raise _ray_failed(home)
            details = _serve_details(dashboard) or {}
            _refuse_failed(home, details)
            say(f"Waiting for {_progress(details) or 'the deployments'}")
            time.sleep(_POLL_S)
    raise CommandFailed(
        f"GardenOS is not ready after {_READY_PATIENCE_S:.0f} s: {missing}.",
        todo=f"The logs in {environment.log_folder(home.folder)} may say why. `gardenos down`, then "
        "`gardenos up` starts all of it anew.",
    )


def why_not_ready(settings: Settings) -> str | None:
    """What /readyz complains of; None where everything is ready."""
    try:
        answer = _ask_api(settings, "/readyz")
    except httpx.TransportError as error:
        return str(error) or type(error).__name__
    if answer.is_success:
        return None
    try:
        return str(answer.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.reason_phrase}"


def answers(settings: Settings) -> bool:
    """Whether anything answers on the API's port, and be it that nothing is ready."""
    try:
        _ask_api(settings, "/healthz")
    except httpx.TransportError:
        return False
    return True


def _ask_api(settings: Settings, path: str) -> httpx.Response:
    url = f"http://127.0.0.1:{settings.http_port}{path}"
    return httpx.get(url, timeout=5, trust_env=False)


def client(home: Home, settings: Settings) -> httpx.Client:
    """Talks to Ray's dashboard with the installation's token."""
    token = environment.ray_token_file(home.folder)
    return httpx.Client(
        base_url=f"http://127.0.0.1:{settings.dashboard_port}",
        headers={"Authorization": f"Bearer {token.read_text('utf-8').strip()}"}
        if token.exists()
        else {},
        timeout=5,
        trust_env=False,
    )


def deployments(home: Home, settings: Settings) -> dict[str, Mapping[str, Any]]:
    """The deployments that Serve knows, by name; empty where it does not answer."""
    with client(home, settings) as dashboard:
        details = _serve_details(dashboard) or {}
    return {
        name: deployment
        for application in details.get("applications", {}).values()
        for name, deployment in application.get("deployments", {}).items()
    }


def is_deployed(home: Home, settings: Settings) -> bool:
    """Whether Serve has the applications of the configuration and none of them failed."""
    with client(home, settings) as dashboard:
        details = _serve_details(dashboard) or {}
    found = details.get("applications", {})
    wanted = [application["name"] for application in config(settings)["applications"]]
    return all(found.get(name, {}).get("status", _FAILED) != _FAILED for name in wanted)


def _serve_details(dashboard: httpx.Client) -> dict[str, Any] | None:
    try:
        answer = dashboard.get(_APPLICATIONS)
        return answer.json() if answer.is_success else None
    except (httpx.TransportError, ValueError):
        return None


def _refuse_failed(home: Home, details: Mapping[str, Any]) -> None:
    for name, application in details.get("applications", {}).items():
        if application.get("status") == _FAILED:
            parts = [application, *application.get("deployments", {}).values()]
            said = [str(part.get("message") or "").strip() for part in parts]
            raise CommandFailed(
                f"The application {name} could not be deployed: {_last_line(' '.join(said))}",
                todo=f"The logs in {environment.log_folder(home.folder)} say more.",
            )


def _progress(details: Mapping[str, Any]) -> str:
    """The deployments that are not up yet, as `Gateway 0/1, ...`."""
    waiting: list[str] = []
    for application in details.get("applications", {}).values():
        for name, deployment in application.get("deployments", {}).items():
            wanted = int(deployment.get("target_num_replicas") or 0)
            runs = sum(r.get("state") == "RUNNING" for r in deployment.get("replicas", []))
            if runs < wanted:
                waiting.append(f"{name} {runs}/{wanted}")
    return ", ".join(waiting)


def _ray_failed(home: Home) -> CommandFailed:
    said = _last_line(home.ray_log.read_text("utf-8", errors="replace"))
    return CommandFailed(f"Ray ended: {said}", todo=f"{home.ray_log} has the whole of it.")


def _last_line(text: str) -> str:
    """Where a traceback or a log says what it is about."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it gives no reason"
