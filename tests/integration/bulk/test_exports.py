"""Lists as files: what the list shows, all of it, in every format, and back again."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import httpx
import pytest
from openpyxl import load_workbook

from gardenos.core.claims import UserRole
from gardenos.crm.leads.entity import LEADS as ENTITY
from gardenos.crm.records.query import parse
from gardenos.crm.transfer.exports import service
from gardenos.crm.transfer.exports.formats import Xlsx
from gardenos.crm.transfer.exports.service import PAGE
from gardenos.testing.postgres import make_member
from tests.support.records import make
from tests.support.serving import served

if TYPE_CHECKING:
    from fastapi import FastAPI

    from gardenos.core.claims import Claims
    from gardenos.db.session import Database
    from gardenos.testing.postgres import AdminConnection

    from .conftest import SignIn

    ImportCsv = Callable[..., Awaitable[httpx.Response]]

LEADS = "/v1/exports/leads"
MANY = 2 * PAGE + 7
FILL = """
INSERT INTO leads (agency_id, created_by, external_id, last_name, city, custom)
SELECT $1, $2, 'L' || n, 'Person ' || n, (ARRAY['Rome', 'Oslo'])[n % 2 + 1], jsonb_build_object('size', n)
  FROM generate_series(1, $3::int) n
"""


async def rows_of(client: httpx.AsyncClient, **params: str) -> list[dict[str, str]]:
    answer = await client.get(LEADS, params=params)
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


async def test_an_export_has_all_that_the_list_pages_through_in_its_order(
    api: httpx.AsyncClient, admin: AdminConnection, owner: Claims
) -> None:
    await admin.execute(FILL, owner.agency_id, owner.sub, MANY)
    rows = await rows_of(api, sort="external_id")
    assert [row["external_id"] for row in rows] == sorted(f"L{n}" for n in range(1, MANY + 1))
    assert {row["custom.size"] for row in rows} == {str(n) for n in range(1, MANY + 1)}
    oslo = await rows_of(api, city="Oslo", fields="city,external_id")
    assert len(oslo) == (MANY + 1) // 2
    assert oslo[0].keys() == {"id", "external_id", "city"}
    view = await make(
        api, "views", entity="leads", name="Rome", filters={"city": "Rome"}, columns=["city"]
    )
    assert len(await rows_of(api, view=view["id"])) == MANY // 2


async def test_every_format_says_the_same(api: httpx.AsyncClient) -> None:
    lead = await make(
        api,
        "leads",
        first_name="Zoë",
        notes='a "b",\nc',
        phone="+49 30 1",
        custom={"n": 7.5, "ok": True},
    )
    tag = await make(api, "tags", name="vip")
    await api.put(f"/v1/leads/{lead['id']}/tags/{tag['id']}")
    [row] = await rows_of(api)
    assert (row["first_name"], row["notes"], row["phone"]) == ("Zoë", 'a "b",\nc', "+49 30 1")
    assert (row["custom.n"], row["custom.ok"], row["tags"]) == ("7.5", "true", "vip")
    assert (row["email"], row["version"]) == ("", "1")

    packed = await api.get(LEADS, params={"gzip": "true"})
    assert packed.headers["content-type"] == "application/gzip"
    assert packed.headers["content-disposition"] == 'attachment; filename="leads.csv.gz"'
    text = gzip.decompress(packed.content).decode()
    assert list(csv.DictReader(io.StringIO(text, newline=""))) == [row]

    lines = (await api.get(LEADS, params={"format": "jsonl"})).text.splitlines()
    read = (await api.get(f"/v1/leads/{lead['id']}")).json()
    assert [json.loads(line) for line in lines] == [read | {"tags": ["vip"]}]

    book = await api.get(LEADS, params={"format": "xlsx"})
    sheet = load_workbook(io.BytesIO(book.content)).worksheets[0]
    header, cells = sheet.iter_rows(values_only=True)
    assert {k: v or "" for k, v in zip(header, cells, strict=True)} == row


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-2+3", "'-2+3"),
        ("+49 (0)30 / 12-3", "+49 (0)30 / 12-3"),
        ("-7.5", "-7.5"),
        ("a=1", "a=1"),
    ],
)
async def test_no_cell_is_calculated_and_each_comes_back_as_it_was(
    api: httpx.AsyncClient,
    import_csv: ImportCsv,
    outsider: httpx.AsyncClient,
    said: str,
    written: str,
) -> None:
    await make(api, "leads", external_id="1", notes=said)
    [row] = await rows_of(api, fields="external_id,notes")
    assert row["notes"] == written
    content = (await api.get(LEADS, params={"fields": "external_id,notes"})).text
    mapping = {"fields": {"external_id": "external_id", "notes": "notes"}}
    assert (await import_csv(content, mapping=mapping, client=outsider)).json()["imported"] == 1
    [lead] = (await outsider.get("/v1/leads")).json()["items"]
    assert lead["notes"] == said
    book = await api.get(LEADS, params={"format": "xlsx", "fields": "notes"})
    sheet = load_workbook(io.BytesIO(book.content)).worksheets[0]
    assert (sheet["B2"].value, sheet["B2"].data_type) == (said, "s")


async def test_a_role_exports_what_it_reads_and_nothing_else(
    api: httpx.AsyncClient,
    outsider: httpx.AsyncClient,
    admin: AdminConnection,
    owner: Claims,
    sign_in: SignIn,
) -> None:
    await make(api, "leads", external_id="1", phone="secret", custom={"size": 1, "iq": 2})
    masks = [
        {"role": "agent", "entity": "leads", "field": field, "access": "hidden"}
        for field in ("phone", "custom.iq")
    ]
    assert (await api.put("/v1/field-masks", json={"items": masks})).is_success
    agent = sign_in(await make_member(admin, role=UserRole.AGENT, agency_id=owner.agency_id))
    [row] = await rows_of(agent)
    assert row["custom.size"] == "1"
    assert not {"phone", "custom.iq"} & row.keys()
    assert "secret" not in (await agent.get(LEADS, params={"format": "jsonl"})).text
    assert (await agent.get(LEADS, params={"phone": "secret"})).status_code == 403
    assert await rows_of(outsider) == []


async def test_what_is_wrong_is_said_before_the_first_byte(api: httpx.AsyncClient) -> None:
    for params, pointer in [
        ({"format": "pdf"}, "format"),
        ({"gzip": "maybe"}, "gzip"),
        ({"limit": "5"}, "limit"),
        ({"cursor": "x"}, "cursor"),
        ({"colour": "red"}, "colour"),
        ({"sort": "colour"}, "sort"),
    ]:
        answer = await api.get(LEADS, params=params)
        assert answer.status_code == 400, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert pointer in answer.text
    assert (await api.get("/v1/exports/pipelines")).status_code == 404


async def test_an_export_that_fails_on_the_way_does_not_look_whole(
    app: FastAPI, api: httpx.AsyncClient, admin: AdminConnection, owner: Claims
) -> None:
    await admin.execute(FILL, owner.agency_id, owner.sub, MANY)
    # The second page meets a row that cannot be read.
    await admin.execute(
        "CREATE FUNCTION refuse(text) RETURNS text LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'broken' USING ERRCODE = 'XX001'; END $$"
    )
    before = await rows_of(api)
    assert len(before) == MANY
    await admin.execute(
        "CREATE POLICY refuse ON leads AS RESTRICTIVE FOR SELECT TO authenticated"
        " USING (external_id <> $$L10$$ OR refuse(external_id) IS NULL)"
    )
    await admin.execute("GRANT EXECUTE ON FUNCTION refuse(text) TO authenticated")
    async with served(app) as url, httpx.AsyncClient(base_url=url, headers=api.headers) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(LEADS, params={"format": "jsonl"}, timeout=60)


async def test_memory_does_not_grow_with_the_list(
    app: FastAPI, db: Database, admin: AdminConnection, owner: Claims
) -> None:
    cursors = app.state.services.cursors

    async def peak() -> tuple[int, int]:
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        async with db.session(owner) as session:
            query = parse(ENTITY, [])
            export = await service.begin(
                session, ENTITY, query, cursors, kind=service.Format.JSONL, packed=False
            )
        size = 0
        async for piece in service.pieces(db, owner, export, cursors):
            size += len(piece)
        return tracemalloc.get_traced_memory()[1] - before, size

    await admin.execute(FILL, owner.agency_id, owner.sub, 3 * PAGE)
    tracemalloc.start()
    try:
        await peak()
        some, _ = await peak()
        await admin.execute(FILL.replace("'L'", "'M'"), owner.agency_id, owner.sub, 12 * PAGE)
        most, size = await peak()
    finally:
        tracemalloc.stop()
    mib = 2**20
    print(f"\n{some / mib:.1f} MiB for 3,000 rows, {most / mib:.1f} for {size / mib:.1f} in 15,000")
    assert most < 1.5 * some + mib


def test_a_full_sheet_is_followed_by_another() -> None:
    writer = Xlsx(["id", "notes"], "leads", sheet_rows=3)
    assert writer.begin() + writer.add([{"id": n, "notes": "a\x0bb"} for n in range(5)]) == b""
    book = load_workbook(io.BytesIO(b"".join(writer.end())))
    assert [list(sheet.values) for sheet in book.worksheets] == [
        [("id", "notes"), ("0", "a\ufffdb"), ("1", "a\ufffdb")],
        [("id", "notes"), ("2", "a\ufffdb"), ("3", "a\ufffdb")],
        [("id", "notes"), ("4", "a\ufffdb")],
    ]
