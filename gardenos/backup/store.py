"""Where backups are kept: a folder of this machine or an S3 bucket, behind one set of names.

basebackups_005/base_<segment>/...                             the files of a full backup
basebackups_005/base_<segment>_backup_stop_sentinel.json       written last: it is whole
wal_005/<segment>.gz, <timeline>.history.gz, <segment>.partial.gz
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, ObjectStore, S3Store
from pydantic import BaseModel, ConfigDict, SecretStr

from gardenos.backup.errors import StoreUnusable

if TYPE_CHECKING:
    from obstore.store import RetryConfig, S3Config

BACKUPS = "basebackups_005"
WAL = "wal_005"
_RETRY = timedelta(minutes=1)
_CHUNK = 4 * 1024 * 1024
_LEVEL = 1  # of gzip: a segment must not take longer than filling it did


class Place(BaseModel):
    """Where backups are kept, and how to get in."""

    model_config = ConfigDict(frozen=True)

    url: str
    """A folder, or `s3://bucket/prefix`."""
    s3_endpoint: str | None = None
    """For others than Amazon, such as https://fsn1.your-objectstorage.com."""
    s3_region: str | None = None
    s3_access_key_id: SecretStr | None = None
    s3_secret_access_key: SecretStr | None = None

    def open(self, *, retries: int = 5) -> Store:
        """The place, asked again so often where it fails for a moment.

        Raises `StoreUnusable` where the URL or the credentials cannot be used.
        """
        scheme = urlsplit(self.url).scheme
        if scheme not in ("", "s3"):
            raise StoreUnusable(
                f"Backups go to a folder or to s3://bucket/prefix, not to {scheme}://. "
                "Correct GARDENOS_BACKUP_URL."
            )
        with _explained(self.url):
            if scheme == "s3":
                again: RetryConfig = {"max_retries": retries, "retry_timeout": _RETRY}
                parts = urlsplit(self.url)
                bucket = S3Store(
                    parts.netloc,
                    prefix=parts.path.strip("/") or None,
                    config=self._s3(),
                    # A bucket without TLS is for a test on this machine; whoever writes http:// means it.
                    client_options={"allow_http": (self.s3_endpoint or "").startswith("http://")},
                    retry_config=again,
                )
                return Store(bucket, self.url, folder=None)
            folder = Path(self.url).expanduser().absolute()
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise StoreUnusable(
                    f"The folder for backups, {folder}, cannot be made: {error.strerror}. "
                    "Correct GARDENOS_BACKUP_URL."
                ) from error
            return Store(LocalStore(folder), str(folder), folder=folder)

    def _s3(self) -> S3Config:
        config: S3Config = {}
        if self.s3_endpoint:
            config["endpoint"] = self.s3_endpoint
        if self.s3_region or self.s3_endpoint:
            config["region"] = self.s3_region or "auto"
        if self.s3_access_key_id:
            config["access_key_id"] = self.s3_access_key_id.get_secret_value()
        if self.s3_secret_access_key:
            config["secret_access_key"] = self.s3_secret_access_key.get_secret_value()
        return config


@dataclass(frozen=True, slots=True)
class Stored:
    """A file in the store."""

    path: str
    size: int
    at: datetime
    """When it was stored."""

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Store:
    """The files of one place. Every method raises `StoreUnusable` where the place fails."""

    objects: ObjectStore
    where: str
    """To be shown; without credentials."""
    folder: Path | None
    """Where it is a folder."""

    def files(self, prefix: str) -> Iterator[Stored]:
        """All files below a folder, by name."""
        with _explained(self.where):
            found = [
                Stored(meta["path"], meta["size"], meta["last_modified"])
                for page in obstore.list(self.objects, prefix)
                for meta in page
            ]
        yield from sorted(found, key=lambda file: file.path)

    def read(self, path: str) -> bytes | None:
        """A small file; None where there is none."""
        with _explained(self.where):
            try:
                return bytes(obstore.get(self.objects, path).bytes())
            except FileNotFoundError:
                return None

    def chunks(self, path: str) -> Iterator[bytes]:
        """A large file, piece by piece; `FileNotFoundError` where there is none."""
        with _explained(self.where):
            for chunk in obstore.get(self.objects, path).stream(min_chunk_size=_CHUNK):
                yield bytes(chunk)

    def create(self, path: str, content: bytes | Path) -> bool:
        """Store a file that must not be there yet; False, and nothing done, where it is.

        Returns once it is stored for good: in a folder it and its name are on the disk.
        """
        # A conditional write of one request: in several parts there would be no condition.
        body = content.read_bytes() if isinstance(content, Path) else content
        with _explained(self.where):
            try:
                obstore.put(self.objects, path, body, mode="create", use_multipart=False)
            except (AlreadyExistsError, FileExistsError):
                return False
        self._settle(path)
        return True

    def replace(self, path: str, content: bytes | Path) -> None:
        """Store a file, in place of the one that is there; large ones in parts."""
        with _explained(self.where):
            obstore.put(self.objects, path, content)
        self._settle(path)

    def remove(self, *paths: str) -> None:
        """Remove files; those that are not there are no fault."""
        with _explained(self.where):
            for path in paths:
                with suppress(FileNotFoundError):
                    obstore.delete(self.objects, path)

    def _settle(self, path: str) -> None:
        """Make a file of a folder outlive a power failure: a bucket does that before it answers."""
        if self.folder is None:
            return
        with _explained(self.where):
            file = self.folder / path
            for one in (file, *file.parents):
                descriptor = os.open(one, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
                if one == self.folder:
                    break


@contextmanager
def _explained(where: str) -> Generator[None]:
    try:
        yield
    except (BaseError, PermissionError, NotADirectoryError) as error:
        # The first line says what happened; what follows are the library's own layers.
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise StoreUnusable(
            f"The place for backups, {where}, cannot be used: {said[:300]} "
            "Check GARDENOS_BACKUP_URL and its credentials."
        ) from error


def packed(content: bytes) -> bytes:
    """Compressed, the same for the same content."""
    return gzip.compress(content, _LEVEL, mtime=0)


def unpacked(content: bytes) -> bytes:
    """What was packed. ValueError where it was damaged since."""
    if not content:
        raise ValueError("it does not unpack: it is empty")
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"it does not unpack: {error}") from error


def digest(file: Path) -> str:
    """The SHA-256 of a file of this machine."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
