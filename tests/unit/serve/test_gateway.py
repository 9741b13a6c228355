"""What becomes of the orchestrator's answers, and of its silence, on their way through Ray."""

from __future__ import annotations

import asyncio
import pickle
import warnings
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from gardenos.core.claims import Claims, UserRole
from gardenos.core.errors import InvalidContent, NotFound, OrchestratorUnavailable
from gardenos.core.ids import AgencyId, UserId

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Ray's own, while it is imported
    from ray.exceptions import RayActorError, RayTaskError
    from ray.serve.exceptions import DeploymentUnavailableError, RayServeException

    from gardenos.serve.gateway import RemoteOrchestrator

if TYPE_CHECKING:
    from ray.serve.handle import DeploymentHandle

CLAIMS = Claims.of(UserId(UUID(int=7)), AgencyId(UUID(int=8)), UserRole.OWNER, operator=True)
REFUSAL = InvalidContent("Too many.", errors=[{"pointer": "/replicas", "detail": "is outside"}])


class Method:
    """A method of a Serve handle."""

    def __init__(self, answer: Callable[..., Awaitable[Any]]) -> None:
        self._answer = answer

    def remote(self, *args: Any, **named: Any) -> Awaitable[Any]:
        return self._answer(*args, **named)


class Handle:
    """A Serve handle whose methods all answer alike."""

    def __init__(self, answer: Callable[..., Awaitable[Any]]) -> None:
        self.snapshot = self.agents = self.set_replicas = Method(answer)


def orchestrator(
    answer: Callable[..., Awaitable[Any]], *, answer_within_s: float = 5.0
) -> RemoteOrchestrator:
    handle: DeploymentHandle[Any] = Handle(answer)  # pyright: ignore[reportAssignmentType] Serve's handles need a cluster
    return RemoteOrchestrator(handle, answer_within_s=answer_within_s)


def raising(error: BaseException) -> RemoteOrchestrator:
    async def answer(*_args: Any, **_named: Any) -> Any:
        raise error

    return orchestrator(answer)


def over_the_wire(cause: Exception) -> BaseException:
    """An error of a task as Ray hands it to whoever called it."""
    arrived = pickle.loads(pickle.dumps(cause))  # noqa: S301 our own
    return RayTaskError("set_replicas", "Traceback ...", arrived).as_instanceof_cause()


async def test_an_answer_comes_through() -> None:
    async def answer(*_args: Any, **_named: Any) -> Any:
        return {"epoch": 3}

    assert await orchestrator(answer).snapshot() == {"epoch": 3}


async def test_a_size_is_asked_for_in_the_name_of_who_asks() -> None:
    asked: list[Any] = []

    async def answer(*args: Any, **named: Any) -> Any:
        asked.append((args, named))
        return {}

    await orchestrator(answer).set_replicas("follow_up", 2, set_by=CLAIMS, ttl_s=60)
    assert asked == [(("follow_up", 2), {"set_by": CLAIMS.sub, "ttl_s": 60})]


@pytest.mark.parametrize("error", [REFUSAL, NotFound("No such type.")], ids=["422", "404"])
async def test_an_error_of_ours_comes_through_as_it_was_raised(
    error: InvalidContent | NotFound,
) -> None:
    with pytest.raises(type(error)) as caught:
        await raising(over_the_wire(error)).set_replicas("a", 99, set_by=CLAIMS)
    assert not isinstance(caught.value, RayTaskError)
    assert caught.value.problem() == error.problem()


@pytest.mark.parametrize(
    "error",
    [
        over_the_wire(KeyError("epoch")),
        RayActorError(),
        RayServeException("no replica"),
        DeploymentUnavailableError.__new__(DeploymentUnavailableError),
        TimeoutError(),
    ],
    ids=["its own fault", "it died", "Serve", "not deployed", "time-out"],
)
async def test_whatever_keeps_it_from_answering_is_one_error(error: BaseException) -> None:
    for ask in (raising(error).snapshot, raising(error).agents):
        with pytest.raises(OrchestratorUnavailable) as caught:
            await ask()
        assert caught.value.retry_after_s == 1
        assert caught.value.__cause__ is error


async def test_a_call_that_cannot_even_be_made_is_that_error_too() -> None:
    def answer(*_args: Any, **_named: Any) -> Awaitable[Any]:
        raise RayServeException("Serve is not running")

    with pytest.raises(OrchestratorUnavailable):
        await orchestrator(answer).snapshot()


async def test_an_answer_that_does_not_come_is_given_up_and_the_call_with_it() -> None:
    given_up = asyncio.Event()

    async def answer(*_args: Any, **_named: Any) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            given_up.set()

    with pytest.raises(OrchestratorUnavailable):
        await orchestrator(answer, answer_within_s=0.01).snapshot()
    assert given_up.is_set()
