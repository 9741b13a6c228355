"""Prometheus metrics of this process, fed by events. docs/metrics.md lists each of them.

No label ever holds an id of an agency, a task or a lead: a label's values must be few.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from gardenos.observability import events
from gardenos.observability.events import Event

Kind: TypeAlias = Literal["counter", "gauge", "histogram"]
PROCESS: Final = "process"
"""The label of what each process says of itself."""
_CHAT: Final = "chat"

# The buckets of these two are OpenTelemetry's for its GenAI metrics.
_MODEL_S = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_TOKENS = tuple(float(4**n) for n in range(14))
_REQUEST_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_WAIT_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
_RUN_S = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


@dataclass(frozen=True, slots=True)
class Definition:
    """What is fixed of a metric; `name` as it is exposed."""

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = ()
    """Upper bounds, without infinity; of histograms only."""


REGISTRY = CollectorRegistry()
DEFINITIONS: dict[str, Definition] = {}


def _counter(name: str, text: str, *labels: str) -> Counter:
    DEFINITIONS[name] = Definition(name, "counter", text, labels)
    return Counter(name, text, labels, registry=REGISTRY)


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    DEFINITIONS[name] = Definition(name, "gauge", text, labels)
    return Gauge(name, text, labels, registry=REGISTRY)


def _histogram(name: str, text: str, *labels: str, buckets: Sequence[float]) -> Histogram:
    bounds = tuple(float(bound) for bound in buckets)
    DEFINITIONS[name] = Definition(name, "histogram", text, labels, bounds)
    return Histogram(name, text, labels, buckets=bounds, registry=REGISTRY)


# -- tasks ---------------------------------------------------------------------------------

TASKS_LEASED = _counter("gardenos_tasks_leased_total", "Tasks leased for dispatch.", "agent_type")
QUEUE_WAIT = _histogram(
    "gardenos_task_queue_wait_seconds",
    "From the time a task is due to its lease.",
    "agent_type",
    "priority",
    buckets=_WAIT_S,
)
RUN_DURATION = _histogram(
    "gardenos_task_run_duration_seconds",
    "Runs of tasks, from their begin in the agent to their end there.",
    "agent_type",
    "outcome",
    buckets=_RUN_S,
)
TASK_RUNS = _counter(
    "gardenos_task_runs_total",
    "Runs whose end was written, by outcome: done, retry, fail, snooze or cancel.",
    "agent_type",
    "outcome",
)
TASKS_ENDED = _counter(
    "gardenos_tasks_ended_total",
    "Tasks that an agent brought to a terminal state: succeeded, dead or cancelled.",
    "agent_type",
    "state",
)
ZOMBIES_DROPPED = _counter(
    "gardenos_zombies_dropped_total",
    "Results dropped because the task had passed to another run.",
    "agent_type",
)
TASKS_GIVEN_BACK = _counter(
    "gardenos_tasks_given_back_total",
    "Tasks queued again because their batch was not delivered or its agent died.",
    "agent_type",
)
TASKS_RESCUED = _counter(
    "gardenos_tasks_rescued_total",
    "Tasks whose lease had run out, by what they became: queued or dead.",
    "became",
)
SCHEDULES_FIRED = _counter(
    "gardenos_schedules_fired_total", "Due times of schedules that became tasks."
)

# -- pools of agents, as the orchestrator sees them ----------------------------------------

REPLICAS = _gauge("gardenos_pool_replicas", "Agents that take tasks.", "agent_type")
REPLICAS_WANTED = _gauge(
    "gardenos_pool_wanted_replicas",
    "Agents that the work or an operator asks for, within the range.",
    "agent_type",
)
CAPACITY = _gauge("gardenos_pool_capacity", "Tasks the agents take at a time.", "agent_type")
TASKS_IN_FLIGHT = _gauge("gardenos_pool_in_flight", "Tasks sent and not answered.", "agent_type")
TASKS_RUNNING = _gauge("gardenos_pool_leases", "Tasks under a lease.", "agent_type")
TASKS_QUEUED = _gauge(
    "gardenos_pool_backlog", "Tasks due and waiting; above 10000 no more are counted.", "agent_type"
)
TASKS_SCHEDULED = _gauge(
    "gardenos_pool_scheduled", "Tasks not due yet; above 10000 no more are counted.", "agent_type"
)
OLDEST_WAIT = _gauge(
    "gardenos_pool_oldest_wait_seconds",
    "How long the longest waiting task has been due; 0 where none waits.",
    "agent_type",
)

# -- the orchestrator ----------------------------------------------------------------------

ORCHESTRATOR_UP = _gauge(
    "gardenos_orchestrator_up",
    "1 where the orchestrator answers; 0 where these are the figures of one gateway alone.",
)
EPOCH = _gauge("gardenos_orchestrator_epoch", "The epoch of its office; 0 while it has none.")
OFFICE_CHANGES = _counter(
    "gardenos_orchestrator_office_changes_total",
    "Times the office was taken or lost.",
    "became",
)
OVERRIDES_SET = _counter(
    "gardenos_scale_overrides_total", "Pool sizes that operators asked for.", "agent_type"
)

# -- models, by OpenTelemetry's conventions for GenAI clients ------------------------------

MODEL_DURATION = _histogram(
    "gen_ai_client_operation_duration_seconds",
    "Calls to language models; error_type is empty where the call succeeded.",
    "gen_ai_operation_name",
    "gen_ai_provider_name",
    "gen_ai_request_model",
    "error_type",
    buckets=_MODEL_S,
)
MODEL_TOKENS = _histogram(
    "gen_ai_client_token_usage",
    "Tokens of a call, where the model reports them.",
    "gen_ai_operation_name",
    "gen_ai_provider_name",
    "gen_ai_request_model",
    "gen_ai_token_type",
    buckets=_TOKENS,
)
MODEL_COST = _counter(
    "gardenos_llm_cost_usd_total",
    "US dollars that calls cost, as far as the model's price is known.",
    "gen_ai_provider_name",
    "gen_ai_request_model",
)
BREAKER_CHANGES = _counter(
    "gardenos_llm_breaker_changes_total",
    "Changes of an agent's circuit breaker, by the state it came to.",
    "gen_ai_provider_name",
    "gen_ai_request_model",
    "state",
)
BREAKER = _gauge(
    "gardenos_llm_breaker_state",
    "An agent's circuit breaker: 0 closed, 1 half open, 2 open.",
    PROCESS,
    "gen_ai_provider_name",
    "gen_ai_request_model",
)
BUDGET_REFUSALS = _counter(
    "gardenos_llm_budget_refusals_total",
    "Calls not made because the agency's budget was spent.",
    "agent_type",
)

# -- the API and every process -------------------------------------------------------------

REQUESTS = _histogram(
    "gardenos_http_request_duration_seconds",
    "Requests answered, by the path's template and the status.",
    "method",
    "route",
    "status",
    buckets=_REQUEST_S,
)
STREAM_CLIENTS = _gauge(
    "gardenos_stream_clients", "Clients that follow events, by stream.", PROCESS, "stream"
)
SIGN_INS = _counter("gardenos_sign_ins_total", "Sign-ins tried, by outcome.", "outcome")
ROWS_IMPORTED = _counter(
    "gardenos_import_rows_total", "Rows of imported files, by what became of them.", "became"
)
CONNECTIONS = _gauge(
    "gardenos_database_connections",
    "Connections of a process to PostgreSQL, idle or busy.",
    PROCESS,
    "state",
)
CONNECTIONS_MAX = _gauge(
    "gardenos_database_connections_max", "Connections a process may open.", PROCESS
)

_BREAKER_STATES: Final = {"closed": 0, "half_open": 1, "open": 2}
_name = f"process:{secrets.token_hex(4)}"


def name_process(name: str) -> str:
    """Say what this process is, such as `gateway`; the name its samples carry, unlike any other's."""
    global _name  # noqa: PLW0603 a process has one name, as it has one registry
    _name = f"{name}:{secrets.token_hex(4)}"
    return _name


def process_name() -> str:
    """What this process calls itself in its samples."""
    return _name


def set_connections(*, idle: int, size: int, most: int) -> None:
    """How this process's pool of connections stands."""
    CONNECTIONS.labels(_name, "idle").set(idle)
    CONNECTIONS.labels(_name, "busy").set(size - idle)
    CONNECTIONS_MAX.labels(_name).set(most)


def count_event(event: Event) -> None:
    """Subscribe this to turn events into metrics."""
    _count_task_event(event)
    _count_model_event(event)
    match event:
        case events.RequestServed(method, route, status, duration_s):
            REQUESTS.labels(method, route, str(status)).observe(duration_s)
        case events.SignedIn(outcome):
            SIGN_INS.labels(outcome).inc()
        case events.LeadsImported(imported=imported, rejected=rejected):
            ROWS_IMPORTED.labels("imported").inc(imported)
            ROWS_IMPORTED.labels("rejected").inc(rejected)
        case events.StreamOpened(stream):
            STREAM_CLIENTS.labels(_name, stream).inc()
        case events.StreamClosed(stream):
            STREAM_CLIENTS.labels(_name, stream).dec()
        case events.OverrideSet(agent_type):
            OVERRIDES_SET.labels(agent_type).inc()
        case events.OfficeChanged(epoch=epoch):
            OFFICE_CHANGES.labels("taken" if epoch is not None else "lost").inc()
        case _:
            pass


def _count_task_event(event: Event) -> None:
    match event:
        case events.TasksLeased(agent_type, tasks, waits):
            TASKS_LEASED.labels(agent_type).inc(tasks)
            _observe_waits(agent_type, waits)
        case events.RunsEnded():
            _count_runs(event)
        case events.ZombieDropped(_, agent_type, _):
            ZOMBIES_DROPPED.labels(agent_type).inc()
        case events.BatchGivenBack(agent_type, tasks):
            TASKS_GIVEN_BACK.labels(agent_type).inc(tasks)
        case events.TasksRescued(requeued, dead):
            TASKS_RESCUED.labels("queued").inc(requeued)
            TASKS_RESCUED.labels("dead").inc(dead)
        case events.SchedulesFired(tasks):
            SCHEDULES_FIRED.inc(tasks)
        case _:
            pass


def _observe_waits(agent_type: str, waits: Sequence[tuple[int, float]]) -> None:
    # A label is looked up once for each priority, not for each task: that costs as much as observing.
    of = {each: QUEUE_WAIT.labels(agent_type, str(each)) for each in {wait[0] for wait in waits}}
    for priority, waited_s in waits:
        of[priority].observe(max(waited_s, 0.0))


def _count_runs(ended: events.RunsEnded) -> None:
    TASK_RUNS.labels(ended.agent_type, ended.outcome).inc(len(ended.runs))
    took = RUN_DURATION.labels(ended.agent_type, ended.outcome)
    for _, run_s in ended.runs:
        if run_s is not None:
            took.observe(run_s)
    if ended.state in ("succeeded", "dead", "cancelled"):
        TASKS_ENDED.labels(ended.agent_type, ended.state).inc(len(ended.runs))


def _count_model_event(event: Event) -> None:
    match event:
        case events.LLMCalled(provider, model, outcome, latency_s, read, written, cost_usd):
            error = "" if outcome == "ok" else outcome
            MODEL_DURATION.labels(_CHAT, provider, model, error).observe(latency_s)
            for kind, tokens in (("input", read), ("output", written)):
                if tokens is not None:
                    MODEL_TOKENS.labels(_CHAT, provider, model, kind).observe(tokens)
            if cost_usd is not None:
                MODEL_COST.labels(provider, model).inc(float(cost_usd))
        case events.LLMCircuitChanged(provider, model, state):
            BREAKER_CHANGES.labels(provider, model, state).inc()
            BREAKER.labels(_name, provider, model).set(_BREAKER_STATES[state])
        case events.BudgetRefused(agent_type):
            BUDGET_REFUSALS.labels(agent_type).inc()
        case _:
            pass
