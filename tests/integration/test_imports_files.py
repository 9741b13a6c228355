"""`POST /v1/imports` from the form to the stored leads: every row ends somewhere, and once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from fastapi import FastAPI
    from starlette.types import Message

    from gardenos.testing.postgres import AdminConnection

    ImportCsv = Callable[..., Awaitable[httpx.Response]]

MAX_IMPORT = 8 * 1_048_576


def counts(answer: httpx.Response) -> tuple[int, int, int, int]:
    assert answer.status_code == 201, answer.text
    report = answer.json()
    return report["rows_read"], report["imported"], report["duplicates"], report["rejected"]


async def listed(api: httpx.AsyncClient, **params: Any) -> list[dict[str, Any]]:
    """Leads in the order they came."""
    query = {"sort": "created_at", "limit": 200, **params}
    items: list[dict[str, Any]] = (await api.get("/v1/leads", params=query)).json()["items"]
    return items


async def test_an_import_is_reported_and_can_be_looked_up(
    api: httpx.AsyncClient, import_csv: ImportCsv, outsider: httpx.AsyncClient
) -> None:
    content = "Email;First Name\na@example.com;Zoë\nnobody;Bo\n\nA@EXAMPLE.com;Again\n"
    answer = await import_csv(content.encode("cp1252"))
    report = answer.json()
    assert counts(answer) == (3, 1, 1, 1)
    assert (report["filename"], report["encoding"], report["delimiter"]) == (
        "leads.csv",
        "cp1252",
        ";",
    )
    assert (report["duplicates_by"], report["tasks_enqueued"]) == ("email", 0)
    assert [(e["row"], e["column"], e["code"]) for e in report["errors"]] == [
        (2, "Email", "invalid-email"),
        (3, "email", "duplicate"),
    ]
    path = answer.headers["location"]
    assert path == f"/v1/imports/{report['id']}"
    kept = (await api.get(path)).json()
    assert kept == {name: report[name] for name in kept}
    assert set(kept) >= {"id", "filename", "rows_read", "imported", "duplicates", "rejected"}
    assert (await outsider.get(path)).status_code == 404
    assert (await api.get(f"/v1/imports/{uuid4()}")).status_code == 404
    assert (await api.get("/v1/imports/17")).status_code == 400
    [lead] = await listed(api)
    assert (lead["first_name"], lead["import_id"], lead["status"]) == ("Zoë", report["id"], "new")


async def test_leads_are_listed_in_the_order_of_the_file(
    api: httpx.AsyncClient, import_csv: ImportCsv
) -> None:
    emails = [f"{'zyxw'[n % 4]}{n}@example.com" for n in range(150)]
    await import_csv("email\n" + "\n".join(emails) + "\n")
    assert [lead["email"] for lead in await listed(api)] == emails
    assert [lead["email"] for lead in await listed(api, sort="-created_at")] == emails[::-1]


async def test_a_row_is_a_duplicate_by_its_address_in_any_capitals(
    api: httpx.AsyncClient, import_csv: ImportCsv, outsider: httpx.AsyncClient
) -> None:
    await api.post("/v1/leads", json={"email": "Known@Example.com"})
    gone = (await api.post("/v1/leads", json={"email": "gone@example.com"})).json()
    await api.delete(f"/v1/leads/{gone['id']}")
    await outsider.post("/v1/leads", json={"email": "theirs@example.com"})
    answer = await import_csv(
        "email,first name\n"
        "known@example.COM,Known\n"
        "new@example.com,New\n"
        "NEW@example.com,Again\n"
        ",Nameless\n"
        ",Nameless\n"
        "gone@example.com,Back\n"
        "theirs@example.com,Ours\n"
    )
    assert counts(answer) == (7, 5, 2, 0)
    assert [e["row"] for e in answer.json()["errors"]] == [1, 3]
    assert "'known@example.COM'" in answer.json()["errors"][0]["detail"]
    names = [lead["first_name"] for lead in await listed(api) if lead["import_id"]]
    assert names == ["New", "Nameless", "Nameless", "Back", "Ours"]


async def test_an_external_id_identifies_before_the_address(
    api: httpx.AsyncClient, import_csv: ImportCsv
) -> None:
    await api.post("/v1/leads", json={"external_id": "7", "email": "seven@example.com"})
    deleted = (await api.post("/v1/leads", json={"external_id": "8"})).json()
    await api.delete(f"/v1/leads/{deleted['id']}")
    answer = await import_csv(
        "id,email,city\n"
        "7,other@example.com,taken\n"
        "8,,taken by a deleted one\n"
        "9,seven@example.com,another person at the address\n"
        "9,new@example.com,twice in the file\n"
        ",seven@example.com,without an id and known\n"
        ",ten@example.com,without an id and new\n"
        ",TEN@example.com,without an id and twice\n"
        ",,nobody knows\n"
    )
    assert counts(answer) == (8, 3, 5, 0)
    assert answer.json()["duplicates_by"] == "external_id"
    assert [(e["row"], e["column"]) for e in answer.json()["errors"]] == [
        (1, "external_id"),
        (2, "external_id"),
        (4, "external_id"),
        (5, "email"),
        (7, "email"),
    ]
    assert [lead["city"] for lead in await listed(api) if lead["import_id"]] == [
        "another person at the address",
        "without an id and new",
        "nobody knows",
    ]


async def test_duplicates_are_found_across_the_whole_file(
    admin: AdminConnection, import_csv: ImportCsv
) -> None:
    rows = [f"p{n % 2500}@Example.com,{n}" for n in range(5000)]
    answer = await import_csv("email,notes\n" + "\n".join(rows) + "\n")
    assert counts(answer) == (5000, 2500, 2500, 0)
    assert len(answer.json()["errors"]) == 100
    kept = await admin.fetch("SELECT notes::integer AS row FROM leads ORDER BY id")
    assert [row["row"] for row in kept] == list(range(2500))


async def test_two_imports_at_once_take_every_row_once(
    admin: AdminConnection, import_csv: ImportCsv
) -> None:
    content = "email\n" + "".join(f"p{n}@example.com\n" for n in range(1500))
    answers = await asyncio.gather(*(import_csv(content, again="true") for _ in range(4)))
    assert sorted(counts(answer)[1:3] for answer in answers) == [(0, 1500)] * 3 + [(1500, 0)]
    assert await admin.fetchval("SELECT count(DISTINCT email) FROM leads") == 1500
    assert await admin.fetchval("SELECT count(*) FROM leads") == 1500


async def test_rejected_rows_are_reported_before_duplicates_and_at_most_a_hundred(
    import_csv: ImportCsv,
) -> None:
    rows = ["same@example.com", *["same@example.com"] * 60, *["nobody"] * 90]
    answer = await import_csv("email\n" + "\n".join(rows) + "\n")
    assert counts(answer) == (151, 1, 60, 90)
    codes = [error["code"] for error in answer.json()["errors"]]
    assert codes == ["invalid-email"] * 90 + ["duplicate"] * 10


async def test_broken_rows_cost_no_other_row(api: httpx.AsyncClient, import_csv: ImportCsv) -> None:
    answer = await import_csv(
        b"email,city,notes\n"
        b'a@example.com,"Rome,x\n'
        b"b@example.com,K\xf6ln,y\n"
        b"c@example.com,Bonn,z,too,many\n"
        b"d@example.com\n"
        b"e@example.com,N\0ul,\n"
        b",,\n"
        b"f@example.com,Essen," + b"x" * 20_001 + b"\n"
    )
    assert counts(answer) == (7, 2, 0, 5)
    assert [(e["row"], e["code"]) for e in answer.json()["errors"]] == [
        (1, "broken-quote"),
        (3, "too-many-cells"),
        (5, "nul-character"),
        (6, "empty-row"),
        (7, "too-long"),
    ]
    assert [(lead["email"], lead["city"]) for lead in await listed(api)] == [
        ("b@example.com", "Köln"),
        ("d@example.com", None),
    ]


async def test_a_file_without_rows_or_columns_leaves_no_trace(
    admin: AdminConnection, import_csv: ImportCsv
) -> None:
    for content in ["", "\ufeff", "email,city\n", "email,city", "PK\x03\x04", "1,2\n3,4\n"]:
        answer = await import_csv(content)
        assert answer.status_code == 422, content
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["errors"][0]["pointer"] == "/file"
    for table in ("imports", "leads", "agent_tasks"):
        assert await admin.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608


async def test_a_named_encoding_wins_over_the_guess(
    api: httpx.AsyncClient, import_csv: ImportCsv
) -> None:
    content = b"first name,city\n" + "Пётр,Минск\n".encode("koi8-r")
    answer = await import_csv(content, encoding="KOI8-R")
    assert (counts(answer)[1], answer.json()["encoding"]) == (1, "koi8-r")
    [lead] = await listed(api)
    assert (lead["first_name"], lead["city"]) == ("Пётр", "Минск")
    assert (await import_csv(content, encoding="klingon")).json()["errors"][0]["pointer"] == (
        "/encoding"
    )


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("E-Mail;Ort\nö@example.com;Køln\n".encode("utf-8-sig"), "utf-8-sig"),
        ("E-Mail;Ort\nö@example.com;Køln\n".encode("utf-16"), "utf-16"),
        ("E-Mail;Ort\nö@example.com;Køln\n".encode("latin-1"), "cp1252"),
    ],
)
async def test_neither_a_byte_order_mark_nor_latin_1_spoils_a_cell(
    api: httpx.AsyncClient, import_csv: ImportCsv, content: bytes, encoding: str
) -> None:
    answer = await import_csv(content)
    assert counts(answer) == (1, 1, 0, 0), answer.text
    assert (answer.json()["encoding"], answer.json()["delimiter"]) == (encoding, ";")
    columns = [(use["column"], use["read_as"]) for use in answer.json()["columns"]]
    assert columns == [("E-Mail", "email"), ("Ort", "city")]
    [lead] = await listed(api)
    assert (lead["email"], lead["city"]) == ("ö@example.com", "Køln")


async def test_a_cell_of_megabytes_costs_its_row_alone(
    api: httpx.AsyncClient, import_csv: ImportCsv
) -> None:
    endless = "x" * 3_000_000
    answer = await import_csv(
        f'email,notes\na@example.com,{endless}\nb@example.com,"{endless}"\nc@example.com,ok\n'
        f"d@example.com,{'y' * 200_000}\n"
    )
    assert counts(answer) == (4, 1, 0, 3)
    assert [(e["row"], e["code"]) for e in answer.json()["errors"]] == [
        (1, "row-too-long"),
        (2, "row-too-long"),
        (4, "cell-too-large"),
    ]
    assert len(answer.content) < 10_000
    assert [lead["email"] for lead in await listed(api)] == ["c@example.com"]


@pytest.mark.parametrize("name", ["utf-16", "utf-32"])
async def test_a_wide_encoding_is_read_with_a_byte_order_mark_and_without(
    api: httpx.AsyncClient, import_csv: ImportCsv, name: str
) -> None:
    for order in ("", "-le", "-be"):
        content = f"first name,city\nZoë{order},København\n".encode(name + order)
        answer = await import_csv(content, encoding=name)
        assert counts(answer) == (1, 1, 0, 0), answer.text
        assert answer.json()["encoding"] == name + order
    assert {lead["city"] for lead in await listed(api)} == {"København"}
    for content in (b"first name\nZoe\n", b"first name\nZo", b"x"):
        answer = await import_csv(content, encoding=name)
        assert answer.status_code == 422, answer.text
        assert answer.json()["errors"][0]["pointer"] == "/file"


async def test_a_form_that_will_not_do_is_refused(api: httpx.AsyncClient) -> None:
    csv = ("a.csv", b"email\na@example.com\n")
    forms: dict[str, tuple[int, dict[str, Any]]] = {
        "no file": (422, {"files": {"mapping": (None, "{}")}}),
        "text for a file": (422, {"files": {"file": (None, "email\na@example.com")}}),
        "an unknown field": (422, {"files": {"file": csv}, "data": {"dryrun": "true"}}),
        "a field with a NUL": (422, {"files": {"file": csv}, "data": {"a\0": "true"}}),
        "two scores": (422, {"files": {"file": csv}, "data": {"score": ["true", "false"]}}),
        "a score that is neither": (422, {"files": {"file": csv}, "data": {"score": "maybe"}}),
        "a file for the mapping": (422, {"files": {"mapping": csv, "x": (None, "y")}}),
        "two files": (400, {"files": [("file", csv), ("file", csv)]}),
        "too many fields": (400, {"files": {"file": csv}, "data": {str(n): "" for n in range(17)}}),
        "a long mapping": (400, {"files": {"file": csv}, "data": {"mapping": "x" * 300_000}}),
        "JSON": (415, {"json": {"file": "email"}}),
        "a plain form": (415, {"data": {"file": "email"}}),
        "a bare file": (415, {"content": b"email\n", "headers": {"Content-Type": "text/csv"}}),
    }
    kinds = {
        "no boundary": "multipart/form-data",
        "a wrong boundary": "multipart/form-data; boundary=y",
        "an endless boundary": "multipart/form-data; boundary=" + "y" * 5000,
    }
    part = b'--x\r\nContent-Disposition: form-data; name="score"\r\n\r\n\xff\r\n--x--\r\n'
    for what, kind in kinds.items():
        forms[what] = (400, {"content": part, "headers": {"Content-Type": kind}})
    for charset, status in [("undefined", 400), ("hex", 422), ("unicode_escape", 422)]:
        kind = f"multipart/form-data; boundary=x; charset={charset}"
        forms[f"charset {charset}"] = (
            status,
            {"content": part, "headers": {"Content-Type": kind}},
        )
    for what, (status, form) in forms.items():
        answer = await api.post("/v1/imports", **form)
        assert answer.status_code == status, f"{what}: {answer.text}"
        assert answer.headers["content-type"] == "application/problem+json", what
    assert await listed(api) == []


async def test_the_filename_is_a_name_and_no_path(api: httpx.AsyncClient) -> None:
    names = {
        "../../etc/passwd.csv": "passwd.csv",
        "C:\\Users\\Ada\\leads.csv": "leads.csv",
        "Größe.csv": "Größe.csv",
        "x" * 300: "x" * 255,
        "/": None,
    }
    for sent, kept in names.items():
        files = {"file": (sent, f"email\n{uuid4()}@example.com\n".encode())}
        answer = await api.post("/v1/imports", files=files)
        assert answer.status_code == 201, answer.text
        assert answer.json()["filename"] == kept


async def test_a_file_over_the_limit_is_413_announced_or_not(
    api: httpx.AsyncClient, admin: AdminConnection, import_csv: ImportCsv
) -> None:
    row = b"a@example.com,x\n"
    content = b"email,city\n" + row * (MAX_IMPORT // len(row))
    announced = await import_csv(content)
    assert announced.status_code == 413
    assert f"{MAX_IMPORT:,} bytes" in announced.json()["detail"]

    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'

    async def pieces() -> AsyncIterator[bytes]:
        yield head
        for start in range(0, len(content), 65_536):
            yield content[start : start + 65_536]
        yield b"\r\n--x--\r\n"

    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    streamed = await api.post("/v1/imports", content=pieces(), headers=kind)
    assert streamed.status_code == 413
    assert streamed.headers["content-type"] == "application/problem+json"
    assert await admin.fetchval("SELECT count(*) FROM imports") == 0
    below = await import_csv(content[: MAX_IMPORT // 64])
    assert below.status_code == 201


async def test_an_upload_that_breaks_off_leaves_no_trace(
    crm_app: FastAPI, api: httpx.AsyncClient, admin: AdminConnection
) -> None:
    request = api.build_request("POST", "/v1/imports")
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/imports",
        "query_string": b"",
        "headers": [
            (b"authorization", request.headers["authorization"].encode()),
            (b"content-type", b"multipart/form-data; boundary=x"),
        ],
    }
    arriving = iter(
        [
            {"type": "http.request", "body": head + b"email\na@example.com\n", "more_body": True},
            {"type": "http.disconnect"},
        ]
    )
    sent: list[Message] = []

    async def receive() -> Message:
        return next(arriving)

    async def send(message: Message) -> None:
        sent.append(message)

    await crm_app(scope, receive, send)
    assert sent[0]["status"] == 400
    assert await admin.fetchval("SELECT count(*) FROM imports") == 0
