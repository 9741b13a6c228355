"""`client.orchestrator`."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any, TypeVar

from gardenos.core.ids import TaskId
from gardenos.sdk.base import Items, Page
from gardenos.sdk.bound import D, Namespace, endpoint, listing
from gardenos.sdk.call import Call, Step, given, model, post, segment
from gardenos.sdk.drivers import Driver
from gardenos.sdk.errors import TaskFailed
from gardenos.sdk.leads import LeadRef, lead_id
from gardenos.sdk.results import (
    Agent,
    AgentMetrics,
    AgentTask,
    Analysis,
    FollowUp,
    OperatorAction,
    Queues,
    Result,
    Scaling,
    Task,
    TaskState,
)
from gardenos.sdk.tasks import LONGEST_POLL_S, until_finished

R = TypeVar("R", bound=Result)


class _Answer(Result):
    """What a route answers that waits for a task: its result, or where it stands."""

    task_id: TaskId
    state: TaskState
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


def _subject(lead: Mapping[str, Any] | LeadRef) -> dict[str, Any]:
    if isinstance(lead, Mapping):
        return {"lead": dict(lead)}
    return {"lead_id": lead_id(lead)}


def _json(task: AgentTask) -> dict[str, Any]:
    unset = {"id"} | ({"run_at"} if task.run_at is None else set[str]())
    # The header's key is kept for a day, and in ASCII; this one as long as the task.
    named = given(idempotency_key=task.id)
    return task.model_dump(mode="json", exclude=unset) | named


def outcome(
    driver: Driver,
    path: str,
    body: Mapping[str, Any],
    *,
    timeout_s: float,
    idempotency_key: str | None,
) -> Generator[Step, Any, tuple[TaskId, dict[str, Any]]]:
    """Ask for work, wait for its end, and give its task and result or raise `TaskFailed`."""
    give_up_at = driver.now() + timeout_s
    wait_s = max(0, min(int(timeout_s), LONGEST_POLL_S))
    answer = yield from post(
        path,
        model(_Answer),
        json={**body, "wait_s": wait_s},
        patience_s=wait_s,
        idempotency_key=idempotency_key,
    )
    state, result, error = answer.state, answer.result, answer.error
    if state in ("queued", "running"):
        left = max(0.0, give_up_at - driver.now())
        task = yield from until_finished(driver, answer.task_id, timeout_s=left)
        state, result, error = task.state, task.result, task.error
    if result is None:
        why = (error or {}).get("detail", "It gives no reason.")
        raise TaskFailed(
            f"The task {answer.task_id} is {state}: {why}", task_id=answer.task_id, state=state
        )
    return answer.task_id, result


def _result(
    driver: Driver,
    path: str,
    body: Mapping[str, Any],
    kind: type[R],
    *,
    timeout_s: float,
    idempotency_key: str | None,
) -> Generator[Step, Any, R]:
    task_id, result = yield from outcome(
        driver, path, body, timeout_s=timeout_s, idempotency_key=idempotency_key
    )
    return kind.model_validate({**result, "task_id": task_id})


class Orchestrator(Namespace[D]):
    """The agents: what they do for you, how many there are, how they fare."""

    @endpoint
    def analyze_lead(
        self,
        lead: Mapping[str, Any] | LeadRef,
        *,
        priority: int | None = None,
        timeout_s: float = 60.0,
        idempotency_key: str | None = None,
    ) -> Generator[Step, Any, Analysis]:
        """Score a lead and say why: one described by a mapping of fields, or a stored one.

        A stored lead keeps the score. Raises `TaskUnfinished` after `timeout_s`, `TaskFailed`
        where the agent gave up.
        """
        body = _subject(lead) | given(priority=priority)
        return (
            yield from _result(
                self.driver,
                "/ai/leads/analyze",
                body,
                Analysis,
                timeout_s=timeout_s,
                idempotency_key=idempotency_key,
            )
        )

    @endpoint
    def generate_follow_up(
        self,
        lead: Mapping[str, Any] | LeadRef,
        context: str,
        *,
        priority: int | None = None,
        timeout_s: float = 60.0,
        idempotency_key: str | None = None,
    ) -> Generator[Step, Any, FollowUp]:
        """Draft a message to a lead; `context` says what it follows up on.

        Raises `TaskUnfinished` after `timeout_s`, `TaskFailed` where the agent gave up.
        """
        body = _subject(lead) | {"context": context} | given(priority=priority)
        return (
            yield from _result(
                self.driver,
                "/ai/follow-ups",
                body,
                FollowUp,
                timeout_s=timeout_s,
                idempotency_key=idempotency_key,
            )
        )

    @endpoint
    def scale_agents(
        self,
        agent_type: str,
        replicas: int,
        *,
        ttl_s: float | None = None,
        idempotency_key: str | None = None,
    ) -> Call[Scaling]:
        """Ask for a number of agents of a type, for `ttl_s` seconds or until asked otherwise.

        Raises `Forbidden` unless the account is an operator of the installation.
        """
        return post(
            f"/ai/agents/{segment(agent_type)}/scale",
            model(Scaling),
            json=given(replicas=replicas, ttl_s=ttl_s),
            idempotency_key=idempotency_key,
        )

    @endpoint
    def submit(self, task: AgentTask) -> Call[Task]:
        """Enqueue work and come back at once; `client.tasks.wait` waits for its end."""
        return post("/ai/tasks", model(Task), json=_json(task))

    @endpoint
    def submit_all(
        self, tasks: Sequence[AgentTask], *, idempotency_key: str | None = None
    ) -> Call[Items[Task]]:
        """Enqueue up to 1000 tasks, all or none."""
        return post(
            "/ai/tasks",
            model(Items[Task]),
            json={"tasks": [_json(task) for task in tasks]},
            idempotency_key=idempotency_key,
        )

    @endpoint
    def agents(self) -> Call[Items[Agent]]:
        """The agents that run now."""
        return Call("GET", "/ai/agents", model(Items[Agent]))

    @endpoint
    def metrics(self, agent_id: str) -> Call[AgentMetrics]:
        """How one agent fares. Raises `NotFound`."""
        return Call("GET", f"/ai/agents/{segment(agent_id)}/metrics", model(AgentMetrics))

    @listing
    def actions(self, *, page_size: int = 100) -> Call[Page[OperatorAction]]:
        """What operators did, newest first. Raises `Forbidden` unless an operator asks."""
        return Call(
            "GET",
            "/ai/operator-actions",
            model(Page[OperatorAction]),
            params={"limit": page_size},
        )

    @endpoint
    def queues(self) -> Call[Queues]:
        """What waits in the queues of all agencies. Raises `Forbidden` unless an operator asks."""
        return Call("GET", "/ai/debug/queues", model(Queues))
