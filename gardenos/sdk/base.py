"""What every method gives back: frozen, typed, and readable as attributes or like a dict."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, TypeAlias, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

T = TypeVar("T")

Included: TypeAlias = dict[str, dict[UUID, dict[str, Any]]]
"""Related records: by kind, then by id, as in `included["companies"][deal.company_id]["name"]`."""


class Result(BaseModel):
    """A value from GardenOS. Fields a newer server adds are kept, and read like `result["new"]`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    def __getitem__(self, name: str) -> Any:
        if name not in self.keys():
            raise KeyError(name)
        return getattr(self, name)

    def get(self, name: str, default: Any = None) -> Any:
        """A field, or `default` where the answer held none of that name."""
        return self[name] if name in self.keys() else default

    def keys(self) -> Iterable[str]:
        """The field names: with `[...]` this makes `dict(result)` and `**result` work."""
        return [*type(self).model_fields, *(self.model_extra or {})]


class Page(Result, Generic[T]):
    """Part of a list. `next_cursor` is None on the last page; `total` is set only if asked for."""

    items: tuple[T, ...]
    next_cursor: str | None = None
    total: int | None = None
    included: Included = Field(default_factory=Included)


class Items(Result, Generic[T]):
    """A short list, complete."""

    items: tuple[T, ...]
