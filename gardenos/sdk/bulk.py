"""Many operations on records at once, and `client.jobs`: those that are worked off by and by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias
from uuid import UUID

from gardenos.sdk.base import Page, Result
from gardenos.sdk.bound import D, Namespace, endpoint, listing
from gardenos.sdk.call import Call, model, segment

if TYPE_CHECKING:
    import httpx

_PATH = "/v1/jobs"
_ACCEPTED = 202
Operations: TypeAlias = Sequence[Mapping[str, Any]]
"""Each `{"op": "create", "record": ...}`, `{"op": "update", "id": ..., "changes": ...}` or
`{"op": "delete", "id": ...}`; the latter two with a `version` where only that one will do."""


class FieldProblem(Result):
    """What is wrong with one field."""

    pointer: str
    detail: str


class BulkProblem(Result):
    """Why one operation failed."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    errors: tuple[FieldProblem, ...] | None = None


class BulkResult(Result):
    """What became of one operation."""

    status: int
    """What a request for it alone would have been answered with."""
    id: UUID | None = None
    version: int | None = None
    etag: str | None = None
    problem: BulkProblem | None = None
    """None where it succeeded."""


class BulkAnswer(Result):
    """What became of each operation, in the order they were sent."""

    results: tuple[BulkResult, ...]
    succeeded: int
    failed: int


class Job(Result):
    """Operations that are worked off by and by."""

    id: UUID
    entity: str
    state: Literal["queued", "running", "finished", "stopped"]
    total: int
    succeeded: int
    failed: int
    task_id: UUID | None
    created_by: UUID
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class JobResult(BulkResult):
    """What became of one operation of a job."""

    index: int
    """Its place in the request, from 0."""


class _AnswerOrJob:
    """Reads an answer to a bulk request: of many operations, it is a job."""

    kind = BulkAnswer

    def __call__(self, response: httpx.Response) -> BulkAnswer | Job:
        """What the answer says."""
        return model(Job if response.status_code == _ACCEPTED else BulkAnswer)(response)


answer_or_job = _AnswerOrJob()
JobRef: TypeAlias = Job | UUID | str


class Jobs(Namespace[D]):
    """Bulk requests of over a thousand operations."""

    @endpoint
    def get(self, job: JobRef) -> Call[Job]:
        """Read how far a job is. Raises `NotFound`."""
        return Call("GET", _of(job), model(Job))

    @listing
    def results(self, job: JobRef, *, page_size: int = 200) -> Call[Page[JobResult]]:
        """What became of each operation, one by one, as far as the job is."""
        params = {"limit": page_size}
        return Call("GET", _of(job, "/results"), model(Page[JobResult]), params=params)


def _of(job: JobRef, of_it: str = "") -> str:
    return f"{_PATH}/{segment(job.id if isinstance(job, Job) else job)}{of_it}"
