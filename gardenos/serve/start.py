"""What `ray start` has no flag for: called by Ray (RAY_START_HOOK) just before its processes start."""

from __future__ import annotations

from typing import Any


def leave_out_remote_drivers(ray_params: Any, _head: bool) -> None:
    """Start no server for remote drivers: it cannot be switched off by a flag, and nobody here uses it.

    It would be one more process to wait for, and one more open port.
    """
    ray_params.update(ray_client_server_port=None)
