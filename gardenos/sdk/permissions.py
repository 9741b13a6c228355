"""`client.permissions` and `client.field_masks`: who may what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, TypedDict

from gardenos.sdk.agency import Role
from gardenos.sdk.base import Items, Result
from gardenos.sdk.bound import D, Namespace, endpoint
from gardenos.sdk.call import Call, model
from gardenos.sdk.records import plain

Verb: TypeAlias = Literal["read", "create", "update", "delete"]
Scope: TypeAlias = Literal["none", "own", "team", "agency"]
Access: TypeAlias = Literal["hidden", "read_only"]


class Permission(Result):
    """To whose records of an entity a role may do something."""

    role: Role
    entity: str
    verb: Verb
    scope: Scope
    default: Scope
    is_default: bool


class Mask(Result):
    """A field that a role does not see, or does not set."""

    role: Role
    entity: str
    field: str
    access: Access


class PermissionChange(TypedDict):
    """What shall hold; None: what it comes with."""

    role: Role
    entity: str
    verb: Verb
    scope: Scope | None


class MaskChange(TypedDict):
    """What shall hold of a field, `custom.` and its name for one of yours; None: nothing."""

    role: Role
    entity: str
    field: str
    access: Access | None


class Permissions(Namespace[D]):
    """What holds for every role, entity and verb."""

    @endpoint
    def list(self) -> Call[Items[Permission]]:
        """Every cell of the matrix."""
        return Call("GET", "/v1/permissions", model(Items[Permission]))

    @endpoint
    def set(self, changes: Sequence[PermissionChange]) -> Call[Items[Permission]]:
        """Set cells; the others stay. Raises `Forbidden` unless an owner or admin asks."""
        body = {"items": plain(changes)}
        return Call("PUT", "/v1/permissions", model(Items[Permission]), json=body)


class FieldMasks(Namespace[D]):
    """Fields that a role does not see, or does not set."""

    @endpoint
    def list(self) -> Call[Items[Mask]]:
        """Every mask of the agency."""
        return Call("GET", "/v1/field-masks", model(Items[Mask]))

    @endpoint
    def set(self, changes: Sequence[MaskChange]) -> Call[Items[Mask]]:
        """Set masks; the others stay. Raises `Forbidden` unless an owner or admin asks."""
        body = {"items": plain(changes)}
        return Call("PUT", "/v1/field-masks", model(Items[Mask]), json=body)
