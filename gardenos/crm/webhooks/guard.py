"""Which addresses are sent to: none inside the installation's own network, whatever a name says.

A name is resolved once, its addresses are judged, and the connection goes to one of those that
were judged: a name that leads elsewhere a moment later gains nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Self, TypeAlias

import httpx

from gardenos.core.config import Settings

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
MAX_URL_CHARS: Final = 2000
_RESOLVED_WITHIN_S = 5.0
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_METADATA = frozenset({ipaddress.IPv4Address("168.63.129.16")})
"""Services of clouds for the machine itself that have a public address."""


class UrlRefused(Exception):
    """A URL, or what its name leads to, is not one to send to. The message says why."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a name. Raises OSError for a name that has none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(info[4][0]) for info in found]


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet, also that of IPv4 written as IPv6."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast and address not in _METADATA


@dataclass(frozen=True, slots=True)
class Guard:
    """What this installation sends to."""

    allow_http: bool = False
    allow_private: bool = False
    resolve: Resolve = resolve

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings say."""
        return cls(settings.webhooks_allow_http, settings.webhooks_allow_private)

    def check(self, url: str) -> httpx.URL:
        """The URL, if it is of a kind that is sent to. Raises `UrlRefused`."""
        try:
            read = httpx.URL(url)
        except (httpx.InvalidURL, ValueError):
            raise UrlRefused("cannot be read as a URL") from None
        if read.scheme != "https" and not (self.allow_http and read.scheme == "http"):
            raise UrlRefused("does not begin with https://")
        if not read.host or "%" in read.host or " " in read.host:
            raise UrlRefused("names no host")
        if read.port is not None and not 0 < read.port < 65_536:  # noqa: PLR2004
            raise UrlRefused("names a port that there is not")
        if read.userinfo:
            raise UrlRefused("holds a user or password; put what it needs into its path")
        if read.fragment:
            raise UrlRefused("has a fragment, which is never sent")
        return read

    async def address(self, url: httpx.URL) -> str:
        """An address to connect to. Raises `UrlRefused`, also where any of several is private."""
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            async with asyncio.timeout(_RESOLVED_WITHIN_S):
                found = await self.resolve(url.host, port)
            addresses = [ipaddress.ip_address(each.partition("%")[0]) for each in found]
        except (OSError, UnicodeError, ValueError):
            raise UrlRefused(f"names {url.host}, which leads to no address") from None
        if not addresses:
            raise UrlRefused(f"names {url.host}, which leads to no address")
        if not self.allow_private and not all(is_public(each) for each in addresses):
            raise UrlRefused(f"names {url.host}, which leads to an address that is not public")
        return str(addresses[0])


class GuardedTransport(httpx.AsyncBaseTransport):
    """Connects to the address that was judged, and asks for the name's certificate there."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        # Kept connections would be shared by address, whatever name their certificate was for.
        self._inner = httpx.AsyncHTTPTransport(
            trust_env=False, limits=httpx.Limits(max_keepalive_connections=0)
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See `httpx.AsyncBaseTransport`. Raises `UrlRefused`."""
        host = request.url.host
        address = await self._guard.address(self._guard.check(str(request.url)))
        judged = httpx.Request(
            request.method,
            request.url.copy_with(host=address),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": host},
        )
        return await self._inner.handle_async_request(judged)

    async def aclose(self) -> None:
        """Close what is open."""
        await self._inner.aclose()
