"""Query parameters that a route does not have are errors, not silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

from gardenos.core.errors import InvalidRequest, UnknownParameter

if TYPE_CHECKING:
    from fastapi.dependencies.models import Dependant


@dataclass(frozen=True, slots=True)
class _Declared:
    names: frozenset[str]
    repeatable: frozenset[str]


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


def _declared(dependant: Dependant) -> _Declared:
    names: set[str] = set()
    repeatable: set[str] = set()
    _collect(dependant, names, repeatable)
    return _Declared(frozenset(names), frozenset(repeatable))


def _refuse_unknown(request: Request, declared: _Declared) -> None:
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


class StrictRoute(APIRoute):
    """A route that raises `UnknownParameter` for a query parameter it does not declare.

    One that is declared once and sent twice is an `InvalidRequest`: half of it would be ignored.
    `APIRouter(route_class=StrictRoute)` makes every route of a router strict.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See `APIRoute`."""
        handle = super().get_route_handler()
        declared = _declared(self.dependant)

        async def strictly(request: Request) -> Response:
            # Not a dependency: FastAPI would resolve it for every request, with or without a query.
            if request.scope["query_string"]:
                _refuse_unknown(request, declared)
            return await handle(request)

        return strictly
