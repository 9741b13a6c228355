"""The OpenAPI document as Schemathesis reads it: signed in, against all of GardenOS but Ray.

Every run draws the same. `GARDENOS_FUZZ_EXAMPLES` has it draw more of everything,
`GARDENOS_FUZZ_SEED` something else.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import schemathesis
from anyio.from_thread import start_blocking_portal
from schemathesis import Case, HookContext
from schemathesis.engine import Status, StopReason, events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder

from gardenos.auth.operators import ensure_operator, issue_access_token
from gardenos.auth.tokens import TokenIssuer
from gardenos.testing.postgres import PostgresServer
from tests.support.local import local_installation, settings_for
from tests.support.serving import served

EXAMPLES = int(os.environ.get("GARDENOS_FUZZ_EXAMPLES", "12"))
SEED = os.environ.get("GARDENOS_FUZZ_SEED")
EMAIL, PASSWORD = "owner@example.org", "a password of some length"
LONGEST_WAIT_S = 0.5


@dataclass(frozen=True)
class Known:
    """A request that is served, which no generator would guess."""

    body: Any = None
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class Target:
    """The installation to fuzz."""

    url: str
    token: str
    document: dict[str, Any]


@asynccontextmanager
async def installation(dsn: str) -> AsyncGenerator[Target]:
    settings = settings_for(dsn)
    async with local_installation(settings) as app, served(app) as url:
        database = app.state.services.database
        await ensure_operator(database, EMAIL, PASSWORD)
        token = await issue_access_token(database, TokenIssuer.of(settings), ttl_s=3600)
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=url, headers=headers) as client:
            document = (await client.get("/openapi.json")).json()
            show(await known_requests(client), document)
        yield Target(url, token, document)


async def known_requests(client: httpx.AsyncClient) -> dict[str, Known]:
    """A request for each operation that needs a record, or a value with a meaning."""

    async def made(path: str, **sent: Any) -> str:
        answer = await client.post(path, **sent)
        assert answer.is_success, answer.text
        made_id: str = answer.json()["id"]
        return made_id

    lead = {"lead_id": await made("/v1/leads", json={"first_name": "Ada"})}
    doomed = {"lead_id": await made("/v1/leads", json={"first_name": "Eve"})}
    imported = await made("/v1/imports", files={"file": ("a.csv", b"email\na@example.com\n")})
    analysis = {"agent_type": "lead_analysis", "payload": lead}
    task = await made("/ai/tasks", json=analysis)
    [agent, *_] = (await client.get("/ai/agents")).json()["items"]
    of_lead = ("get_lead", "restore_lead", "list_scores", "list_follow_ups")
    return {name: Known(parameters=lead) for name in of_lead} | {
        "sign_up": Known({"email": "new@example.org", "password": PASSWORD}),
        "get_token": Known(
            {"email": EMAIL, "password": PASSWORD}, parameters={"grant_type": "password"}
        ),
        "change_user": Known({"data": {"colour": "green"}}),
        "change_agency": Known({"name": "Ada & Co"}, parameters={"If-Match": "*"}),
        "change_lead": Known({"city": "Rome"}, parameters=lead | {"If-Match": "*"}),
        "delete_lead": Known(parameters=doomed),
        "get_import": Known(parameters={"import_id": imported}),
        "submit_tasks": Known(analysis),
        "read_task": Known(parameters={"task_id": task}),
        "analyze_lead": Known(lead),
        "generate_follow_up": Known(lead | {"context": "They asked for a price."}),
        "read_agent_metrics": Known(parameters={"agent_id": agent["id"]}),
        "scale_agents": Known({"replicas": 2}, parameters={"agent_type": "lead_analysis"}),
    }


def show(known: Mapping[str, Known], document: dict[str, Any]) -> None:
    """Put what is known into the document, as examples of its operations."""
    for path in document["paths"].values():
        for operation in path.values():
            wanted = known.get(operation["operationId"], Known())
            if wanted.body is not None:
                operation["requestBody"]["content"]["application/json"]["example"] = wanted.body
            for parameter in operation.get("parameters", []):
                if parameter["name"] in wanted.parameters:
                    parameter["example"] = wanted.parameters[parameter["name"]]


@pytest.fixture
def target(server: PostgresServer, database_name: str) -> Generator[Target]:
    """An installation at work on an event loop of its own, for Schemathesis blocks."""
    running = installation(server.app(database_name))
    with (
        start_blocking_portal(backend_options={"use_uvloop": True}) as portal,
        portal.wrap_async_context_manager(running) as target,
    ):
        yield target


def configured(target: Target) -> schemathesis.Config:
    return schemathesis.Config.from_dict(
        {
            "seed": int(SEED or 0),
            "base-url": target.url,
            "continue-on-failure": True,
            "request-timeout": 30,
            "auth": {"openapi": {"HTTPBearer": {"bearer": target.token}}},
            "generation": {
                "deterministic": SEED is None,
                "database": "none",
                "max-examples": EXAMPLES,
                "no-shrink": True,
            },
            "checks": {
                # What a cursor, an owner or a CSV file must be, no schema can say.
                "positive_data_acceptance": {"enabled": False},
                "missing_required_header": {"expected-statuses": ["400", "401", "422", "428"]},
            },
        }
    )


class Tamer:
    """Changes requests that would all be answered alike, or would wait for a minute."""

    def __init__(self) -> None:
        self._used: set[tuple[str, str, str]] = set()

    def __call__(self, context: HookContext, case: Case[Any]) -> Case[Any]:
        """See `map_case` of Schemathesis."""
        if self._was_used(case, "Idempotency-Key"):
            del case.headers["Idempotency-Key"]
        if case.method == "PATCH" and self._was_used(case, "If-Match"):
            case.headers["If-Match"] = "*"
        for sent in (case.query, case.body):
            if isinstance(sent, dict) and _is_long(sent.get("wait_s")):
                sent["wait_s"] = LONGEST_WAIT_S
        return case

    def _was_used(self, case: Case[Any], header: str) -> bool:
        value = (case.headers or {}).get(header)
        use = case.operation.label, header, str(value)
        known = use in self._used
        self._used.add(use)
        return known and isinstance(value, str)


def _is_long(wait_s: object) -> bool:
    return (
        isinstance(wait_s, (int, float))
        and not isinstance(wait_s, bool)
        and LONGEST_WAIT_S < wait_s <= 60
    )


@dataclass
class Findings:
    """What came of the run."""

    cases: Counter[str] = field(default_factory=Counter[str])
    statuses: defaultdict[str, Counter[int]] = field(
        default_factory=lambda: defaultdict(Counter[int])
    )
    faults: list[str] = field(default_factory=list[str])
    stopped: StopReason | None = None

    def note(self, event: events.EngineEvent) -> None:
        match event:
            case events.ScenarioFinished():
                self.cases[event.phase.value] += len(event.recorder.cases)
                self._note_answers(event.recorder)
            case events.NonFatalError():
                self.faults.append(f"{event.label}: {event.info.message}: {event.value}")
            case events.FatalError():
                self.faults.append(repr(event.exception))
            case events.EngineFinished():
                self.stopped = event.stop_reason
            case _:
                pass

    def _note_answers(self, recorder: ScenarioRecorder) -> None:
        for case_id, node in recorder.cases.items():
            label = node.value.operation.label
            interaction = recorder.interactions.get(case_id)
            if interaction is not None and interaction.response is not None:
                self.statuses[label][interaction.response.status_code] += 1
            for check in recorder.checks.get(case_id, []):
                if check.status is not Status.SUCCESS and check.failure_info is not None:
                    failure = check.failure_info.failure
                    self.faults.append(
                        f"{label}: {check.name}: {failure.title}\n{failure.message}\n"
                        f"{check.failure_info.code_sample}"
                    )

    def served(self) -> set[str]:
        return {
            label
            for label, statuses in self.statuses.items()
            if any(httpx.codes.is_success(status) for status in statuses)
        }


def test_every_operation_keeps_to_the_document_whatever_is_sent(target: Target) -> None:
    schema = schemathesis.openapi.from_dict(target.document, config=configured(target))
    schema.hooks.register_hook_with_name(Tamer(), "map_case")
    operations = {
        f"{method.upper()} {path}"
        for path, methods in target.document["paths"].items()
        for method in methods
    }
    findings = Findings()
    for event in from_schema(schema).execute():
        findings.note(event)
    print(f"{len(operations)} operations, {findings.cases.total()} cases: {dict(findings.cases)}")
    for label in sorted(operations):
        print(f"  {label}: {dict(sorted(findings.statuses[label].items()))}")
    assert not findings.faults, "\n\n".join(findings.faults[:20])
    assert findings.stopped is StopReason.COMPLETED
    assert set(findings.cases) == {"examples", "coverage", "fuzzing", "stateful"}
    assert findings.served() == operations
