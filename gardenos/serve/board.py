"""The notice board in Ray's internal key-value store: the only module that touches that store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray.experimental import internal_kv  # not a public interface: Ray's version is pinned

_NAMESPACE = "gardenos"


class RayBoard:
    """A `Board` for every process of a Ray cluster. Each call is one round trip to the GCS."""

    def put(self, key: str, note: bytes) -> None:
        """See `Board`."""
        internal_kv._internal_kv_put(key, note, overwrite=True, namespace=_NAMESPACE)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]

    def read(self, prefix: str) -> Mapping[str, bytes]:
        """See `Board`."""
        keys: list[bytes] = internal_kv._internal_kv_list(prefix, namespace=_NAMESPACE)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        notes: dict[str, bytes] = {}
        for key in keys:
            note: Any = internal_kv._internal_kv_get(key, namespace=_NAMESPACE)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
            if note is not None:
                notes[key.decode()] = note
        return notes

    def drop(self, key: str) -> None:
        """See `Board`."""
        internal_kv._internal_kv_del(key, namespace=_NAMESPACE)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
