"""Imports hold rows to the agency's custom fields: what can become a value does, the rest is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

    from tests.integration.conftest import ImportCsv
    from tests.integration.fields.conftest import Make

FILE = """email,size,tier,member
a@x.org,7,GOLD,yes
b@x.org,many,gold,no
c@x.org,8,bronze,no
d@x.org,9,silver,
"""


async def test_an_import_converts_values_and_rejects_rows_that_do_not_fit(
    api: httpx.AsyncClient, make: Make, import_csv: ImportCsv
) -> None:
    choices = {"choices": ["gold", "silver"]}
    for key, kind, options in (
        ("size", "number", {}),
        ("tier", "choice", choices),
        ("member", "boolean", {}),
    ):
        new = {"entity": "leads", "key": key, "label": key, "kind": kind, "options": options}
        await make("custom-fields", **new)
    report = (await import_csv(FILE)).json()
    assert (report["rows_read"], report["imported"], report["rejected"]) == (4, 2, 2)
    faults = [(one["row"], one["column"], one["code"]) for one in report["errors"]]
    assert faults == [(2, "size", "custom-field"), (3, "tier", "custom-field")]
    assert report["errors"][0]["detail"] == "The custom field size is no number"
    leads = (await api.get("/v1/leads", params={"sort": "email"})).json()["items"]
    assert [lead["custom"] for lead in leads] == [
        {"size": 7, "tier": "gold", "member": True},
        {"size": 9, "tier": "silver"},
    ]


async def test_an_import_without_a_required_value_is_rejected_by_the_row(
    make: Make, import_csv: ImportCsv
) -> None:
    new = {"entity": "leads", "key": "tier", "label": "Tier", "kind": "text"}
    await make("custom-fields", **new, required=True)
    report = (await import_csv("email,tier\na@x.org,gold\nb@x.org,\n")).json()
    assert (report["imported"], report["rejected"]) == (1, 1)
    assert report["errors"][0]["detail"] == "The custom field tier is required"
