"""The OpenAPI document as Schemathesis reads it: signed in, against all of GardenOS but Ray.

Every run draws the same. `GARDENOS_FUZZ_EXAMPLES` has it draw more of everything,
`GARDENOS_FUZZ_SEED` something else.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import schemathesis
from anyio.from_thread import start_blocking_portal
from schemathesis import Case, HookContext
from schemathesis.engine import Status, StopReason, events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.hooks import GLOBAL_HOOK_DISPATCHER

from gardenos.ai import models as ai_models
from gardenos.ai.progress import LONGEST_STREAM_S
from gardenos.auth.operators import ensure_operator, issue_access_token
from gardenos.auth.tokens import TokenIssuer
from gardenos.core.ids import AgencyId
from gardenos.crm.duplicates.sweep import sweep_agency
from gardenos.db.session import Database, Role
from gardenos.testing.postgres import PostgresServer
from tests.support.fuzzing import EMAIL, LONGEST_WAIT_S, PASSWORD, Known, known_requests
from tests.support.local import local_installation, settings_for
from tests.support.serving import served

EXAMPLES = int(os.environ.get("GARDENOS_FUZZ_EXAMPLES", "4"))
SEED = os.environ.get("GARDENOS_FUZZ_SEED")
EVENTS = ("GET /ai/tasks/{task_id}/events", "GET /events")
WAITING = {
    f"POST /ai/{path}" for path in ("leads/analyze", "follow-ups", "agents/{agent_type}/run")
}
DEAD_TASK = """
INSERT INTO agent_tasks (agency_id, agent_type, state, fence, attempt, started_at, finished_at, error)
VALUES ($1, 'lead_analysis', 'dead', 1, 1, now(), now(), '{"code": "failed", "detail": "No."}')
RETURNING id
"""


@dataclass(frozen=True)
class Target:
    """The installation to fuzz."""

    url: str
    token: str
    document: dict[str, Any]


@asynccontextmanager
async def installation(dsn: str, home: Path) -> AsyncGenerator[Target]:
    # Without limits: thirty thousand requests of one user would mostly be answered 429.
    limits = dict.fromkeys(("rate_limit_agency", "rate_limit_user", "rate_limit_address"), 0)
    settings = settings_for(dsn, home=home, webhooks_allow_private=True, **limits)
    async with local_installation(settings) as app, served(app) as url:
        database = app.state.services.database
        await ensure_operator(database, EMAIL, PASSWORD)
        token = await issue_access_token(database, TokenIssuer.of(settings), ttl_s=3600)
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=url, headers=headers) as client:
            document = (await client.get("/openapi.json")).json()
            agency = (await client.get("/v1/agency")).json()["id"]
            async with database.system(Role.WORKER) as session:
                dead = str(await session.fetchval(DEAD_TASK, UUID(agency)))
            pair = await pair_of_leads(client, database, AgencyId(UUID(agency)))
            show(await known_requests(client, dead, pair), document)
        yield Target(url, token, document)


async def pair_of_leads(client: httpx.AsyncClient, database: Database, agency: AgencyId) -> str:
    """The id of a pair, as the sweep finds it."""
    for _ in range(2):
        sent = {"first_name": "Grace", "last_name": "Hopper", "company": "Harvard Mark"}
        made = await client.post("/v1/leads", json=sent, headers={"Allow-Duplicate": "true"})
        assert made.is_success, made.text
    await sweep_agency(database, agency, timedelta(0))
    [pair] = (await client.get("/v1/duplicates")).json()["items"]
    return str(pair["id"])


def show(known: Mapping[str, Known], document: dict[str, Any]) -> None:
    """Put what is known into the document, as examples of its operations."""
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert "{" not in path or operation["operationId"] in known, operation["operationId"]
            wanted = known.get(operation["operationId"], Known())
            if wanted.body is not None:
                [sent] = operation["requestBody"]["content"].values()
                sent["example"] = wanted.body
            for parameter in operation.get("parameters", []):
                if parameter["name"] in wanted.parameters:
                    parameter["example"] = wanted.parameters[parameter["name"]]


@pytest.fixture
def target(server: PostgresServer, database_name: str, tmp_path: Path) -> Generator[Target]:
    """An installation at work on an event loop of its own, for Schemathesis blocks."""
    running = installation(server.app(database_name), tmp_path)
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
    """Changes requests that would all be answered alike."""

    def __init__(self) -> None:
        self._used: set[tuple[str, str, str]] = set()

    def __call__(self, context: HookContext, case: Case[Any]) -> Case[Any]:
        """See `map_case` of Schemathesis."""
        if self._was_used(case, "Idempotency-Key"):
            del case.headers["Idempotency-Key"]
        if case.method == "PATCH" and self._was_used(case, "If-Match"):
            case.headers["If-Match"] = "*"
        return case

    def _was_used(self, case: Case[Any], header: str) -> bool:
        value = (case.headers or {}).get(header)
        use = case.operation.label, header, str(value)
        known = use in self._used
        self._used.add(use)
        return known and isinstance(value, str)


def impatient(_context: HookContext, case: Case[Any], _kwargs: dict[str, Any]) -> None:
    """Have no request wait for long; see `before_call` of Schemathesis.

    Whether a task ends meanwhile is open: one of the requests before may have paused all work.
    """
    label = case.operation.label
    longest = LONGEST_STREAM_S if label in EVENTS else ai_models.LONGEST_WAIT_S
    if label in EVENTS:
        case.query = {"wait_s": longest, **(case.query or {})}
    if label in WAITING and isinstance(case.body, dict):
        case.body.setdefault("wait_s", longest)
    for sent in (case.query, case.body):
        if isinstance(sent, dict) and _is_long(sent.get("wait_s"), longest):
            sent["wait_s"] = LONGEST_WAIT_S


@contextmanager
def before_each_call(hook: Callable[..., None]) -> Generator[None]:
    """Have Schemathesis call `hook` before every request, in all of its phases."""
    GLOBAL_HOOK_DISPATCHER.register_hook_with_name(hook, "before_call")
    try:
        yield
    finally:
        GLOBAL_HOOK_DISPATCHER.unregister(hook)


def _is_long(wait_s: object, longest: float) -> bool:
    """Whether it is a time that the route would wait; in a query it may be written as text."""
    if isinstance(wait_s, bool) or not isinstance(wait_s, (int, float, str)):
        return False
    try:
        return LONGEST_WAIT_S < float(wait_s) <= longest
    except ValueError:
        return False


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


@pytest.mark.timeout(1500)  # some thirty thousand requests
# Of how costly and how repeatable it is to draw requests, which says nothing about the answers.
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
def test_every_operation_keeps_to_the_document_whatever_is_sent(target: Target) -> None:
    schema = schemathesis.openapi.from_dict(target.document, config=configured(target))
    schema.hooks.register_hook_with_name(Tamer(), "map_case")
    operations = {
        f"{method.upper()} {path}"
        for path, methods in target.document["paths"].items()
        for method in methods
    }
    findings = Findings()
    with before_each_call(impatient):
        for event in from_schema(schema).execute():
            findings.note(event)
    print(f"{len(operations)} operations, {findings.cases.total()} cases: {dict(findings.cases)}")
    for label in sorted(operations):
        print(f"  {label}: {dict(sorted(findings.statuses[label].items()))}")
    assert not findings.faults, "\n\n".join(findings.faults[:20])
    assert findings.stopped is StopReason.COMPLETED
    assert set(findings.cases) == {"examples", "coverage", "fuzzing", "stateful"}
    missing = operations - findings.served()
    assert not missing, f"known_requests serves none of: {', '.join(sorted(missing))}"
