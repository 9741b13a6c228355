"""`client.pauses` and `client.limits`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypedDict, Unpack
from uuid import UUID

from gardenos.sdk.base import Items
from gardenos.sdk.bound import D, Namespace, endpoint
from gardenos.sdk.call import Call, model, nothing
from gardenos.sdk.results import Limit, PausedWork


class Whose(TypedDict, total=False):
    """Of whom: your agency unless `agency_id` or `every_agency` say otherwise, which operators may."""

    agency_id: UUID | str
    every_agency: bool


class Allowance(TypedDict, total=False):
    """What is allowed; None, or left out, does not limit."""

    weight: int
    max_running: int | None
    requests_per_minute: int | None
    tokens_per_minute: int | None
    monthly_usd: Decimal | float | None


def _params(agent_type: str | None, whose: Whose) -> dict[str, Any]:
    named = {} if agent_type is None else {"agent_type": agent_type}
    return named | {k: v if isinstance(v, bool) else str(v) for k, v in whose.items()}


def _json(allowed: Allowance) -> dict[str, Any]:
    return {k: str(v) if isinstance(v, Decimal) else v for k, v in allowed.items()}


class Pauses(Namespace[D]):
    """What is not dispatched."""

    @endpoint
    def list(self) -> Call[Items[PausedWork]]:
        """The agency's pauses; for an operator, every one."""
        return Call("GET", "/ai/pauses", model(Items[PausedWork]))

    @endpoint
    def pause(
        self, agent_type: str | None = None, *, reason: str = "", **whose: Unpack[Whose]
    ) -> Call[PausedWork]:
        """Dispatch no more of the agency's work, all of it or one type's; what runs ends.

        Raises `Forbidden` unless an owner or admin asks, or for others' work an operator.
        """
        params = _params(agent_type, whose)
        return Call("PUT", "/ai/pauses", model(PausedWork), params=params, json={"reason": reason})

    @endpoint
    def resume(self, agent_type: str | None = None, **whose: Unpack[Whose]) -> Call[None]:
        """Dispatch it again. Raises `NotFound` where it is not paused."""
        return Call("DELETE", "/ai/pauses", nothing, params=_params(agent_type, whose))


class Limits(Namespace[D]):
    """How much is dispatched at most."""

    @endpoint
    def list(self) -> Call[Items[Limit]]:
        """The agency's limits and what of its budget is spent; for an operator, every one."""
        return Call("GET", "/ai/limits", model(Items[Limit]))

    @endpoint
    def put(
        self,
        allowed: Allowance,
        *,
        agent_type: str | None = None,
        **whose: Unpack[Whose],
    ) -> Call[Limit]:
        """Limit an agency, a type, or one agency's work for one type, in place of what was there.

        Raises `Forbidden` unless an operator asks.
        """
        params = _params(agent_type, whose)
        return Call("PUT", "/ai/limits", model(Limit), params=params, json=_json(allowed))

    @endpoint
    def lift(self, *, agent_type: str | None = None, **whose: Unpack[Whose]) -> Call[None]:
        """Limit it no more. Raises `Forbidden` unless an operator asks, `NotFound`."""
        return Call("DELETE", "/ai/limits", nothing, params=_params(agent_type, whose))
