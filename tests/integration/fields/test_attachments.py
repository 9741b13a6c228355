"""Attachments: bytes go where a signed address says, are checked, and come back as a file."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from gardenos.core.claims import UserRole
from gardenos.crm.attachments import addresses, service
from gardenos.crm.attachments.addresses import Leave
from gardenos.crm.attachments.store import Place, opened
from gardenos.crm.attachments.sweeper import Sweeper
from gardenos.testing.postgres import make_member

if TYPE_CHECKING:
    import httpx
    from fastapi import FastAPI

    from gardenos.core.claims import Claims
    from gardenos.crm.attachments.store import Bytes
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection
    from tests.integration.conftest import SignIn
    from tests.integration.fields.conftest import Make

CONTENT = b"%PDF-1.7 " + bytes(range(256)) * 8
DIGEST = hashlib.sha256(CONTENT).hexdigest()
ATTACHMENTS = "/v1/attachments"


class InTwoDays:
    """A clock that is ahead."""

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=2)


@pytest.fixture
async def lead(make: Make) -> dict[str, Any]:
    return await make("leads", last_name="Byron")


@pytest.fixture
def files(crm_app: FastAPI) -> Bytes:
    return opened(Place.of(crm_app.state.services.settings))


def announced(lead: dict[str, Any], **fields: Any) -> dict[str, Any]:
    usual = {"name": "offer.pdf", "media_type": "application/pdf", "bytes": len(CONTENT)}
    return {"lead_id": lead["id"], **usual, **fields}


async def attach(api: httpx.AsyncClient, lead: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Announce, upload and confirm."""
    new = (await api.post(ATTACHMENTS, json=announced(lead, **fields))).json()
    assert (await api.put(new["upload"]["url"], content=CONTENT)).status_code == 204
    confirmed = await api.post(f"{ATTACHMENTS}/{new['id']}/confirm")
    assert confirmed.status_code == 200, confirmed.text
    return confirmed.json()


async def test_a_file_is_uploaded_checked_and_comes_back(
    api: httpx.AsyncClient, lead: dict[str, Any]
) -> None:
    found = await attach(api, lead, sha256=DIGEST)
    assert (found["state"], found["sha256"]) == ("stored", DIGEST)
    link = (await api.get(f"{ATTACHMENTS}/{found['id']}/download")).json()
    # Whoever has the address needs no token.
    file = await api.get(link["url"], headers={"Authorization": ""})
    assert file.content == CONTENT
    assert file.headers["content-type"] == "application/pdf"
    assert file.headers["content-length"] == str(len(CONTENT))
    assert file.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in file.headers["content-security-policy"]
    again = await api.post(f"{ATTACHMENTS}/{found['id']}/confirm")
    assert (again.status_code, again.json()) == (200, found)
    listed = await api.get(ATTACHMENTS, params={"lead_id": lead["id"]})
    assert [one["id"] for one in listed.json()["items"]] == [found["id"]]


@pytest.mark.parametrize(
    "name",
    [
        '../../etc/passwd"; filename="x.exe',
        "Übersicht, 報告.pdf",
        "C:\\windows\\system32",
        "a;b=c'd%00.pdf",
        "<script>.svg",
    ],
)
async def test_a_name_is_data_and_names_no_path(
    api: httpx.AsyncClient, lead: dict[str, Any], files: Bytes, name: str
) -> None:
    found = await attach(api, lead, name=name)
    assert found["name"] == name
    link = (await api.get(f"{ATTACHMENTS}/{found['id']}/download")).json()
    said = (await api.get(link["url"])).headers["content-disposition"]
    assert said.startswith('attachment; filename="')
    assert said.count('"') == 2
    assert "/" not in said
    assert "\\" not in said
    [paths] = [page async for page in files.found(before=datetime.now(UTC) + timedelta(hours=1))]
    assert [path.partition("/")[0] for path in paths] == ["stored"]


@pytest.mark.parametrize(
    ("wrong", "status", "pointer"),
    [
        ({"bytes": 5001}, 413, None),
        ({"bytes": 0}, 422, "/bytes"),
        ({"media_type": "application/x-msdownload"}, 415, None),
        ({"media_type": "pdf"}, 422, "/media_type"),
        ({"media_type": "text/html\r\nX-Evil: 1"}, 422, "/media_type"),
        ({"name": ""}, 422, "/name"),
        ({"name": "a\nb"}, 422, "/name"),
        ({"name": "a\x00b"}, 422, "/name"),
        ({"sha256": "zz"}, 422, "/sha256"),
        ({"lead_id": None}, 422, "/lead_id"),
        ({"contact_id": "00000000-0000-0000-0000-000000000001"}, 422, "/lead_id"),
        ({"lead_id": "00000000-0000-0000-0000-000000000001"}, 422, "/lead_id"),
        ({"storage_key": "x"}, 422, "/storage_key"),
    ],
)
async def test_what_is_not_taken_is_said_before_the_upload(
    api: httpx.AsyncClient,
    lead: dict[str, Any],
    wrong: dict[str, Any],
    status: int,
    pointer: str | None,
) -> None:
    answer = await api.post(ATTACHMENTS, json=announced(lead, **wrong))
    assert answer.status_code == status, answer.text
    if pointer is not None:
        assert answer.json()["errors"][0]["pointer"] == pointer


async def test_other_bytes_than_announced_are_not_kept(
    api: httpx.AsyncClient, lead: dict[str, Any]
) -> None:
    new = (await api.post(ATTACHMENTS, json=announced(lead, sha256="0" * 64))).json()
    confirm = f"{ATTACHMENTS}/{new['id']}/confirm"
    url = new["upload"]["url"]
    assert (await api.post(confirm)).status_code == 409
    assert (await api.put(url, content=CONTENT[:-1])).status_code == 422
    assert (await api.put(url, content=CONTENT + b"x")).status_code == 413
    assert (await api.post(confirm)).status_code == 409
    assert (await api.put(url, content=CONTENT)).status_code == 204
    refused = await api.post(confirm)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"] == "/sha256"
    assert (await api.get(f"{ATTACHMENTS}/{new['id']}/download")).status_code == 409


async def test_an_upload_after_the_confirmation_changes_nothing(
    api: httpx.AsyncClient, lead: dict[str, Any]
) -> None:
    new = (await api.post(ATTACHMENTS, json=announced(lead))).json()
    await api.put(new["upload"]["url"], content=CONTENT)
    await api.post(f"{ATTACHMENTS}/{new['id']}/confirm")
    other = bytes(len(CONTENT))
    assert (await api.put(new["upload"]["url"], content=other)).status_code == 204
    link = (await api.get(f"{ATTACHMENTS}/{new['id']}/download")).json()
    assert (await api.get(link["url"])).content == CONTENT
    assert (await api.post(f"{ATTACHMENTS}/{new['id']}/upload")).status_code == 409


async def test_an_address_is_for_one_file_one_way_and_a_while(
    api: httpx.AsyncClient, crm_app: FastAPI, lead: dict[str, Any]
) -> None:
    new = (await api.post(ATTACHMENTS, json=announced(lead))).json()
    url = new["upload"]["url"]
    assert (await api.get(url)).status_code == 403
    assert (await api.put(url[:-1] + ("A" if url[-1] != "A" else "B"))).status_code == 403
    secret = crm_app.state.services.settings.cursor_secret.get_secret_value()
    stale = Leave(does="put", key="k", bytes=1, name="n", media_type="text/plain")
    forged = addresses.sealed("another secret", stale)
    for token in (forged, "x", "." * 20):
        answer = await api.put(f"{addresses.CONTENT}{token}", content=b"x")
        assert (answer.status_code, answer.json()["type"][-15:]) == (403, "address-expired")
    assert addresses.opened(secret, addresses.sealed(secret, stale), does="put") == stale


async def test_attachments_are_for_who_sees_and_who_may_change_the_record(
    api: httpx.AsyncClient,
    outsider: httpx.AsyncClient,
    admin: AdminConnection,
    owner: Claims,
    sign_in: SignIn,
) -> None:
    record = (await api.post("/v1/leads", json={"last_name": "Byron"})).json()
    found = await attach(api, record)
    path = f"{ATTACHMENTS}/{found['id']}"
    for address in (path, f"{path}/download"):
        assert (await outsider.get(address)).status_code == 404
    assert (await outsider.post(ATTACHMENTS, json=announced(record))).status_code == 422
    reader = sign_in(await make_member(admin, role=UserRole.READ_ONLY, agency_id=owner.agency_id))
    assert (await reader.get(f"{path}/download")).status_code == 200
    assert (await reader.post(ATTACHMENTS, json=announced(record))).status_code == 403
    assert (await reader.delete(path)).status_code == 403
    await admin.execute(
        "INSERT INTO permissions (agency_id, role, entity, verb, scope)"
        " VALUES ($1, 'read_only', 'leads', 'read', 'own')",
        owner.agency_id,
    )
    assert (await reader.get(path)).status_code == 404


@pytest.mark.parametrize("scope", ["own", "team", "none"])
@pytest.mark.parametrize("noun", ["leads", "contacts", "companies", "deals"])
async def test_attachments_of_records_out_of_reach_are_neither_listed_nor_given_out(  # noqa: PLR0917 fixtures
    api: httpx.AsyncClient,
    admin: AdminConnection,
    owner: Claims,
    sign_in: SignIn,
    make: Make,
    noun: str,
    scope: str,
) -> None:
    one = {"leads": "lead", "contacts": "contact", "companies": "company", "deals": "deal"}[noun]
    await make("pipelines", name="Sales")
    claims = await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id)
    # A team of the member alone: what others own is no more in its reach than in the scope `own`.
    await make("teams", name="Outbound", members=[str(claims.sub)])
    member = sign_in(claims)
    name = "last_name" if noun in ("leads", "contacts") else "name"
    theirs = await make(noun, **{name: "Byron"})
    on_record = {"lead_id": None, f"{one}_id": theirs["id"]}
    found = await attach(api, {"id": None}, **on_record)
    pending = (await api.post(ATTACHMENTS, json=announced({"id": None}, **on_record))).json()
    all_of_them = {found["id"], pending["id"]}

    async def listed(**params: str) -> set[str]:
        page = (await member.get(ATTACHMENTS, params={"total": "true", **params})).json()
        ids = {one["id"] for one in page["items"]}
        assert page["total"] == len(ids)
        return ids

    assert await listed() == all_of_them
    cell = {"role": "agent", "entity": noun, "verb": "read", "scope": scope}
    assert (await api.put("/v1/permissions", json={"items": [cell]})).is_success
    for params in ({}, {"q": "offer"}, {"name": "offer.pdf"}, {f"{one}_id": theirs["id"]}):
        assert await listed(**params) == set()
    for attachment_id in all_of_them:
        path = f"{ATTACHMENTS}/{attachment_id}"
        assert (await member.get(path)).status_code == 404
        assert (await member.get(f"{path}/download")).status_code == 404
        for action in ("upload", "confirm"):
            assert (await member.post(f"{path}/{action}")).status_code == 404
    refused = await member.post(ATTACHMENTS, json=announced({"id": None}, **on_record))
    assert refused.status_code == 403
    # What the member owns is still there, where the scope has it.
    if scope != "none":
        mine = (await member.post(f"/v1/{noun}", json={name: "Lovelace"})).json()
        own = await attach(member, {"id": None}, **{"lead_id": None, f"{one}_id": mine["id"]})
        assert await listed() == {own["id"]}
        assert (await member.get(f"{ATTACHMENTS}/{own['id']}/download")).status_code == 200


async def test_what_nobody_has_is_swept_and_what_is_kept_stays(
    api: httpx.AsyncClient,
    db: Database,
    admin: AdminConnection,
    lead: dict[str, Any],
    files: Bytes,
) -> None:
    kept = await attach(api, lead)
    gone = await attach(api, lead)
    never = (await api.post(ATTACHMENTS, json=announced(lead))).json()
    await api.put(never["upload"]["url"], content=CONTENT)
    await admin.execute("DELETE FROM attachments WHERE id = $1", gone["id"])
    assert await service.sweep(db, files, datetime.now(UTC)) == 0
    later = datetime.now(UTC) + timedelta(days=2)
    assert await service.sweep(db, files, later) == 2
    assert await service.sweep(db, files, later) == 0
    assert (await api.get(f"{ATTACHMENTS}/{never['id']}")).status_code == 404
    link = (await api.get(f"{ATTACHMENTS}/{kept['id']}/download")).json()
    assert (await api.get(link["url"])).content == CONTENT


async def test_the_sweeper_says_what_it_did_also_where_the_place_does_not_answer(
    api: httpx.AsyncClient, crm_app: FastAPI, db: Database, lead: dict[str, Any]
) -> None:
    await attach(api, lead)
    settings = crm_app.state.services.settings
    sweeper = Sweeper(settings, db, clock=InTwoDays())
    assert await sweeper.sweep() == "removed 0 files that no attachment has"
    blocked = settings.home / "no-folder"
    blocked.write_text("a file")
    elsewhere = settings.model_copy(update={"attachments_url": str(blocked)})
    said = await Sweeper(elsewhere, db).sweep()
    assert said.startswith("swept no attachments: The place where files are kept does not answer.")


async def test_a_bucket_gives_addresses_of_its_own(
    api: httpx.AsyncClient, crm_app: FastAPI, lead: dict[str, Any]
) -> None:
    services = crm_app.state.services
    bucket = {
        "attachments_url": "s3://files/garden",
        "attachments_s3_endpoint": "http://127.0.0.1:1",
        "attachments_s3_access_key_id": "id",
        "attachments_s3_secret_access_key": "not a real one",
    }
    read = type(services.settings).model_validate({**services.settings.model_dump(), **bucket})
    crm_app.state.services = replace(services, settings=read)
    new = (await api.post(ATTACHMENTS, json=announced(lead))).json()
    url = new["upload"]["url"]
    assert url.startswith("http://127.0.0.1:1/files/garden/pending/")
    assert "X-Amz-Signature=" in url
    # It does not answer: that is said, and nothing is lost.
    assert (await api.get(f"{ATTACHMENTS}/{new['id']}")).json()["state"] == "pending"
