"""Every error a caller can meet, as one tree.

    GardenOSError                      500 internal
    ├── InvalidRequest                 400 invalid-request
    │   ├── UnknownParameter           400 unknown-parameter
    │   └── InvalidCursor              400 invalid-cursor
    ├── Unauthenticated                401 unauthenticated
    │   └── InvalidToken               401 invalid-token
    ├── Forbidden                      403 forbidden
    │   └── AgencyMissing              403 agency-missing
    ├── NotFound                       404 not-found
    ├── Conflict                       409 conflict
    │   ├── IdempotencyKeyReused       409 idempotency-key-reused
    │   └── PossibleDuplicate          409 possible-duplicate
    ├── Erased                         410 erased
    ├── PreconditionFailed             412 precondition-failed
    ├── BodyTooLarge                   413 body-too-large
    ├── UnsupportedMedia               415 unsupported-media
    ├── InvalidContent                 422 invalid-content
    ├── PreconditionRequired           428 precondition-required
    ├── RateLimited                    429 rate-limited
    └── Unavailable                    503 unavailable
        ├── DatabaseUnavailable        503 database-unavailable
        ├── OrchestratorUnavailable    503 orchestrator-unavailable
        └── SigningKeysUnavailable     503 signing-keys-unavailable

`status` is the HTTP status, `code` the last part of the problem's `type`. The class docstring is
the sentence people read when no other was given: it says what happened and what to do.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

PROBLEM_TYPE_PREFIX = "urn:gardenos:problem:"


class GardenOSError(Exception):
    """Something went wrong inside GardenOS. The log has the details under this request's id."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        retry_after_s: float | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.detail = detail or inspect.cleandoc(type(self).__doc__ or self.code).replace("\n", " ")
        self.errors = tuple(errors)
        """One entry per faulty field: `{"pointer": "/phone", "detail": "..."}`."""
        self.retry_after_s = retry_after_s
        self.extra = dict(extra or {})
        super().__init__(self.detail)

    @classmethod
    def title(cls) -> str:
        """The short name of the problem, the same for every occurrence."""
        return cls.code.replace("-", " ").capitalize()

    def problem(self, *, instance: str | None = None) -> dict[str, Any]:
        """This error as an RFC 9457 problem object."""
        body: dict[str, Any] = {
            "type": PROBLEM_TYPE_PREFIX + self.code,
            "title": self.title(),
            "status": self.status,
            "detail": self.detail,
        }
        if instance:
            body["instance"] = instance
        if self.errors:
            body["errors"] = [dict(error) for error in self.errors]
        return body | self.extra


class InvalidRequest(GardenOSError):
    """The request cannot be read as sent. Check its parameters and headers against /docs."""

    status = 400
    code = "invalid-request"


class UnknownParameter(InvalidRequest):
    """The request names a parameter this route does not have. Remove it or check its spelling."""

    code = "unknown-parameter"


class InvalidCursor(InvalidRequest):
    """The cursor is not one this list gave out. Start again without `cursor`."""

    code = "invalid-cursor"


class Unauthenticated(GardenOSError):
    """The request carries no access token. Sign in and send `Authorization: Bearer <token>`."""

    status = 401
    code = "unauthenticated"


class InvalidToken(Unauthenticated):
    """The access token is not valid here. Sign in again for a new one."""

    code = "invalid-token"


class Forbidden(GardenOSError):
    """Your role does not allow this. Ask an owner or admin of your agency."""

    status = 403
    code = "forbidden"


class AgencyMissing(Forbidden):
    """Your account belongs to no agency yet. Create one or ask to be invited, then sign in again."""

    code = "agency-missing"


class NotFound(GardenOSError):
    """There is no such record here. It may have been deleted, or the id is wrong."""

    status = 404
    code = "not-found"


class Conflict(GardenOSError):
    """The record is not in a state that allows this. Read it again and decide anew."""

    status = 409
    code = "conflict"


class IdempotencyKeyReused(Conflict):
    """This Idempotency-Key was used before with another request. Use a new key for a new request."""

    code = "idempotency-key-reused"


class PossibleDuplicate(Conflict):
    """The record may be one that is there already. Change that one, or send `Allow-Duplicate: true`."""

    code = "possible-duplicate"


class Erased(GardenOSError):
    """The answer to this request was erased with a person. Send it with a new key to do it anew."""

    status = 410
    code = "erased"


class PreconditionFailed(GardenOSError):
    """The record changed since you read it. Read it again, then repeat the change with its ETag."""

    status = 412
    code = "precondition-failed"


class BodyTooLarge(GardenOSError):
    """The request body is larger than this route takes. Send less at once."""

    status = 413
    code = "body-too-large"


class UnsupportedMedia(GardenOSError):
    """This route does not read that media type. See /docs for the ones it does."""

    status = 415
    code = "unsupported-media"


class InvalidContent(GardenOSError):
    """Some of the fields sent are not valid. `errors` says which and why."""

    status = 422
    code = "invalid-content"


class PreconditionRequired(GardenOSError):
    """This change needs an If-Match header. Read the record and send the ETag it came with."""

    status = 428
    code = "precondition-required"


class RateLimited(GardenOSError):
    """Too many requests for now. Wait for the seconds in Retry-After, then go on."""

    status = 429
    code = "rate-limited"


class Unavailable(GardenOSError):
    """GardenOS cannot answer this for the moment. Try again shortly."""

    status = 503
    code = "unavailable"


class DatabaseUnavailable(Unavailable):
    """The database does not answer. Repeat the request shortly, a POST with its Idempotency-Key."""

    code = "database-unavailable"


class OrchestratorUnavailable(Unavailable):
    """The orchestrator does not answer. Accepted tasks are safe; try again shortly."""

    code = "orchestrator-unavailable"


class SigningKeysUnavailable(Unavailable):
    """The keys that your access token is checked with cannot be fetched. Try again shortly."""

    code = "signing-keys-unavailable"
