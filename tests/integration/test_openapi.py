"""The OpenAPI document is complete: what programs and people read there is all there is to know."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from gardenos.core.errors import GardenOSError
from gardenos.serve.api import create_api

PROBLEM = {"$ref": "#/components/schemas/Problem"}
REFUSAL = {"$ref": "#/components/schemas/Refusal"}
SIGN_IN = "/auth/v1/"


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    said: dict[str, Any]

    @property
    def answers(self) -> dict[str, Any]:
        return self.said["responses"]

    @property
    def failures(self) -> dict[str, Any]:
        return {status: said for status, said in self.answers.items() if status >= "400"}

    @property
    def body(self) -> dict[str, Any] | None:
        return self.said.get("requestBody")

    @property
    def takes_a_token(self) -> bool:
        return bool(self.said.get("security"))


DOCUMENT = create_api().openapi()
OPERATIONS = [
    Operation(method, path, said)
    for path, methods in DOCUMENT["paths"].items()
    for method, said in methods.items()
]
EVERY = pytest.mark.parametrize(
    "operation", OPERATIONS, ids=[f"{o.method.upper()} {o.path}" for o in OPERATIONS]
)


def test_operation_ids_are_unique_and_fit_a_programs_methods() -> None:
    names = Counter(operation.said["operationId"] for operation in OPERATIONS)
    assert set(names.values()) == {1}
    assert all(name.isidentifier() and name == name.lower() for name in names)


@EVERY
def test_an_operation_says_what_it_does_and_where_it_belongs(operation: Operation) -> None:
    assert operation.said["summary"]
    assert operation.said["description"].splitlines()[0].endswith(".")
    assert len(operation.said["tags"]) == 1
    for answer in operation.answers.values():
        assert answer["description"]


@EVERY
def test_an_operation_names_every_way_it_can_fail(operation: Operation) -> None:
    signs_in = operation.path.startswith(SIGN_IN)
    takes = {p["name"]: p["required"] for p in operation.said.get("parameters", [])}
    reasons = [
        (True, {"500"}),
        (operation.takes_a_token, {"401", "403", "503"}),
        ("{" in operation.path, {"404"}),
        (not signs_in, {"400"}),  # a parameter it does not have
        (operation.method not in ("get", "head"), {"413"}),
        (operation.body and not signs_in, {"415", "422"}),
        (operation.body and signs_in, {"400", "503"}),
        ("Idempotency-Key" in takes, {"409"}),
        ("If-Match" in takes, {"412"}),
        (takes.get("If-Match"), {"428"}),
        ("If-None-Match" in takes, {"304"}),
    ]
    expected = {status for applies, statuses in reasons if applies for status in statuses}
    assert expected <= set(operation.answers)


@EVERY
def test_every_failure_is_a_problem_or_in_the_sign_ins_shape(operation: Operation) -> None:
    assert not re.search("HTTPValidationError", str(operation.said))
    for status, answer in operation.failures.items():
        kinds = {kind: media["schema"] for kind, media in answer["content"].items()}
        if kinds == {"application/json": REFUSAL}:
            assert operation.path.startswith(SIGN_IN), status
        else:
            assert kinds == {"application/problem+json": PROBLEM}, status
            assert re.search(r"^`[a-z-]+`: [A-Z].*\.$", answer["description"], re.MULTILINE)


@EVERY
def test_an_answer_has_a_shape(operation: Operation) -> None:
    for status, answer in operation.answers.items():
        if status in ("204", "304"):
            assert "content" not in answer
        else:
            # One, but for files, whose kind is asked for.
            files = operation.path.startswith("/v1/exports/") and status == "200"
            assert len(answer["content"]) == (4 if files else 1)
            assert all(media["schema"] for media in answer["content"].values()), status


@EVERY
def test_a_parameter_is_described_by_one_type(operation: Operation) -> None:
    for parameter in operation.said.get("parameters", []):
        schema = parameter["schema"]
        assert {"type", "$ref", "enum", "anyOf"} & set(schema), parameter["name"]
        assert {"type": "null"} not in schema.get("anyOf", []), parameter["name"]


def test_only_what_needs_no_token_asks_for_none() -> None:
    free = {f"{o.method.upper()} {o.path}" for o in OPERATIONS if not o.takes_a_token}
    assert free == {
        "GET /healthz",
        "GET /readyz",
        "GET /metrics",
        "POST /auth/v1/signup",
        "POST /auth/v1/token",
        "GET /auth/v1/health",
        "GET /auth/v1/settings",
        "GET /auth/v1/.well-known/jwks.json",
        "GET /v1/join/{token}",
        "PUT /v1/attachments/content/{token}",
        "GET /v1/attachments/content/{token}",
    }


def test_the_problems_it_names_are_those_there_are() -> None:
    named = set(re.findall(r"^`([a-z_-]+)`: ", _descriptions(), re.MULTILINE))
    known: set[str] = set()
    left: list[type[GardenOSError]] = [GardenOSError]
    while left:
        kind = left.pop()
        known.add(kind.code)
        left += kind.__subclasses__()
    assert named <= known
    answered = {"internal", "invalid-cursor", "idempotency-key-reused", "precondition-required"}
    assert answered | {"body-too-large", "orchestrator-unavailable", "weak_password"} <= named


def _descriptions() -> str:
    return "\n\n".join(
        answer["description"] for operation in OPERATIONS for answer in operation.failures.values()
    )


def test_every_reference_leads_somewhere_and_no_schema_is_left_over() -> None:
    referred = set(re.findall(r"#/components/schemas/(\w+)", str(DOCUMENT)))
    assert referred == set(DOCUMENT["components"]["schemas"])
