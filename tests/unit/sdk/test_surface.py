"""The SDK held to the OpenAPI document: every operation, every parameter, every field."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import BaseModel

from gardenos.sdk import AsyncGardenOS, GardenOS
from gardenos.sdk.records import Records
from gardenos.serve.api import create_api
from tests.support.sdk_surface import URL, Method, methods, namespaces

DOCUMENT = create_api().openapi()
METHODS = methods()
_CLIENT = AsyncGardenOS(URL, token="t")
NOT_FOR_PROGRAMS: Mapping[str, str] = {
    "get_token": "every client signs in and refreshes by itself",
    "get_sign_in_health": "for what watches over the installation",
    "get_sign_in_settings": "for Supabase's sign-in forms",
    "get_jwks": "for services that verify tokens",
    "read_health": "for what watches over the installation",
    "read_readiness": "for what watches over the installation",
    "read_metrics": "for Prometheus",
}
"""Operations without a method, and why."""
_CLIENTS_OWN = {"If-None-Match", "Last-Event-ID", "cursor", "wait_s"}
"""What a client sends, if at all, by itself: where a list or a stream goes on, how long to wait."""
_REFUSED = {"change_user": {"email", "phone", "app_metadata"}}
"""Members of a body that are there for Supabase's clients, and whose change the server refuses."""
_OF_LISTS = {"q", "include", "include_deleted"}
"""What every list of records is offered; a noun that lacks one refuses it by name."""


class Operation:
    """One operation of the document."""

    def __init__(self, verb: str, path: str, says: dict[str, Any]) -> None:
        self.verb = verb.upper()
        self.path = path
        self.says = says
        self.name: str = says["operationId"]

    @property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(self.path)))

    @property
    def parameters(self) -> set[str]:
        """What can be sent besides a body and the names in the path."""
        return {p["name"] for p in self.says.get("parameters", ()) if p["in"] != "path"}

    @property
    def body(self) -> list[dict[str, Any]]:
        """The shapes that its body can have."""
        content = self.says.get("requestBody", {}).get("content", {})
        return [form for media in content.values() for form in forms(media["schema"])]

    @property
    def answers(self) -> list[dict[str, Any]]:
        """The JSON that it answers where all is well."""
        return [
            form
            for status, answer in self.says["responses"].items()
            if status.startswith("2")
            for kind, media in answer.get("content", {}).items()
            if kind in ("application/json", "text/event-stream")
            for form in forms(_told(media["schema"], kind))
        ]


def _told(schema: dict[str, Any], kind: str) -> dict[str, Any]:
    """What the data of an event is, for a stream; else the schema itself."""
    if kind == "application/json":
        return schema
    data: dict[str, Any] = schema["properties"]["data"]
    return cast("dict[str, Any]", data.get("contentSchema", {}))


def forms(schema: dict[str, Any], root: dict[str, Any] = DOCUMENT) -> Iterator[dict[str, Any]]:
    """The schemas behind references and unions."""
    if "$ref" in schema:
        found: Any = root
        for name in schema["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        yield from forms(found, root)
    elif "anyOf" in schema or "oneOf" in schema:
        for one in schema.get("anyOf", schema.get("oneOf", ())):
            yield from forms(one, root)
    else:
        yield schema


OPERATIONS = [
    Operation(verb, path, says)
    for path, verbs in cast("dict[str, dict[str, Any]]", DOCUMENT["paths"]).items()
    for verb, says in verbs.items()
]


def operation_of(method: Method) -> Operation:
    """The operation that a method asks for; a path that is written out before one with names."""
    found = [
        operation
        for operation in OPERATIONS
        if operation.verb == method.call.method and operation.pattern.fullmatch(method.call.path)
    ]
    assert found, f"{method.name} asks for {method.call.method} {method.call.path}, which is none"
    return min(found, key=lambda operation: operation.path.count("{"))


ASKED = [(method, operation_of(method)) for method in METHODS]
_pairs = pytest.mark.parametrize(
    ("method", "operation"), ASKED, ids=[method.name for method in METHODS]
)


def test_every_operation_has_one_method_for_each_form_of_its_answer() -> None:
    reached = Counter((o.name, m.form, m.answer) for m, o in ASKED)
    assert [key for key, times in reached.items() if times > 1] == []
    missing = {o.name for o in OPERATIONS} - {o.name for _, o in ASKED}
    assert missing == NOT_FOR_PROGRAMS.keys()


def test_both_clients_have_every_group_of_methods() -> None:
    blocking, awaited = (
        {name: type(group) for name, group in namespaces(client)}
        for client in (GardenOS(URL, token="t"), AsyncGardenOS(URL, token="t"))
    )
    assert {**blocking, "": None} == {**awaited, "": None}
    assert awaited.keys() == {method.name.rpartition(".")[0] for method in METHODS}


def test_the_page_names_every_method() -> None:
    page = (Path(__file__).parents[3] / "docs" / "sdk.md").read_text("utf-8")
    missing = [method.name for method in METHODS if not _named(method, page)]
    assert missing == []


def _named(method: Method, page: str) -> bool:
    """Whether a page names a method: with its group, or once for all groups of records."""
    group, _, own = method.name.rpartition(".")
    of_records = isinstance(dict(namespaces(_CLIENT))[group], Records)
    return f"`{method.name}(" in page or (
        of_records and re.search(rf"[`.]{own}\(", page) is not None
    )


@_pairs
def test_every_parameter_can_be_sent(method: Method, operation: Operation) -> None:
    of_the_body = {"Content-Type", "Content-Length"}
    sent = {*method.call.params, *method.call.headers} - of_the_body
    known = operation.parameters
    if "fields" in known:
        known |= _OF_LISTS
        sent |= _OF_LISTS - operation.parameters
    if "sort" in known:
        # The rest are conditions, which `where` leaves free; one was sent.
        assert "named" in sent
        own = {"limit", "cursor", "total"} if "limit" in known else {"format", "gzip"}
        known = {"named", "sort", "fields", *own, *_OF_LISTS}
        sent |= {"total"} & own
    assert sent <= known
    assert known - sent - _CLIENTS_OWN == set()


@_pairs
def test_every_field_of_a_body_can_be_set(method: Method, operation: Operation) -> None:
    refused = _REFUSED.get(operation.name, set())
    known = [form.get("properties", {}).keys() - refused for form in operation.body]
    if not known:
        assert method.sent == frozenset()
    else:
        assert method.sent in known, [sorted(method.sent ^ form) for form in known]


@_pairs
def test_every_field_of_an_answer_is_typed(method: Method, operation: Operation) -> None:
    if method.answer is None:
        assert operation.answers == [] or method.form == "Following"
        return
    schema = method.answer.model_json_schema(mode="serialization")
    faults = [list(_differences(form, schema, schema, "")) for form in operation.answers]
    assert [] in faults, faults


def _differences(
    said: dict[str, Any], ours: dict[str, Any], root: dict[str, Any], at: str
) -> Iterator[str]:
    """What the server's schema holds that the SDK's does not."""
    for one in forms(said):
        if not one.keys() - {"title", "description"}:
            continue  # Anything may come: there is nothing to hold the SDK to.
        fitting = [form for form in forms(ours, root) if _same_kind(one, form)]
        if not fitting:
            yield f"{at or 'answer'}: {_kind(one)} is not among what the SDK reads"
            continue
        yield from min(
            (list(_inside(one, form, root, at)) for form in fitting),
            key=len,
        )


def _kind(schema: dict[str, Any]) -> tuple[Any, Any]:
    return schema.get("type"), schema.get("format")


def _same_kind(said: dict[str, Any], ours: dict[str, Any]) -> bool:
    if "type" not in ours and "enum" not in ours and "const" not in ours:
        return True
    if said.get("type") == "integer" and ours.get("type") == "number":
        return True
    if said.get("type") == "string" and ours.get("format") == "password":
        return True
    return said.get("type") == ours.get("type") and ours.get("format") in (None, said.get("format"))


def _inside(
    said: dict[str, Any], ours: dict[str, Any], root: dict[str, Any], at: str
) -> Iterator[str]:
    choices = ours.get("enum") or ([ours["const"]] if "const" in ours else None)
    if choices is not None and (more := set(said.get("enum", ())) - set(choices)):
        yield f"{at}: {sorted(more)} are not among its values"
    if "items" in said and "items" in ours:
        yield from _differences(said["items"], ours["items"], root, f"{at}[]")
    free = ours.get("additionalProperties")
    for name, schema in said.get("properties", {}).items():
        known = ours.get("properties", {}).get(name)
        if known is None and "properties" not in ours and isinstance(free, (dict, bool)):
            known = free if isinstance(free, dict) else {}
        if known is None:
            yield f"{at}.{name} is missing"
        else:
            yield from _differences(schema, known, root, f"{at}.{name}")
    always = set(said.get("required", ()))
    for name in sorted(set(ours.get("required", ())) - always):
        if not said.get("properties", {}).get(name, {}).get("default"):
            yield f"{at}.{name} need not come"


def test_a_field_that_is_missing_would_be_noticed() -> None:
    class Short(BaseModel):
        id: int

    said = {"type": "object", "properties": {"id": {"type": "string"}, "name": {}}}
    schema = Short.model_json_schema(mode="serialization")
    assert [*_differences(said, schema, schema, "")] == [
        ".id: ('string', None) is not among what the SDK reads",
        ".name is missing",
        ".id need not come",
    ]
