"""Where the bytes of attachments are: a folder of this machine or an S3 bucket.

pending/<key>   uploaded, and not confirmed
stored/<key>    confirmed: nobody has an address to write there
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store
from pydantic import SecretStr

from gardenos.core.errors import Unavailable
from gardenos.core.places import folder_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from obstore.store import S3Config

    from gardenos.core.config import Settings

PENDING: Final = "pending"
STORED: Final = "stored"
_CHUNK: Final = 1024 * 1024


class StorageUnavailable(Unavailable):
    """The place where files are kept does not answer. Try again shortly."""

    code = "storage-unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where attachments are kept, and how to get in."""

    url: str
    endpoint: str | None = None
    region: str | None = None
    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None

    @classmethod
    def of(cls, settings: Settings) -> Place:
        """The place that the settings name; a folder of the home unless they do."""
        return cls(
            url=settings.attachments_url or str(settings.home / "attachments"),
            endpoint=settings.attachments_s3_endpoint,
            region=settings.attachments_s3_region,
            access_key_id=settings.attachments_s3_access_key_id,
            secret_access_key=settings.attachments_s3_secret_access_key,
        )


@dataclass(frozen=True, slots=True)
class Bytes:
    """The files of one place. Every method raises `StorageUnavailable` where the place fails."""

    objects: LocalStore | S3Store

    async def put(self, key: str, content: AsyncIterator[bytes]) -> None:
        """Store what was uploaded, not yet confirmed."""
        with _explained():
            await obstore.put_async(self.objects, f"{PENDING}/{key}", content)

    async def settle(self, key: str) -> bool:
        """Move an upload to where nobody can change it any more; False where there is none."""
        with _explained():
            with suppress(FileNotFoundError):
                await obstore.rename_async(self.objects, f"{PENDING}/{key}", f"{STORED}/{key}")
            try:
                await obstore.head_async(self.objects, f"{STORED}/{key}")
            except FileNotFoundError:
                return False
        return True

    async def measure(self, key: str) -> tuple[int, str]:
        """How many bytes a settled file has, and their SHA-256."""
        digest, size = hashlib.sha256(), 0
        async for chunk in self.chunks(key):
            digest.update(chunk)
            size += len(chunk)
        return size, digest.hexdigest()

    async def chunks(self, key: str) -> AsyncGenerator[bytes]:
        """A settled file, piece by piece. Raises `FileNotFoundError`."""
        with _explained():
            found = await obstore.get_async(self.objects, f"{STORED}/{key}")
            async for chunk in found.stream(min_chunk_size=_CHUNK):
                yield bytes(chunk)

    async def remove(self, *paths: str) -> None:
        """Remove files; those that are not there are no fault."""
        with _explained():
            for path in paths:
                with suppress(FileNotFoundError):
                    await obstore.delete_async(self.objects, path)

    async def found(self, *, before: datetime) -> AsyncGenerator[list[str]]:
        """The paths of all files that were written before, some at a time."""
        with _explained():
            async for page in obstore.list(self.objects):
                yield [one["path"] for one in page if one["last_modified"] < before]

    async def signed(self, method: str, path: str, expires_in: timedelta) -> str | None:
        """An address of the bucket's own for it; None for a folder, which has none."""
        if not isinstance(self.objects, S3Store):
            return None
        with _explained():
            verb = "PUT" if method == "PUT" else "GET"
            return await obstore.sign_async(self.objects, verb, path, expires_in)


@contextmanager
def _explained() -> Generator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError) as error:
        raise StorageUnavailable(retry_after_s=5) from error


@lru_cache(maxsize=4)
def opened(place: Place) -> Bytes:
    """The place. Raises `StorageUnavailable` where it cannot be used."""
    parts = urlsplit(place.url)
    with _explained():
        folder = folder_of(place.url)
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return Bytes(LocalStore(folder))
        config: S3Config = {}
        if place.endpoint:
            config["endpoint"] = place.endpoint
        if place.region or place.endpoint:
            config["region"] = place.region or "auto"
        if place.access_key_id:
            config["access_key_id"] = place.access_key_id.get_secret_value()
        if place.secret_access_key:
            config["secret_access_key"] = place.secret_access_key.get_secret_value()
        bucket = S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            config=config,
            client_options={"allow_http": (place.endpoint or "").startswith("http://")},
        )
    return Bytes(bucket)
