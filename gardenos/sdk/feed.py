"""`client.events`: what happens to records, as it happens, by id alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from gardenos.sdk.base import Result
from gardenos.sdk.bound import D, Namespace, following
from gardenos.sdk.call import Call, nothing
from gardenos.sdk.errors import UnexpectedAnswer
from gardenos.sdk.events import Event, Stream
from gardenos.sdk.records import names


class Change(Result):
    """Something that happened to a record you may read; read the record anew for its values.

    `ready` is where a stream begins. After `resync`, read again what you show: what happened
    before cannot be told any more.
    """

    event: str
    """`ready`, `change` or `resync`."""
    event_id: str
    """Where to go on, as `since`."""
    entity: str | None = None
    id: str | None = None
    verb: str | None = None
    at: datetime | None = None


def _read(event: Event) -> Change:
    try:
        said = json.loads(event.data)
        return Change.model_validate({**said, "event": event.name, "event_id": event.id})
    except (TypeError, ValueError) as error:
        raise UnexpectedAnswer(f"An event {event.name!r} is none of a change: {error}.") from error


class Events(Namespace[D]):
    """What happens to the agency's records."""

    @following
    def follow(
        self, entities: Sequence[str] | None = None, *, since: str | None = None
    ) -> Stream[Change]:
        """Each change from now on, or from `since`, without an end; of these kinds only, if given.

        A broken connection is taken up again where it broke.
        """
        params = {} if entities is None else {"entities": names(entities)}
        return Stream(Call("GET", "/events", nothing, params=params), _read, since=since or "")
