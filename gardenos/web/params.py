"""Query parameters that a route does not have are errors, not silence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel

from gardenos.core.errors import InvalidRequest, UnknownParameter

if TYPE_CHECKING:
    from fastapi.dependencies.models import Dependant


@dataclass(frozen=True, slots=True)
class _Declared:
    names: frozenset[str]
    repeatable: frozenset[str]


_known: dict[int, tuple[APIRoute, _Declared]] = {}
"""By the route's identity, for routes have no hash; holding the route keeps the identity its own."""


def _repeats(annotation: Any) -> bool:
    origin = getattr(annotation, "__origin__", annotation)
    if isinstance(origin, type) and issubclass(origin, (list, tuple, set, frozenset)):
        return True
    return any(_repeats(part) for part in getattr(annotation, "__args__", ()))


def _collect(dependant: Dependant, names: set[str], repeatable: set[str]) -> None:
    for field in dependant.query_params:
        annotation: Any = field.field_info.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found = [
                (info.alias or n, info.annotation) for n, info in annotation.model_fields.items()
            ]
        else:
            found = [(field.alias, annotation)]
        names.update(name for name, _ in found)
        repeatable.update(name for name, kind in found if _repeats(kind))
    for sub in dependant.dependencies:
        _collect(sub, names, repeatable)


def _declared(route: APIRoute) -> _Declared:
    known = _known.get(id(route))
    if known is None:
        names: set[str] = set()
        repeatable: set[str] = set()
        _collect(route.dependant, names, repeatable)
        known = _known[id(route)] = route, _Declared(frozenset(names), frozenset(repeatable))
    return known[1]


async def refuse_unknown_parameters(request: Request) -> None:
    """Raise `UnknownParameter` for a query parameter the route does not declare.

    One that is declared once and sent twice is an `InvalidRequest`: half of it would be ignored.
    """
    if not request.scope["query_string"]:
        return
    route = request.scope.get("route")
    if not isinstance(route, APIRoute):
        return
    declared = _declared(route)
    sent = Counter(name for name, _ in request.query_params.multi_items())
    unknown = sorted(sent.keys() - declared.names)
    if unknown:
        known = ", ".join(f"`{name}`" for name in sorted(declared.names)) or "none"
        raise UnknownParameter(
            f"This route has no such query parameter. It takes: {known}.",
            errors=[
                {"pointer": name[:100], "detail": "is not a parameter of this route"}
                for name in unknown[:20]
            ],
        )
    doubled = [n for n, times in sent.items() if times > 1 and n not in declared.repeatable]
    if doubled:
        raise InvalidRequest(
            "A query parameter was sent more than once.",
            errors=[{"pointer": name, "detail": "may be sent once"} for name in doubled],
        )


StrictParams = Depends(refuse_unknown_parameters)
"""`APIRouter(dependencies=[StrictParams])` makes every route of a router strict."""
