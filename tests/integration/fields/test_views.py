"""Saved views: private or shared, held to their list when saved and when used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from gardenos.core.claims import UserRole
from gardenos.testing.postgres import make_member
from tests.integration.fields.conftest import etag

if TYPE_CHECKING:
    import httpx

    from gardenos.core.claims import Claims
    from gardenos.testing.postgres import AdminConnection
    from tests.integration.conftest import SignIn
    from tests.integration.fields.conftest import Make


async def test_a_list_takes_the_filters_order_and_columns_of_a_view(
    api: httpx.AsyncClient, make: Make
) -> None:
    await make("custom-fields", entity="leads", key="tier", label="Tier", kind="text")
    for name, status, tier in (("A", "new", "gold"), ("B", "lost", "gold"), ("C", "new", "gold")):
        await make("leads", last_name=name, status=status, custom={"tier": tier})
    view = await make(
        "views",
        entity="leads",
        name="New gold",
        filters={"status": "new", "custom.tier": "gold"},
        sort=["custom.tier", "-last_name"],
        columns=["last_name", "custom.tier"],
    )
    page = (await api.get("/v1/leads", params={"view": view["id"], "limit": "1"})).json()
    [first] = page["items"]
    assert (first["last_name"], sorted(first)) == ("C", ["custom", "id", "last_name"])
    more = {"view": view["id"], "limit": "1", "cursor": page["next_cursor"]}
    rest = (await api.get("/v1/leads", params=more)).json()
    assert [one["last_name"] for one in rest["items"]] == ["A"]
    # What the request says itself goes before.
    said = {"view": view["id"], "status": "lost", "fields": "status"}
    [lost] = (await api.get("/v1/leads", params=said)).json()["items"]
    assert (lost["status"], sorted(lost)) == ("lost", ["id", "status"])


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"entity": "llamas"}, "/entity"),
        ({"filters": {"colour": "red"}}, "/filters/colour"),
        ({"filters": {"status": "dreaming"}}, "/filters/status"),
        ({"filters": {"limit": "5"}}, "/filters/limit"),
        ({"filters": {"view": "5"}}, "/filters/view"),
        ({"sort": ["colour"]}, "/sort"),
        ({"sort": ["custom.unknown"]}, "/sort"),
        ({"columns": ["colour"]}, "/columns"),
    ],
)
async def test_a_view_is_held_to_its_list(
    api: httpx.AsyncClient, wrong: dict[str, Any], pointer: str
) -> None:
    answer = await api.post("/v1/views", json={"entity": "leads", "name": "Mine"} | wrong)
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_a_change_of_a_view_is_held_to_its_list_too(
    api: httpx.AsyncClient, make: Make
) -> None:
    view = await make("views", entity="leads", name="Mine")
    path = f"/v1/views/{view['id']}"
    wrong = await api.patch(path, json={"sort": ["colour"]}, headers=etag(view))
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/sort")
    right = await api.patch(path, json={"sort": ["-email"]}, headers=etag(view))
    assert right.json()["sort"] == ["-email"]


async def test_a_view_that_names_what_is_gone_says_so(
    api: httpx.AsyncClient, admin: AdminConnection, make: Make
) -> None:
    field = await make("custom-fields", entity="leads", key="tier", label="Tier", kind="text")
    view = await make("views", entity="leads", name="Gold", filters={"custom.tier": "gold"})
    await api.delete(f"/v1/custom-fields/{field['id']}")
    answer = await api.get("/v1/leads", params={"view": view["id"]})
    assert answer.status_code == 409
    assert answer.json()["detail"].startswith("The view 'Gold' names what is gone: custom.tier.")
    # A field of an older version of ours.
    await admin.execute("""UPDATE views SET filters = '{"fax": "1"}'""")
    answer = await api.get("/v1/leads", params={"view": view["id"]})
    assert (answer.status_code, "fax" in answer.json()["detail"]) == (409, True)


async def test_a_private_view_is_its_owners_and_a_shared_one_everybodys(  # noqa: PLR0917 fixtures
    api: httpx.AsyncClient,
    outsider: httpx.AsyncClient,
    admin: AdminConnection,
    owner: Claims,
    sign_in: SignIn,
    make: Make,
) -> None:
    private = await make("views", entity="leads", name="Mine")
    shared = await make("views", entity="leads", name="Ours", shared=True)
    member = await make_member(admin, role=UserRole.READ_ONLY, agency_id=owner.agency_id)
    mate = sign_in(member)
    seen = (await mate.get("/v1/views")).json()["items"]
    assert [view["id"] for view in seen] == [shared["id"]]
    assert (await mate.get(f"/v1/views/{private['id']}")).status_code == 404
    assert (await mate.get("/v1/leads", params={"view": private["id"]})).status_code == 404
    assert (await mate.get("/v1/leads", params={"view": shared["id"]})).status_code == 200
    assert (await outsider.get("/v1/leads", params={"view": shared["id"]})).status_code == 404
    change = {"name": "Theirs"}
    path = f"/v1/views/{shared['id']}"
    assert (await mate.patch(path, json=change, headers=etag(shared))).status_code == 403
    own = await mate.post("/v1/views", json={"entity": "leads", "name": "My own"})
    assert own.status_code == 201
    assert (await mate.delete(f"/v1/views/{own.json()['id']}")).status_code == 204
    assert len((await api.get("/v1/views")).json()["items"]) == 2


@pytest.mark.parametrize("view", ["", "mine", "00000000-0000-0000-0000-00000000000g"])
async def test_what_is_no_id_of_a_view_is_refused(api: httpx.AsyncClient, view: str) -> None:
    answer = await api.get("/v1/leads", params={"view": view})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "view")


async def test_a_view_of_another_list_is_none_of_this_one(
    api: httpx.AsyncClient, make: Make
) -> None:
    view = await make("views", entity="deals", name="Deals")
    assert (await api.get("/v1/leads", params={"view": view["id"]})).status_code == 404
