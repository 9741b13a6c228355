"""How often one may ask: an agency, a member or key of it, and an address that signs in."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final, Self

from starlette.requests import HTTPConnection
from starlette.types import Message, Scope

from gardenos.core.claims import Claims
from gardenos.core.config import Settings
from gardenos.core.errors import RateLimited
from gardenos.db.session import Database
from gardenos.web.buckets import WINDOW_S, Buckets, Policy, Verdict

_HEADERS: Final = "gardenos.rate_limit"
"""Where the scope of a request holds what its answer is to say of limits."""
_PREFIX_BITS = 64
"""Whoever has an IPv6 address has its whole network."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of an installation; a quota of 0 is none."""

    buckets: Buckets
    agency: Policy
    user: Policy
    key: Policy
    address: Policy
    proxies: int = 0

    @classmethod
    def of(cls, settings: Settings, database: Database) -> Self | None:
        """The limits that the settings ask for; None where they ask for none."""
        caller, agency = settings.rate_limit_user, settings.rate_limit_agency
        address = settings.rate_limit_address
        if not (caller or agency or address):
            return None
        return cls(
            Buckets(database),
            agency=Policy("agency", agency),
            user=Policy("user", caller),
            key=Policy("key", caller),
            address=Policy("address", address),
            proxies=settings.trusted_proxies,
        )

    async def admit(self, scope: Scope, claims: Claims) -> None:
        """Count a request of a member or key. Raises `RateLimited`."""
        asked: list[tuple[str, Policy]] = []
        if self.agency.quota:
            asked.append((f"agency:{claims.agency_id}", self.agency))
        if claims.key_id is not None and self.key.quota:
            asked.append((f"key:{claims.key_id}", self.key))
        elif self.user.quota:
            asked.append((f"user:{claims.sub}", self.user))
        if not asked:
            return
        verdict = await self.buckets.admit(*asked)
        _note(scope, [policy for _, policy in asked], verdict)
        if verdict.refused_by is not None:
            whose = "Your agency has" if verdict.refused_by == "agency" else "You have"
            raise RateLimited(
                f"{whose} sent too many requests for now. Wait for the seconds in Retry-After.",
                retry_after_s=verdict.wait_s,
            )

    async def admit_address(self, connection: HTTPConnection) -> float | None:
        """Count an attempt to sign in or up by its address; the seconds to wait, None for none."""
        address = self.address_of(connection)
        if address is None or not self.address.quota:
            return None
        verdict = await self.buckets.admit((f"address:{address}", self.address))
        _note(connection.scope, [self.address], verdict)
        return verdict.wait_s if verdict.refused_by else None

    def address_of(self, connection: HTTPConnection) -> str | None:
        """Where a request comes from; None where only a proxy on this machine is known.

        Each of our own proxies adds the address that it saw to the end of X-Forwarded-For. What
        stands before those is what the client says of itself.
        """
        seen = connection.client.host if connection.client else ""
        if self.proxies:
            named = ",".join(connection.headers.getlist("x-forwarded-for")).split(",")
            seen = named[-self.proxies] if len(named) >= self.proxies else named[0]
        try:
            address = ipaddress.ip_address(seen.strip())
        except ValueError:
            return None
        if address.is_loopback:
            return None
        if isinstance(address, ipaddress.IPv6Address):
            return str(ipaddress.ip_network((address, _PREFIX_BITS), strict=False))
        return str(address)


def _note(scope: Scope, policies: list[Policy], verdict: Verdict) -> None:
    policy = ", ".join([f'"{p.name}";q={p.quota};w={WINDOW_S}' for p in policies])
    left = ", ".join([f'"{name}";r={left};t={t}' for name, left, t in verdict.remaining])
    scope[_HEADERS] = ((b"ratelimit-policy", policy.encode()), (b"ratelimit", left.encode()))


def add_headers(scope: Scope, start: Message) -> None:
    """Have an answer say what is left, where its request was counted: `RateLimit` and its policy.

    draft-ietf-httpapi-ratelimit-headers-11.
    """
    noted = scope.get(_HEADERS)
    if noted:
        start["headers"] = [*start["headers"], *noted]
