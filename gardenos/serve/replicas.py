"""Which replicas of a deployment a handle sends to: what Serve tells its router, and us not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ray.serve.handle import DeploymentHandle


def routed(handle: DeploymentHandle[Any]) -> Collection[str] | None:
    """The unique ids of the replicas that `handle` sends to; None while it does not know yet.

    One that Serve has begun to stop is none of them, though it lives until its last request ends.
    """
    # Not a public interface: Ray's version is pinned, and where it changes, nothing is known.
    if not handle.is_initialized or not handle.running_replicas_populated():
        return None
    router: Any = getattr(handle, "_router", None)
    chooser: Any = getattr(getattr(router, "_asyncio_router", None), "_request_router", None)
    known: Any = getattr(chooser, "curr_replicas", None)
    if not isinstance(known, Mapping):
        return None
    return {replica_id.unique_id for replica_id in list(known)}
