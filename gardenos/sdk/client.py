"""The two clients: `GardenOS` blocks, `AsyncGardenOS` is awaited. Everything else they share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self

import httpx

from gardenos import __version__
from gardenos.sdk.account import Account
from gardenos.sdk.activities import Activities
from gardenos.sdk.agency import Members, Memberships, OwnAgency, Teams
from gardenos.sdk.agents import Agents
from gardenos.sdk.api_keys import ApiKeys
from gardenos.sdk.attachments import Attachments
from gardenos.sdk.audit import Audit
from gardenos.sdk.auth import PasswordAuth, TokenAuth
from gardenos.sdk.bound import D, Namespace, endpoint
from gardenos.sdk.bulk import Jobs
from gardenos.sdk.call import Call, model
from gardenos.sdk.companies import Companies
from gardenos.sdk.contacts import Contacts
from gardenos.sdk.custom_fields import CustomFields
from gardenos.sdk.dashboard import Dashboard
from gardenos.sdk.deals import Deals
from gardenos.sdk.dispatch import Limits as AgencyLimits
from gardenos.sdk.dispatch import Pauses
from gardenos.sdk.drivers import AsyncDriver, Limits, SyncDriver
from gardenos.sdk.duplicates import Duplicates
from gardenos.sdk.exports import Exports
from gardenos.sdk.feed import Events
from gardenos.sdk.imports import Imports
from gardenos.sdk.invitations import Invitations
from gardenos.sdk.leads import Leads
from gardenos.sdk.merges import Merges
from gardenos.sdk.orchestrator import Orchestrator
from gardenos.sdk.permissions import FieldMasks, Permissions
from gardenos.sdk.pipelines import Pipelines
from gardenos.sdk.privacy import Privacy
from gardenos.sdk.results import Status
from gardenos.sdk.schedules import Schedules
from gardenos.sdk.search import Found, SearchKind
from gardenos.sdk.tags import Tags
from gardenos.sdk.tasks import Tasks
from gardenos.sdk.todos import Todos
from gardenos.sdk.views import Views
from gardenos.sdk.webhooks import Webhooks

_HEADERS = {
    "Accept": "application/json, application/problem+json",
    "User-Agent": f"gardenos-sdk/{__version__}",
}


def _auth(
    url: str,
    token: str | None,
    email: str | None,
    password: str | None,
    monotonic: Callable[[], float],
) -> httpx.Auth:
    if token is not None and email is None and password is None:
        return TokenAuth(token)
    if token is None and email is not None and password is not None:
        return PasswordAuth(url, email, password, now=monotonic)
    raise TypeError("Give either token=..., or email=... and password=....")


class _Client(Namespace[D]):
    """What both clients offer."""

    def __init__(self, driver: D) -> None:
        super().__init__(driver)
        self.account = Account[D](driver)
        self.agency = OwnAgency[D](driver)
        self.members = Members[D](driver)
        self.invitations = Invitations[D](driver)
        self.memberships = Memberships[D](driver)
        self.teams = Teams[D](driver)
        self.permissions = Permissions[D](driver)
        self.field_masks = FieldMasks[D](driver)
        self.leads = Leads[D](driver)
        self.contacts = Contacts[D](driver)
        self.companies = Companies[D](driver)
        self.pipelines = Pipelines[D](driver)
        self.deals = Deals[D](driver)
        self.todos = Todos[D](driver)
        self.activities = Activities[D](driver)
        self.tags = Tags[D](driver)
        self.custom_fields = CustomFields[D](driver)
        self.views = Views[D](driver)
        self.attachments = Attachments[D](driver)
        self.privacy = Privacy[D](driver)
        self.api_keys = ApiKeys[D](driver)
        self.webhooks = Webhooks[D](driver)
        self.events = Events[D](driver)
        self.audit = Audit[D](driver)
        self.imports = Imports[D](driver)
        self.duplicates = Duplicates[D](driver)
        self.exports = Exports[D](driver)
        self.jobs = Jobs[D](driver)
        self.merges = Merges[D](driver)
        self.orchestrator = Orchestrator[D](driver)
        self.tasks = Tasks[D](driver)
        self.agents = Agents[D](driver)
        self.schedules = Schedules[D](driver)
        self.pauses = Pauses[D](driver)
        self.limits = AgencyLimits[D](driver)

    @endpoint
    def status(self) -> Call[Status]:
        """What the installation is doing."""
        return Call("GET", "/ai/status", model(Status))

    @endpoint
    def search(self, q: str, *, types: Sequence[SearchKind] = (), limit: int = 20) -> Call[Found]:
        """The records that have these words, the best first; the last word may be only begun."""
        params = {"q": q, "limit": limit} | ({"types": ",".join(types)} if types else {})
        return Call("GET", "/v1/search", model(Found), params=params)

    @endpoint
    def dashboard(self, *, days: int = 30) -> Call[Dashboard]:
        """How much there is of everything you may read; `days` is how far back what is new goes."""
        return Call("GET", "/v1/dashboard", model(Dashboard), params={"days": days})


class GardenOS(_Client[SyncDriver]):
    """A GardenOS installation, from plain code: every method blocks until it has its answer.

    Sign in with `token`, or with `email` and `password`: then tokens are fetched and refreshed as
    needed. `timeout_s` limits one attempt, `deadline_s` a call with its repetitions. `transport`,
    `sleep` and `monotonic` are seams for tests.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        email: str | None = None,
        password: str | None = None,
        timeout_s: float = 30.0,
        deadline_s: float = 60.0,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        root = url.rstrip("/")
        client = httpx.Client(
            base_url=root,
            auth=_auth(root, token, email, password, monotonic),
            headers=_HEADERS,
            transport=transport,
        )
        limits = Limits(timeout_s, deadline_s)
        super().__init__(SyncDriver(client, limits, sleep=sleep, monotonic=monotonic))

    def close(self) -> None:
        """Close the connections."""
        self.driver.client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncGardenOS(_Client[AsyncDriver]):
    """A GardenOS installation, from asyncio and notebooks: every method is awaited.

    The parameters are those of `GardenOS`.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        email: str | None = None,
        password: str | None = None,
        timeout_s: float = 30.0,
        deadline_s: float = 60.0,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        root = url.rstrip("/")
        client = httpx.AsyncClient(
            base_url=root,
            auth=_auth(root, token, email, password, monotonic),
            headers=_HEADERS,
            transport=transport,
        )
        limits = Limits(timeout_s, deadline_s)
        super().__init__(AsyncDriver(client, limits, sleep=sleep, monotonic=monotonic))

    async def aclose(self) -> None:
        """Close the connections."""
        await self.driver.client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()
