"""A key acts for its member, within its scopes, until it expires, is revoked, or the member goes."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import asyncpg
import httpx
import pytest

from gardenos.auth.api_keys.scopes import KINDS, needed
from gardenos.auth.api_keys.verifier import KEPT_S, KeyVerifier
from gardenos.core.claims import Claims, UserRole
from gardenos.core.errors import InvalidToken
from gardenos.serve.api import create_api
from tests.support.tokens import TurnedClock

from .conftest import MakeKey, SignIn, WithToken

if TYPE_CHECKING:
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection

KEYS = "/v1/api-keys"
LEADS = "/v1/leads"


def later(**span: float) -> str:
    return (datetime.now(UTC) + timedelta(**span)).isoformat()


async def test_a_key_is_shown_once_and_only_its_digest_is_kept(
    api: httpx.AsyncClient, make_key: MakeKey, admin: AdminConnection
) -> None:
    made = await make_key("write")
    prefix, key_id, secret = made["key"].split("_")
    assert (prefix, key_id) == ("gos", made["id"].replace("-", ""))
    row = await admin.fetchrow("SELECT * FROM api_keys")
    assert row is not None
    assert row["digest"] == hashlib.sha256(secret.encode()).digest()
    kept = await admin.fetchval("SELECT string_agg(k::text, '') FROM api_keys k")
    assert secret not in kept
    for path in (KEYS, f"{KEYS}/{made['id']}"):
        assert secret not in (await api.get(path)).text


async def test_a_key_does_what_its_member_does(
    make_key: MakeKey, with_token: WithToken, owner: Claims
) -> None:
    program = with_token((await make_key("write"))["key"])
    made = await program.post(LEADS, json={"first_name": "Ada"})
    assert made.status_code == 201
    assert (await program.get(made.headers["Location"])).json()["first_name"] == "Ada"
    agency = await program.get("/v1/agency")
    assert agency.json()["id"] == str(owner.agency_id)


async def test_a_repeated_request_makes_one_key_and_does_not_show_it_again(
    api: httpx.AsyncClient, admin: AdminConnection
) -> None:
    body = {"name": "ci", "scopes": ["read"]}
    headers = {"Idempotency-Key": "k1"}
    first = await api.post(KEYS, json=body, headers=headers)
    again = await api.post(KEYS, json=body, headers=headers)
    assert first.json()["key"].startswith("gos_")
    assert again.json() == first.json() | {"key": None}
    assert again.headers["Idempotent-Replayed"] == "true"
    secret = first.json()["key"].rpartition("_")[2]
    stored = await admin.fetchval("SELECT body FROM idempotency_keys")
    assert secret.encode() not in stored
    assert await admin.fetchval("SELECT count(*) FROM api_keys") == 1


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("read", (200, 403, 200)),
        ("write", (200, 201, 200)),
        ("leads:read", (200, 403, 403)),
        ("imports:read", (403, 403, 403)),
    ],
)
async def test_a_key_is_held_to_its_scopes(
    make_key: MakeKey, with_token: WithToken, scope: str, expected: tuple[int, int, int]
) -> None:
    program = with_token((await make_key(scope))["key"])
    read = await program.get(LEADS)
    written = await program.post(LEADS, json={"first_name": "Ada"})
    agency = await program.get("/v1/agency")
    assert (read.status_code, written.status_code, agency.status_code) == expected
    if written.status_code == 403:
        assert written.json()["type"].endswith(":forbidden")
        assert "leads:write" in written.json()["detail"]


async def test_a_key_of_a_lesser_role_does_less_than_its_member(
    make_key: MakeKey, with_token: WithToken
) -> None:
    program = with_token((await make_key("read", role="read_only"))["key"])
    assert (await program.get(LEADS)).status_code == 200
    agent_key = with_token((await make_key("write", role="agent"))["key"])
    assert (await agent_key.post(LEADS, json={"first_name": "A"})).status_code == 201
    agency = await agent_key.get("/v1/agency")
    renamed = await agent_key.patch(
        "/v1/agency", json={"name": "Mine"}, headers={"If-Match": agency.headers["ETag"]}
    )
    assert renamed.status_code == 403


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"role": "owner"}, "/role"),
        ({"role": "read_only", "scopes": ["leads:write"]}, "/scopes"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "/expires_at"),
        ({"scopes": ["everything"]}, "/scopes/0"),
        ({"scopes": []}, "/scopes"),
        ({"name": "  "}, "/name"),
        ({"name": "a\x00b"}, "/name"),
        ({"secret": "mine"}, "/secret"),
    ],
)
async def test_a_key_that_cannot_be_is_refused_by_field(
    sign_in: SignIn, agent: Claims, fields: dict[str, object], pointer: str
) -> None:
    body = {"name": "k", "scopes": ["read"], **fields}
    refused = await sign_in(agent).post(KEYS, json=body)
    assert refused.status_code == 422
    assert [each["pointer"] for each in refused.json()["errors"]] == [pointer]


async def test_the_database_refuses_a_key_above_its_makers_role(
    db: Database, agent: Claims
) -> None:
    insert = (
        "INSERT INTO api_keys (agency_id, user_id, name, role, scopes, digest) "
        "VALUES ($1, $2, 'k', $3, '{read}', $4)"
    )
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.session(agent) as session:
            await session.execute(insert, agent.agency_id, agent.sub, "admin", b"x" * 32)


async def test_keys_do_not_manage_keys(make_key: MakeKey, with_token: WithToken) -> None:
    made = await make_key("write")
    program = with_token(made["key"])
    asked = [
        await program.get(KEYS),
        await program.get(f"{KEYS}/{made['id']}"),
        await program.post(KEYS, json={"name": "k", "scopes": ["read"]}),
        await program.delete(f"{KEYS}/{made['id']}"),
    ]
    assert {answer.status_code for answer in asked} == {403}


async def test_a_key_is_no_account(make_key: MakeKey, with_token: WithToken) -> None:
    program = with_token((await make_key("write"))["key"])
    refused = await program.put("/auth/v1/user", json={"password": "a long new password"})
    assert refused.status_code == 403
    assert refused.json()["error_code"] == "bad_jwt"


async def test_a_revoked_key_is_refused_at_once_here_and_soon_elsewhere(
    api: httpx.AsyncClient, make_key: MakeKey, with_token: WithToken, db: Database
) -> None:
    made = await make_key("read")
    clock = TurnedClock()
    elsewhere = KeyVerifier(db, clock)
    await elsewhere.verify(made["key"])
    program = with_token(made["key"])
    assert (await program.get(LEADS)).status_code == 200
    assert (await api.delete(f"{KEYS}/{made['id']}")).status_code == 204
    refused = await program.get(LEADS)
    assert (refused.status_code, refused.json()["type"]) == (
        401,
        "urn:gardenos:problem:invalid-token",
    )
    assert "revoked" in refused.json()["detail"]
    await elsewhere.verify(made["key"])
    clock.turn(timedelta(seconds=KEPT_S))
    with pytest.raises(InvalidToken, match="revoked"):
        await elsewhere.verify(made["key"])
    assert (await api.delete(f"{KEYS}/{made['id']}")).status_code == 204
    assert (await api.get(f"{KEYS}/{made['id']}")).json()["revoked_at"]


async def test_a_key_expires_although_it_is_remembered(make_key: MakeKey, db: Database) -> None:
    made = await make_key("read", expires_at=later(seconds=60))
    clock = TurnedClock()
    verifier = KeyVerifier(db, clock)
    clock.turn(timedelta(seconds=57))
    await verifier.verify(made["key"])
    clock.turn(timedelta(seconds=4))
    with pytest.raises(InvalidToken, match="expired"):
        await verifier.verify(made["key"])


async def test_a_key_goes_with_its_membership(
    sign_in: SignIn, make_key: MakeKey, db: Database, admin: AdminConnection, agent: Claims
) -> None:
    made = await make_key("write", client=sign_in(agent))
    await KeyVerifier(db).verify(made["key"])
    await admin.execute("DELETE FROM members WHERE user_id = $1", agent.sub)
    with pytest.raises(InvalidToken, match="no such API key"):
        await KeyVerifier(db).verify(made["key"])


async def test_a_key_shrinks_with_its_members_role(
    sign_in: SignIn, make_key: MakeKey, db: Database, admin: AdminConnection, agent: Claims
) -> None:
    made = await make_key("write", client=sign_in(agent))
    await admin.execute("UPDATE members SET role = 'read_only' WHERE user_id = $1", agent.sub)
    assert (await KeyVerifier(db).verify(made["key"])).user_role is UserRole.READ_ONLY
    await admin.execute("UPDATE members SET role = 'owner' WHERE user_id = $1", agent.sub)
    assert (await KeyVerifier(db).verify(made["key"])).user_role is UserRole.AGENT


async def test_a_banned_members_key_is_refused(
    sign_in: SignIn, make_key: MakeKey, db: Database, admin: AdminConnection, agent: Claims
) -> None:
    made = await make_key("write", client=sign_in(agent))
    ban = "UPDATE auth.users SET banned_until = 'infinity' WHERE id = $1"
    await admin.execute(ban, agent.sub)
    with pytest.raises(InvalidToken):
        await KeyVerifier(db).verify(made["key"])


NOBODY = "0" * 32


@pytest.mark.parametrize(
    "key",
    [
        "gos_",
        "gos__",
        "gos_zz_secret",
        f"gos_{NOBODY}",
        f"gos_{NOBODY}_",
        f"gos_{NOBODY}_{'0' * 64}",
        f"gos_{NOBODY}_{'0' * 10_000}",
        f"gos_{NOBODY}_\x00' OR true --",
    ],
)
async def test_what_is_no_key_is_refused(db: Database, key: str) -> None:
    with pytest.raises(InvalidToken):
        await KeyVerifier(db).verify(key)


async def test_another_keys_secret_opens_nothing(make_key: MakeKey, db: Database) -> None:
    one, other = await make_key("read"), await make_key("write")
    mixed = one["key"].rpartition("_")[0] + "_" + other["key"].rpartition("_")[2]
    with pytest.raises(InvalidToken):
        await KeyVerifier(db).verify(mixed)


async def test_use_is_noted_once_a_minute_and_never_waits(
    make_key: MakeKey, db: Database, admin: AdminConnection
) -> None:
    made = await make_key("read")
    read = "SELECT last_used_at, xmin FROM api_keys"
    assert await admin.fetchval(read) is None
    async with admin.transaction():
        await admin.execute("SELECT FROM api_keys FOR UPDATE")
        async with asyncio.timeout(5):
            await KeyVerifier(db).verify(made["key"])
    assert await admin.fetchval(read) is None
    await KeyVerifier(db).verify(made["key"])
    used = await admin.fetchrow(read)
    assert used is not None
    assert used["last_used_at"] is not None
    await KeyVerifier(db).verify(made["key"])
    assert await admin.fetchrow(read) == used
    await admin.execute("UPDATE api_keys SET last_used_at = now() - interval '61 seconds'")
    await KeyVerifier(db).verify(made["key"])
    assert (await admin.fetchval("SELECT now() - last_used_at FROM api_keys")).seconds < 10


async def test_a_wrong_secret_notes_no_use(
    make_key: MakeKey, db: Database, admin: AdminConnection
) -> None:
    made = await make_key("read")
    with pytest.raises(InvalidToken):
        await KeyVerifier(db).verify(made["key"][:-1] + "x")
    assert await admin.fetchval("SELECT last_used_at FROM api_keys") is None


async def test_many_requests_at_once_ask_the_database_once(make_key: MakeKey, db: Database) -> None:
    made = await make_key("read")
    verifier = KeyVerifier(db)
    claims = await asyncio.gather(*(verifier.verify(made["key"]) for _ in range(200)))
    # Each look makes claims of its own.
    assert len({id(each) for each in claims}) == 1


def test_there_is_a_scope_for_every_route_that_takes_a_token() -> None:
    paths = create_api().openapi()["paths"]
    kinds = {
        needed(method.upper(), path)[0]
        for path, methods in paths.items()
        for method, said in methods.items()
        if said.get("security") and not path.startswith("/auth/")
    }
    assert kinds - set(KINDS) <= {"api_keys"}


async def test_members_see_and_revoke_their_own_and_admins_everybodys(
    api: httpx.AsyncClient,
    outsider: httpx.AsyncClient,
    sign_in: SignIn,
    make_key: MakeKey,
    agent: Claims,
) -> None:
    theirs = sign_in(agent)
    own = await make_key("read", client=theirs)
    owners = await make_key("read")
    await make_key("read", client=outsider)
    assert [k["id"] for k in (await theirs.get(KEYS)).json()["items"]] == [own["id"]]
    seen = [k["id"] for k in (await api.get(KEYS)).json()["items"]]
    assert seen == [owners["id"], own["id"]]
    for client, key in ((theirs, owners), (outsider, own), (outsider, owners)):
        assert (await client.get(f"{KEYS}/{key['id']}")).status_code == 404
        assert (await client.delete(f"{KEYS}/{key['id']}")).status_code == 404
    assert (await api.delete(f"{KEYS}/{own['id']}")).status_code == 204


async def test_keys_are_paged_and_a_cursor_is_one_agencys(
    api: httpx.AsyncClient, outsider: httpx.AsyncClient, make_key: MakeKey
) -> None:
    made = [(await make_key("read"))["id"] for _ in range(3)]
    first = await api.get(KEYS, params={"limit": 2})
    assert 'rel="next"' in first.headers["Link"]
    cursor = first.json()["next_cursor"]
    rest = await api.get(KEYS, params={"limit": 2, "cursor": cursor})
    seen = [k["id"] for page in (first, rest) for k in page.json()["items"]]
    assert (seen, rest.json()["next_cursor"]) == (made[::-1], None)
    stolen = await outsider.get(KEYS, params={"cursor": cursor})
    assert stolen.json()["type"].endswith(":invalid-cursor")


async def test_a_reader_makes_a_key_that_reads(
    sign_in: SignIn, make_key: MakeKey, with_token: WithToken, reader: Claims
) -> None:
    made = await make_key("leads:read", client=sign_in(reader))
    assert made["role"] == "read_only"
    assert (await with_token(made["key"]).get(LEADS)).status_code == 200
