"""`client.schedules`."""

from __future__ import annotations

from typing import Any, TypeAlias, TypedDict, Unpack
from uuid import UUID

from gardenos.sdk.base import Page
from gardenos.sdk.bound import D, Namespace, endpoint, listing
from gardenos.sdk.call import Call, model, nothing, post, segment
from gardenos.sdk.records import Version, if_match
from gardenos.sdk.results import Schedule

ScheduleRef: TypeAlias = Schedule | UUID | str
"""A schedule that is stored: read, or named by its id."""
_PATH = "/ai/schedules"


class ScheduleFields(TypedDict, total=False):
    """What a caller may set on a schedule."""

    name: str
    agent_type: str
    payload: dict[str, Any]
    priority: int
    max_retries: int
    cron: str
    time_zone: str
    enabled: bool


def _path(schedule: ScheduleRef) -> str:
    return f"{_PATH}/{segment(schedule.id if isinstance(schedule, Schedule) else schedule)}"


class Schedules(Namespace[D]):
    """The agency's tasks that recur."""

    @endpoint
    def create(
        self, *, idempotency_key: str | None = None, **fields: Unpack[ScheduleFields]
    ) -> Call[Schedule]:
        """Have a task enqueued at every time that `cron` names in `time_zone`.

        Raises `InvalidContent` for a line that cannot be read or never fires, `Conflict` where the
        name is taken.
        """
        return post(_PATH, model(Schedule), json=dict(fields), idempotency_key=idempotency_key)

    @endpoint
    def get(self, schedule: ScheduleRef) -> Call[Schedule]:
        """Read a schedule, and when it fires next. Raises `NotFound`."""
        return Call("GET", _path(schedule), model(Schedule))

    @listing
    def list(self, *, page_size: int = 100) -> Call[Page[Schedule]]:
        """Schedules, newest first, one by one."""
        return Call("GET", _PATH, model(Page[Schedule]), params={"limit": page_size})

    @endpoint
    def change(
        self,
        schedule: ScheduleRef,
        *,
        version: Version | None = None,
        **changes: Unpack[ScheduleFields],
    ) -> Call[Schedule]:
        """Change a schedule as it was read: a `Schedule` knows its version, an id needs `version`.

        Raises `PreconditionFailed` where somebody changed it since.
        """
        headers = if_match(schedule, version)
        return Call("PATCH", _path(schedule), model(Schedule), json=dict(changes), headers=headers)

    @endpoint
    def delete(self, schedule: ScheduleRef, *, version: Version | None = None) -> Call[None]:
        """Delete a schedule; tasks it made stay. With `version`, only that one."""
        return Call("DELETE", _path(schedule), nothing, headers=if_match(None, version))
