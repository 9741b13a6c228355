"""The keys that an external GoTrue publishes: fetched without blocking, kept, fetched anew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Generic, TypeVar

import httpx
import structlog

from gardenos.core.clock import Clock
from gardenos.core.errors import SigningKeysUnavailable

K = TypeVar("K")

FRESH = timedelta(minutes=10)
"""Keys older than this are fetched anew, in the background. GoTrue says max-age=600 too."""
STALE = timedelta(hours=1)
"""Keys older than this are not trusted: a withdrawn one must stop working some day."""
PAUSE = timedelta(seconds=5)
"""Between two fetches, whatever key ids tokens make up and however often a fetch fails."""
_PATIENCE_S = 5.0
_MAX_BYTES = 262_144
_log = structlog.get_logger(__name__)


class RemoteKeys(Generic[K]):
    """The keys at `url` by their id, as `parse` makes them of the document.

    A fetch that fails changes nothing: the keys known before stay, until they are `STALE`.
    """

    def __init__(
        self,
        url: str,
        parse: Callable[[bytes], Mapping[str, K]],
        clock: Clock,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url = url
        self._parse = parse
        self._clock = clock
        # Made here, before requests come: loading the certificate authorities takes a while.
        self._client = httpx.AsyncClient(transport=transport, timeout=_PATIENCE_S)
        self._keys: Mapping[str, K] = {}
        self._fetched_at: datetime | None = None
        self._tried_at: datetime | None = None
        self._failed = False
        self._fetching: asyncio.Task[None] | None = None

    async def get(self, kid: str) -> K | None:
        """The key with this id; None where the publisher has none of this id.

        Raises `SigningKeysUnavailable` where that cannot be found out now.
        """
        key = self._kept().get(kid)
        if key is not None:
            if self._age(self._fetched_at) > FRESH:
                self._fetch_soon()
            return key
        fetching = self._fetch_soon()
        if fetching is not None:
            # Shielded: a caller who goes away must not take the others' answer along.
            await asyncio.shield(fetching)
        key = self._kept().get(kid)
        if key is None and self._failed:
            raise SigningKeysUnavailable(retry_after_s=PAUSE.total_seconds())
        return key

    async def aclose(self) -> None:
        """End a fetch under way and close the connections."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)
        await self._client.aclose()

    def _kept(self) -> Mapping[str, K]:
        return self._keys if self._age(self._fetched_at) <= STALE else {}

    def _age(self, moment: datetime | None) -> timedelta:
        return timedelta.max if moment is None else self._clock.now() - moment

    def _fetch_soon(self) -> asyncio.Task[None] | None:
        """The fetch under way, a new one, or None where the last one was only just."""
        if self._fetching is not None and not self._fetching.done():
            return self._fetching
        if self._age(self._tried_at) < PAUSE:
            return None
        self._tried_at = self._clock.now()
        self._fetching = asyncio.create_task(self._fetch())
        return self._fetching

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                document = await self._download()
            self._keys = self._parse(document)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError) as error:
            self._failed = True
            _log.warning(
                "jwks_unavailable", url=self._url, error=f"{type(error).__name__}: {error}"
            )
        else:
            self._failed = False
            self._fetched_at = self._clock.now()
            _log.info("jwks_fetched", url=self._url, keys=sorted(self._keys))

    async def _download(self) -> bytes:
        async with self._client.stream("GET", self._url) as response:
            response.raise_for_status()
            document = bytearray()
            async for chunk in response.aiter_bytes():
                document += chunk
                if len(document) > _MAX_BYTES:
                    raise ValueError(f"the document is larger than {_MAX_BYTES:,} bytes")
        return bytes(document)
