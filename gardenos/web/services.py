"""What routes work with, put together once per process and read from the application's state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol

from fastapi import Depends, Request

from gardenos.core.claims import Claims
from gardenos.core.clock import Clock, SystemClock
from gardenos.core.config import Settings
from gardenos.core.page import CursorSigner
from gardenos.db.session import Database
from gardenos.web.limits import Limits


class TokenVerifier(Protocol):
    """Turns an access token into claims."""

    async def verify(self, token: str) -> Claims:
        """The token's claims. Raises `Unauthenticated`, `InvalidToken`, `AgencyMissing`."""
        ...


class OrchestratorClient(Protocol):
    """The running orchestrator, as far as routes need it; Ray is behind it, not in it.

    Every method raises `OrchestratorUnavailable` where it does not answer in time.
    """

    async def snapshot(self) -> Mapping[str, Any]:
        """What the orchestrator is doing now: epoch, per agent type in_flight and replicas."""
        ...

    async def agents(self) -> Sequence[Mapping[str, Any]]:
        """Every running agent (a Serve replica) with its metrics."""
        ...

    async def metrics(self) -> bytes:
        """What all processes of the installation counted together, in Prometheus' text format."""
        ...

    async def set_replicas(
        self, agent_type: str, replicas: int, *, set_by: Claims, ttl_s: float | None = None
    ) -> Mapping[str, Any]:
        """Override a pool's size. Raises `NotFound`, `InvalidRequest` outside its range."""
        ...


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a route may need."""

    settings: Settings
    database: Database
    verifier: TokenVerifier
    cursors: CursorSigner
    orchestrator: OrchestratorClient | None = None
    limits: Limits | None = None
    clock: Clock = field(default_factory=SystemClock)
    extras: Mapping[str, Any] = field(default_factory=dict[str, Any])


async def get_services(request: Request) -> Services:
    """The services of the application that answers this request."""
    # async, though it awaits nothing: FastAPI sends plain functions through its thread pool.
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(get_services)]
