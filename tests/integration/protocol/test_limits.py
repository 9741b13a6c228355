"""Limits are kept over all gateways, and a request does not wait for them to be counted."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import httpx
import pytest
from starlette.requests import HTTPConnection

from gardenos.core.claims import Claims
from gardenos.core.config import Settings
from gardenos.serve.api import create_api
from gardenos.serve.composition import compose
from gardenos.web.buckets import Buckets, Policy
from gardenos.web.limits import Limits
from tests.support.local import client_of, signing_in

from .conftest import MakeKey

if TYPE_CHECKING:
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection

LEADS = "/v1/leads"
OFF = {"rate_limit_agency": 0, "rate_limit_user": 0, "rate_limit_address": 0}
Limited: TypeAlias = Callable[..., Any]


def limited(settings: Settings, db: Database, **quotas: int) -> Any:
    """An application with other limits."""
    return create_api(compose(settings.model_copy(update=OFF | quotas), db))


def items(header: str) -> dict[str, dict[str, int]]:
    """A header of the draft: the parameters by policy."""
    found: dict[str, dict[str, int]] = {}
    for item in header.split(", "):
        name, *parameters = item.split(";")
        assert re.fullmatch(r'"[a-z]+"', name)
        pairs = (parameter.split("=") for parameter in parameters)
        found[name.strip('"')] = {key: int(value) for key, value in pairs}
    return found


async def test_a_quota_is_said_counted_down_and_held(
    settings: Settings, db: Database, owner: Claims
) -> None:
    async with signing_in(limited(settings, db, rate_limit_user=20)) as client:
        api = client(owner)
        answers = [await api.get(LEADS) for _ in range(30)]
    good = [answer for answer in answers if answer.status_code == 200]
    assert 20 <= len(good) <= 22
    assert items(good[0].headers["RateLimit-Policy"]) == {"user": {"q": 20, "w": 60}}
    left = [items(answer.headers["RateLimit"])["user"]["r"] for answer in good]
    assert left[0] == 19
    assert left == sorted(left, reverse=True)
    refused = answers[-1]
    assert refused.status_code == 429
    assert refused.json()["type"] == "urn:gardenos:problem:rate-limited"
    said = items(refused.headers["RateLimit"])["user"]
    assert said["r"] == 0
    assert 1 <= said["t"] <= 6
    assert abs(int(refused.headers["Retry-After"]) - said["t"]) <= 1


async def test_an_agency_has_a_limit_that_its_members_share(
    settings: Settings, db: Database, owner: Claims, agent: Claims, stranger: Claims
) -> None:
    async with signing_in(
        limited(settings, db, rate_limit_agency=10, rate_limit_user=1000)
    ) as sign:
        first = [(await sign(owner).get(LEADS)).status_code for _ in range(12)]
        shared = await sign(agent).get(LEADS)
        other = await sign(stranger).get(LEADS)
    assert 429 in first
    assert shared.status_code == 429
    assert "agency" in shared.json()["detail"]
    assert set(items(shared.headers["RateLimit"])) == {"agency", "user"}
    assert other.status_code == 200


async def test_a_refused_request_costs_its_member_nothing(
    settings: Settings, db: Database, owner: Claims
) -> None:
    async with signing_in(limited(settings, db, rate_limit_agency=5, rate_limit_user=1000)) as sign:
        answers = [await sign(owner).get(LEADS) for _ in range(20)]
    good = sum(answer.status_code == 200 for answer in answers)
    assert items(answers[-1].headers["RateLimit"])["user"]["r"] == 1000 - good


async def test_a_key_is_counted_apart_from_its_member(
    settings: Settings, db: Database, owner: Claims, make_key: MakeKey
) -> None:
    made = await make_key("read")
    app = limited(settings, db, rate_limit_user=5)
    async with signing_in(app) as sign, client_of(app, made["key"]) as program:
        spent = [await sign(owner).get(LEADS) for _ in range(8)]
        free = await program.get(LEADS)
    assert spent[-1].status_code == 429
    assert free.status_code == 200
    assert set(items(free.headers["RateLimit-Policy"])) == {"key"}


async def test_no_limit_is_no_header(
    settings: Settings, db: Database, owner: Claims, admin: AdminConnection
) -> None:
    async with signing_in(limited(settings, db)) as sign:
        answer = await sign(owner).get(LEADS)
    assert answer.status_code == 200
    assert not {"ratelimit", "ratelimit-policy"} & set(answer.headers)
    assert await admin.fetchval("SELECT count(*) FROM app.rate_buckets") == 0


@pytest.mark.parametrize("gateways", [1, 4])
async def test_gateways_share_a_bucket_within_the_bound(db: Database, gateways: int) -> None:
    policy = Policy("agency", 2000)
    processes = [Buckets(db) for _ in range(gateways)]
    began = time.monotonic()

    async def hammer(buckets: Buckets) -> int:
        admitted = 0
        for _ in range(8):
            verdicts = await asyncio.gather(
                *(buckets.admit(("agency:one", policy)) for _ in range(250))
            )
            admitted += sum(verdict.refused_by is None for verdict in verdicts)
        while (await buckets.admit(("agency:one", policy))).refused_by is None:
            admitted += 1
        return admitted

    admitted = sum(await asyncio.gather(*(hammer(buckets) for buckets in processes)))
    took_s = time.monotonic() - began
    for buckets in processes:
        await buckets.aclose()
    bound = policy.quota + took_s * policy.per_s + gateways * 2 * policy.slice
    print(
        f"{gateways} gateways admitted {admitted} of a quota of {policy.quota} "
        f"in {took_s:.2f} s; bound {bound:.0f}"
    )
    assert policy.quota - gateways * 2 * policy.slice <= admitted <= bound


async def test_a_request_does_not_wait_for_its_bucket(db: Database, admin: AdminConnection) -> None:
    policy = Policy("user", 2000)
    buckets = Buckets(db)
    await buckets.admit(("user:one", policy))
    await buckets.aclose()
    async with admin.transaction():
        await admin.execute("SELECT FROM app.rate_buckets FOR UPDATE")
        async with asyncio.timeout(2):
            for _ in range(2 * policy.slice - 1):
                assert (await buckets.admit(("user:one", policy))).refused_by is None
    await buckets.aclose()
    spent = await admin.fetchval("SELECT 2000 - tokens FROM app.rate_buckets")
    assert spent >= 2 * policy.slice - 1


async def test_what_was_spent_in_advance_is_charged(db: Database, admin: AdminConnection) -> None:
    policy = Policy("user", 60)
    began = time.monotonic()
    for _ in range(5):
        buckets = Buckets(db)
        for _ in range(10):
            await buckets.admit(("user:one", policy))
        await buckets.aclose()
    tokens = await admin.fetchval("SELECT tokens FROM app.rate_buckets")
    assert tokens <= policy.quota - 50 + (time.monotonic() - began) * policy.per_s


async def test_without_the_database_nobody_is_refused(db: Database) -> None:
    buckets = Buckets(db)
    policy = Policy("user", 100)
    await db.pool.close()
    for _ in range(300):
        assert (await buckets.admit(("user:one", policy))).refused_by is None
    await buckets.aclose()


async def test_old_buckets_are_forgotten(db: Database, admin: AdminConnection) -> None:
    now = [0.0]
    buckets = Buckets(db, clock=lambda: now[0])
    await buckets.admit(("user:old", Policy("user", 100)))
    await buckets.aclose()
    await admin.execute("UPDATE app.rate_buckets SET at = now() - interval '2 hours'")
    now[0] += 601.0
    await buckets.admit(("user:new", Policy("user", 100)))
    await buckets.aclose()
    kept = await admin.fetch("SELECT subject FROM app.rate_buckets")
    assert [row["subject"] for row in kept] == ["user:new"]


async def test_attempts_to_sign_in_are_counted_by_address(settings: Settings, db: Database) -> None:
    app = limited(settings, db, rate_limit_address=5, trusted_proxies=1)
    body = {"email": "ada@example.org", "password": "a wrong password"}

    async def attempt(
        address: str, path: str = "/auth/v1/token?grant_type=password"
    ) -> httpx.Response:
        headers = {"X-Forwarded-For": f"203.0.113.9, {address}"}
        return await http.post(path, json=body, headers=headers)

    async with client_of(app) as http:
        answers = [await attempt("198.51.100.7") for _ in range(8)]
        signing_up = await attempt("198.51.100.7", "/auth/v1/signup")
        other = await attempt("198.51.100.8")
    assert answers[0].status_code == 400
    refused = answers[-1]
    assert (refused.status_code, refused.json()["error_code"]) == (429, "over_request_rate_limit")
    assert int(refused.headers["Retry-After"]) >= 1
    assert items(refused.headers["RateLimit-Policy"]) == {"address": {"q": 5, "w": 60}}
    assert (signing_up.status_code, other.status_code) == (429, 400)


ADDRESSES = [
    (0, "198.51.100.7", "", "198.51.100.7"),
    (0, "198.51.100.7", "192.0.2.1", "198.51.100.7"),
    (0, "127.0.0.1", "192.0.2.1", None),
    (0, "testclient", "", None),
    (1, "127.0.0.1", "192.0.2.1", "192.0.2.1"),
    (1, "127.0.0.1", "forged, 192.0.2.1", "192.0.2.1"),
    (2, "127.0.0.1", "forged, 192.0.2.1, 10.0.0.1", "192.0.2.1"),
    (2, "127.0.0.1", "192.0.2.1", "192.0.2.1"),
    (1, "127.0.0.1", "", None),
    (1, "127.0.0.1", "nonsense", None),
    (0, "2001:db8:1:2:3:4:5:6", "", "2001:db8:1:2::/64"),
]


@pytest.mark.parametrize(("proxies", "peer", "forwarded", "expected"), ADDRESSES)
def test_an_address_is_what_our_own_proxies_saw(
    db: Database, proxies: int, peer: str, forwarded: str, expected: str | None
) -> None:
    found = Limits.of(Settings(rate_limit_address=1, trusted_proxies=proxies), db)
    assert found is not None
    headers = [(b"x-forwarded-for", forwarded.encode())] if forwarded else []
    scope = {"type": "http", "client": (peer, 1), "headers": headers}
    assert found.address_of(HTTPConnection(scope)) == expected
