"""Prometheus metrics of this process, fed by events. Names are listed in docs/operations.md."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from gardenos.observability import events
from gardenos.observability.events import Event

REGISTRY = CollectorRegistry(auto_describe=True)

TASKS_LEASED = Counter(
    "gardenos_tasks_leased", "Tasks leased for dispatch.", ["agent_type"], registry=REGISTRY
)
TASKS_FINISHED = Counter(
    "gardenos_tasks_finished",
    "Runs ended, by outcome.",
    ["agent_type", "outcome"],
    registry=REGISTRY,
)
ZOMBIES_DROPPED = Counter(
    "gardenos_zombies_dropped",
    "Results dropped for an old fence.",
    ["agent_type"],
    registry=REGISTRY,
)
BATCHES_GIVEN_BACK = Counter(
    "gardenos_batches_given_back", "Batches no replica finished.", ["agent_type"], registry=REGISTRY
)
TASKS_RESCUED = Counter(
    "gardenos_tasks_rescued", "Tasks with an expired lease.", ["became"], registry=REGISTRY
)
TASKS_IN_FLIGHT = Gauge(
    "gardenos_tasks_in_flight",
    "Tasks sent and not answered.",
    ["agent_type"],
    registry=REGISTRY,
)
TASKS_QUEUED = Gauge(
    "gardenos_tasks_queued", "Tasks due and waiting.", ["agent_type"], registry=REGISTRY
)
LLM_CALLS = Histogram(
    "gardenos_llm_call_duration_seconds",
    "Calls to language models.",
    ["provider", "model", "outcome"],
    registry=REGISTRY,
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
REQUESTS = Histogram(
    "gardenos_http_request_duration_seconds",
    "Requests answered, by route and status.",
    ["method", "route", "status"],
    registry=REGISTRY,
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
LLM_TOKENS = Counter(
    "gardenos_llm_tokens", "Tokens used.", ["provider", "model", "direction"], registry=REGISTRY
)


def count_event(event: Event) -> None:
    """Subscribe this to turn events into metrics."""
    match event:
        case events.RequestServed(method, route, status, duration_s):
            REQUESTS.labels(method, route, str(status)).observe(duration_s)
        case events.TasksLeased(agent_type, tasks):
            TASKS_LEASED.labels(agent_type).inc(tasks)
        case events.TaskFinished(_, agent_type, outcome):
            TASKS_FINISHED.labels(agent_type, outcome).inc()
        case events.ZombieDropped(_, agent_type, _):
            ZOMBIES_DROPPED.labels(agent_type).inc()
        case events.BatchGivenBack(agent_type):
            BATCHES_GIVEN_BACK.labels(agent_type).inc()
        case events.TasksRescued(requeued, dead):
            TASKS_RESCUED.labels("queued").inc(requeued)
            TASKS_RESCUED.labels("dead").inc(dead)
        case events.LLMCalled(provider, model, outcome, latency_s, input_tokens, output_tokens):
            LLM_CALLS.labels(provider, model, outcome).observe(latency_s)
            LLM_TOKENS.labels(provider, model, "input").inc(input_tokens or 0)
            LLM_TOKENS.labels(provider, model, "output").inc(output_tokens or 0)
        case _:
            pass


def exposition() -> bytes:
    """The metrics in Prometheus' text format."""
    return generate_latest(REGISTRY)
