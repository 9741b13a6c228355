"""Which column becomes what: by the names people give columns, and by a mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import httpx

    ImportCsv = Callable[..., Awaitable[httpx.Response]]


async def stored(api: httpx.AsyncClient, answer: httpx.Response) -> list[dict[str, Any]]:
    """The leads an import made, in the order of the file."""
    assert answer.status_code == 201, answer.text
    page = (await api.get("/v1/leads", params={"sort": "created_at", "limit": 200})).json()
    return [lead for lead in page["items"] if lead["import_id"] == answer.json()["id"]]


def values(lead: dict[str, Any]) -> dict[str, Any]:
    """What a lead says, without what every lead has."""
    kept = "external_id first_name last_name email phone company job_title website city country"
    named = [*kept.split(), "source", "notes", "custom"]
    said = {name: lead[name] for name in named if lead[name] not in (None, {})}
    return said if lead["status"] == "new" else said | {"status": lead["status"]}


def uses(answer: httpx.Response) -> dict[str, str | None]:
    return {use["column"]: use["read_as"] for use in answer.json()["columns"]}


async def test_what_has_no_field_is_kept_as_custom_text(
    api: httpx.AsyncClient, import_csv: ImportCsv
) -> None:
    answer = await import_csv(
        "Name,E-Mail,Status,Total Visits,newsletter,Visits,visits\n"
        '"Łuczak, Zoë ",Zoe@Example.COM, Contacted ,7,yes,1,2\n'
        "Ada  King of Lovelace,,Hot!,,,,\n"
        "Plato,p@example.org,QUALIFIED,,,,3\n"
    )
    custom = {"total_visits": "7", "newsletter": "yes", "visits": "1", "visits_2": "2"}
    assert [values(lead) for lead in await stored(api, answer)] == [
        {
            "first_name": "Zoë",
            "last_name": "Łuczak",
            "email": "Zoe@Example.COM",
            "status": "contacted",
            "custom": custom,
        },
        {"first_name": "Ada", "last_name": "King of Lovelace", "custom": {"status": "Hot!"}},
        {
            "first_name": "Plato",
            "email": "p@example.org",
            "status": "qualified",
            "custom": {"visits_2": "3"},
        },
    ]


async def test_placeholders_are_no_values_unless_a_mapping_says_nothing_of_them(
    api: httpx.AsyncClient, import_csv: ImportCsv
) -> None:
    content = "email,first name,phone,city\nN/A,Na,-,?\na@example.com,Null,--,(blank)\n"
    answer = await import_csv(content)
    assert [values(lead) for lead in await stored(api, answer)] == [
        {"first_name": "Na"},
        {"email": "a@example.com", "first_name": "Null"},
    ]
    mapped = await import_csv(content, mapping={"fields": {"phone": "phone"}}, again="true")
    assert [values(lead) for lead in await stored(api, mapped)] == [{"phone": "-"}, {"phone": "--"}]


async def test_a_mapping_says_what_each_column_is(
    api: httpx.AsyncClient, import_csv: ImportCsv
) -> None:
    mapping = {
        "fields": {
            "external_id": "Nr",
            "first_name": ["Vorname", "Zweitname"],
            "email": "e-mail",
            "status": "Stand",
        },
        "custom": {
            "budget": {"column": "Budget", "type": "number"},
            "newsletter": {"column": "NL", "type": "boolean"},
            "region": "Gebiet",
        },
        "empty": ["Select", "n/a"],
    }
    answer = await import_csv(
        "Nr,Vorname,Zweitname,E-Mail,Stand,Budget,NL,Gebiet,Intern\n"
        "1,Ada,Maria,ada@example.com,QUALIFIED,1.5e3,Yes,Nord,geheim\n"
        "2,Bo,SELECT,n/a,select,-0.25,f,select,\n"
        "3,Select,Cy,cy@example.com,lost,,,Süd,\n",
        mapping=mapping,
    )
    assert [values(lead) for lead in await stored(api, answer)] == [
        {
            "external_id": "1",
            "first_name": "Ada Maria",
            "email": "ada@example.com",
            "status": "qualified",
            "custom": {"budget": 1500, "newsletter": True, "region": "Nord"},
        },
        {"external_id": "2", "first_name": "Bo", "custom": {"budget": -0.25, "newsletter": False}},
        {
            "external_id": "3",
            "first_name": "Cy",
            "email": "cy@example.com",
            "status": "lost",
            "custom": {"region": "Süd"},
        },
    ]
    assert uses(answer)["Zweitname"] == "first_name"
    assert uses(answer)["Intern"] is None
    assert uses(answer)["NL"] == "custom.newsletter"


async def test_a_value_of_the_wrong_kind_rejects_its_row_and_says_where(
    api: httpx.AsyncClient, import_csv: ImportCsv
) -> None:
    mapping = {
        "fields": {"email": "Mail", "status": "Stand", "phone": "Tel"},
        "custom": {
            "n": {"column": "N", "type": "number"},
            "b": {"column": "B", "type": "boolean"},
            "t": "T",
        },
    }
    answer = await import_csv(
        "Mail,Stand,Tel,N,B,T\n"
        "ok@example.com,new,1,2,no,x\n"
        "nobody,,,,,\n"
        "a@example.com,hot,,,,\n"
        f"b@example.com,,{'1' * 51},,,\n"
        'c@example.com,,,"1,5",,\n'
        "d@example.com,,,1e999,maybe,\n"
        "e@example.com,,,NaN,,\n"
        f"f@example.com,,,,,{'x' * 2001}\n"
        "g@example.com,,,9007199254740993,,\n"
        "h@example.com,,,٣,,\n",
        mapping=mapping,
    )
    report = answer.json()
    assert [lead["email"] for lead in await stored(api, answer)] == ["ok@example.com"]
    assert (report["rows_read"], report["imported"], report["rejected"]) == (10, 1, 9)
    assert [(e["row"], e["column"], e["code"]) for e in report["errors"]] == [
        (2, "Mail", "invalid-email"),
        (3, "Stand", "invalid-status"),
        (4, "Tel", "too-long"),
        (5, "N", "not-a-number"),
        (6, "N", "not-a-number"),
        (6, "B", "not-a-boolean"),
        (7, "N", "not-a-number"),
        (8, "T", "too-long"),
        (9, "N", "not-a-number"),
        (10, "N", "not-a-number"),
    ]


MISFITS: dict[str, tuple[dict[str, Any] | str, list[str]]] = {
    "a column that is not there": ({"fields": {"email": "Mial"}}, ["/mapping/fields/email"]),
    "a column that is there twice": ({"fields": {"city": "Ort"}}, ["/mapping/fields/city"]),
    "several faults": (
        {"fields": {"city": ["Stadt", "Ort"]}, "custom": {"a": "A", "b": {"column": "B"}}},
        [
            "/mapping/fields/city",
            "/mapping/fields/city",
            "/mapping/custom/a",
            "/mapping/custom/b",
        ],
    ),
    "nothing": ({}, ["/mapping"]),
    "no columns for a field": ({"fields": {"city": []}}, ["/mapping/fields/city/"]),
    "an unknown field": ({"fields": {"quality_score": "Mail"}}, ["/mapping/fields/"]),
    "an unknown key": ({"field": {"email": "Mail"}}, ["/mapping/field"]),
    "an unknown type": (
        {"custom": {"a": {"column": "Mail", "type": "day"}}},
        ["/mapping/custom/"],
    ),
    "a blank custom key": ({"custom": {" ": "Mail"}}, ["/mapping/custom/"]),
    "too many custom keys": ({"custom": {str(n): "Mail" for n in range(101)}}, ["/mapping/custom"]),
    "no object": ("[]", ["/mapping"]),
    "no JSON": ("{", ["/mapping"]),
    "half a surrogate pair": ('{"fields": {"email": "\\ud800"}}', ["/mapping"]),
    "deep nesting": ("[" * 100_000, ["/mapping"]),
    "a NUL": ({"fields": {"email": "Mail\0"}}, ["/mapping/fields/email"]),
}


async def test_a_mapping_that_does_not_fit_is_refused_and_pointed_at(
    api: httpx.AsyncClient, import_csv: ImportCsv
) -> None:
    for what, (mapping, pointers) in MISFITS.items():
        answer = await import_csv("Mail,Ort,Ort\na@example.com,Rom,Bonn\n", mapping=mapping)
        assert answer.status_code == 422, f"{what}: {answer.text}"
        found = [error["pointer"] for error in answer.json()["errors"]]
        assert len(found) >= len(pointers), what
        for pointer, start in zip(found, pointers, strict=False):
            assert pointer.startswith(start), f"{what}: {pointer}"
    assert (await api.get("/v1/leads")).json()["items"] == []


async def test_a_misfit_names_the_columns_there_are(import_csv: ImportCsv) -> None:
    answer = await import_csv(
        "E-Mail;Ort\na@example.com;Rom\n", mapping={"fields": {"city": "Stadt"}}
    )
    assert answer.json()["detail"].endswith("Its columns are: 'E-Mail', 'Ort'.")
    assert answer.json()["errors"] == [
        {"pointer": "/mapping/fields/city", "detail": "The column 'Stadt' is not in the file."}
    ]


async def test_a_mapping_prefers_the_exact_capitals(
    api: httpx.AsyncClient, import_csv: ImportCsv
) -> None:
    answer = await import_csv("city,City\nrome,Rome\n", mapping={"fields": {"city": "City"}})
    assert [values(lead) for lead in await stored(api, answer)] == [{"city": "Rome"}]


async def test_duplicate_headers_lose_no_column(
    api: httpx.AsyncClient, import_csv: ImportCsv
) -> None:
    answer = await import_csv(
        "Email,Email,Note,Note,Visits,Visits,Visits 2,,\n"
        "a@example.com,b@example.com,one,two,1,2,3,left,out\n"
    )
    [lead] = await stored(api, answer)
    assert values(lead) == {
        "email": "a@example.com",
        "notes": "one",
        "custom": {
            "email": "b@example.com",
            "note": "two",
            "visits": "1",
            "visits_2": "2",
            "visits_2_2": "3",
        },
    }


async def test_too_many_unknown_columns_ask_for_a_mapping(import_csv: ImportCsv) -> None:
    header = ",".join(["email", *(f"column {n}" for n in range(150))])
    answer = await import_csv(f"{header}\na@example.com\n")
    assert answer.status_code == 422
    assert "Send a mapping" in answer.json()["detail"]
    mapped = await import_csv(f"{header}\na@example.com\n", mapping={"fields": {"email": "email"}})
    assert mapped.json()["imported"] == 1
    assert len(mapped.json()["columns"]) == 151


async def test_headers_that_say_nothing_ask_for_a_header_row(import_csv: ImportCsv) -> None:
    answer = await import_csv("ada@example.com,Ada\nbo@example.com,Bo\n")
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"pointer": "/file", "detail": "has no header that is known here"}
    ]
