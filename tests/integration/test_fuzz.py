"""The OpenAPI document as Schemathesis reads it: signed in, against all of GardenOS but Ray.

Every run draws the same. `GARDENOS_FUZZ_EXAMPLES` has it draw more of everything,
`GARDENOS_FUZZ_SEED` something else.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
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
from gardenos.crm.records.bulk.models import MAX_AT_ONCE
from gardenos.db.session import Role
from gardenos.testing.postgres import PostgresServer
from tests.support.fuzzing import Known, record_requests
from tests.support.local import local_installation, settings_for
from tests.support.serving import served

EXAMPLES = int(os.environ.get("GARDENOS_FUZZ_EXAMPLES", "4"))
SEED = os.environ.get("GARDENOS_FUZZ_SEED")
EMAIL, PASSWORD = "owner@example.org", "a password of some length"
LONGEST_WAIT_S = 0.5
EVENTS = ("GET /ai/tasks/{task_id}/events", "GET /events")
WAITING = {
    f"POST /ai/{path}" for path in ("leads/analyze", "follow-ups", "agents/{agent_type}/run")
}
LATER = "2027-06-01T00:00:00Z"
TYPE = {"agent_type": "lead_analysis"}
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
async def installation(dsn: str) -> AsyncGenerator[Target]:
    # Without limits: thirty thousand requests of one user would mostly be answered 429.
    limits = dict.fromkeys(("rate_limit_agency", "rate_limit_user", "rate_limit_address"), 0)
    settings = settings_for(dsn, webhooks_allow_private=True, **limits)
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
            show(await known_requests(client, dead), document)
        yield Target(url, token, document)


async def known_requests(client: httpx.AsyncClient, dead: str) -> dict[str, Known]:
    """A request for each operation that needs a record, or a value with a meaning.

    `dead` is the id of a dead task.
    """

    async def made(path: str, **sent: Any) -> str:
        answer = await client.post(path, **sent)
        assert answer.is_success, answer.text
        made_id: str = answer.json()["id"]
        return made_id

    lead = {"lead_id": await made("/v1/leads", json={"first_name": "Ada"})}
    doomed = {"lead_id": await made("/v1/leads", json={"first_name": "Eve"})}
    imported = await made("/v1/imports", files={"file": ("a.csv", b"email\na@example.com\n")})
    analysis = {"agent_type": "lead_analysis", "payload": lead}
    tasks = {"operations": [{"op": "create", "record": {"title": "Call"}}]}
    many = {"operations": tasks["operations"] * (MAX_AT_ONCE + 1)}
    job = {"job_id": await made("/v1/tasks/bulk", json=many)}
    task = await made("/ai/tasks", json=analysis)
    [agent, *_] = (await client.get("/ai/agents")).json()["items"]
    soon = {"wait_s": LONGEST_WAIT_S}
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
        "bulk_tasks": Known(tasks),
        "get_job": Known(parameters=job),
        "list_job_results": Known(parameters=job),
        "submit_tasks": Known(analysis),
        "read_task": Known(parameters={"task_id": task}),
        "replay_task": Known(parameters={"task_id": dead}),
        "analyze_lead": Known(lead | soon),
        "generate_follow_up": Known(lead | soon | {"context": "They asked for a price."}),
        "read_agent_metrics": Known(parameters={"agent_id": agent["id"]}),
        "scale_agents": Known({"replicas": 2}, parameters=TYPE),
        "run_agent": Known({"input": lead} | soon, parameters=TYPE),
        "follow_task": Known(parameters={"task_id": task} | soon),
        "follow_events": Known(parameters={"entities": "leads"} | soon),
        **await record_requests(client, lead),
        **await steering_requests(client, made, analysis),
        **await rights_requests(client, made),
        **await program_requests(made),
    }


async def program_requests(made: Callable[..., Awaitable[str]]) -> dict[str, Known]:
    """The same for keys and webhooks."""
    key = {"name": "nightly", "scopes": ["leads:read"]}
    hook = {"url": "https://127.0.0.1:1/hook", "entities": ["deals"]}
    first, second = [{"key_id": await made("/v1/api-keys", json=key)} for _ in range(2)]
    kept, doomed = [{"webhook_id": await made("/v1/webhooks", json=hook)} for _ in range(2)]
    delivery = await made(f"/v1/webhooks/{kept['webhook_id']}/test")
    of_hook = ("get_webhook", "rotate_webhook_secret", "send_test_to_webhook")
    return {name: Known(parameters=kept) for name in of_hook} | {
        "create_api_key": Known(key),
        "get_api_key": Known(parameters=first),
        "revoke_api_key": Known(parameters=second),
        "create_webhook": Known(hook),
        "change_webhook": Known({"active": False}, parameters=kept | {"If-Match": "*"}),
        "delete_webhook": Known(parameters=doomed),
        "list_webhook_deliveries": Known(parameters=kept),
        "replay_webhook_delivery": Known(parameters=kept | {"delivery_id": delivery}),
    }


async def steering_requests(
    client: httpx.AsyncClient, made: Callable[..., Awaitable[str]], analysis: dict[str, Any]
) -> dict[str, Known]:
    """The same for what steers the queue."""
    later = await made("/ai/tasks", json=analysis | {"run_at": LATER})
    daily = analysis | {"cron": "0 7 * * *"}
    first, second = [await made("/ai/schedules", json=daily | {"name": name}) for name in "ab"]
    for path, params in (("/ai/pauses", {}), ("/ai/limits", TYPE)):
        assert (await client.put(path, params=params, json={})).is_success
    return {
        "cancel_task": Known(parameters={"task_id": later}),
        "cancel_tasks": Known({"agent_type": "painter"}),
        "replay_tasks": Known({"agent_type": "painter"}),
        "create_schedule": Known(daily | {"name": "c"}),
        "read_schedule": Known(parameters={"schedule_id": first}),
        "change_schedule": Known(
            {"priority": 1}, parameters={"schedule_id": first, "If-Match": "*"}
        ),
        "delete_schedule": Known(parameters={"schedule_id": second}),
        "pause_dispatch": Known({"reason": "Cleaning"}, parameters=TYPE),
        "put_limit": Known({"max_running": 5}, parameters=TYPE),
        "lift_limit": Known(parameters=TYPE),
    }


async def rights_requests(
    client: httpx.AsyncClient, made: Callable[..., Awaitable[str]]
) -> dict[str, Known]:
    """The same for who may do what. Its people sign up, for us and for an agency of their own."""

    async def invited(email: str, **sent: Any) -> str:
        body = {"email": email, "role": "agent"}
        answer = await client.post("/v1/invitations", json=body, **sent)
        assert answer.is_success, answer.text
        return answer.json()["token"]

    async def signed_up(email: str, **data: str) -> dict[str, Any]:
        body = {"email": email, "password": PASSWORD, "data": data}
        answer = await client.post("/auth/v1/signup", json=body)
        assert answer.is_success, answer.text
        return answer.json()

    async def member(email: str) -> dict[str, str]:
        joined = await signed_up(email, invitation=await invited(email))
        return {"user_id": joined["user"]["id"]}

    agency = (await client.get("/v1/agency")).json()["id"]
    stays, goes = await member("stays@example.org"), await member("goes@example.org")
    other = (await signed_up("other@example.org"))["access_token"]
    ours = await invited(EMAIL, headers={"Authorization": f"Bearer {other}"})
    open_one = await made("/v1/invitations", json={"email": "b@example.org", "role": "agent"})
    team, doomed = [await made("/v1/teams", json={"name": name}) for name in "ab"]
    cell = {"role": "agent", "entity": "leads", "verb": "delete", "scope": "none"}
    mask = {"role": "agent", "entity": "leads", "field": "email", "access": "hidden"}
    any_version = {"If-Match": "*"}
    return {
        "get_member": Known(parameters=stays),
        "change_member": Known({"role": "manager"}, parameters=stays | any_version),
        "remove_member": Known(parameters=goes),
        "create_invitation": Known({"email": "c@example.org", "role": "agent"}),
        "withdraw_invitation": Known(parameters={"invitation_id": open_one}),
        "get_open_invitation": Known(parameters={"token": await invited("d@example.org")}),
        "accept_invitation": Known(parameters={"token": ours}),
        "enter_agency": Known(parameters={"agency_id": agency}),
        "get_team": Known(parameters={"team_id": team}),
        "change_team": Known({"name": "Outbound"}, parameters={"team_id": team} | any_version),
        "delete_team": Known(parameters={"team_id": doomed}),
        "set_permissions": Known({"items": [cell]}),
        "set_field_masks": Known({"items": [mask]}),
        "find_person": Known(parameters={"email": "a@example.com"}),
        "export_person": Known({"email": "a@example.com"}),
        "erase_person": Known({"email": "nobody@example.com"}),
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
    if missing := operations - findings.served():
        # Found without fault, and yet only refused: requests that they take are still to be made up.
        pytest.xfail(f"open: nothing yet that these serve: {', '.join(sorted(missing))}")
