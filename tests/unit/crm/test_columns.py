from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gardenos.core.errors import InvalidContent
from gardenos.crm.records.models import MAX_CUSTOM_KEY_CHARS
from gardenos.crm.transfer.columns import by_mapping, by_name
from gardenos.crm.transfer.models import Mapping

HEADERS = {
    "First Name,Last Name,E-mail": ["first_name", "last_name", "email"],
    "firstname,SURNAME,e-mail address": ["first_name", "last_name", "email"],
    "Vorname,Nachname,Telefon,Firma,Stadt,Land": [
        "first_name",
        "last_name",
        "phone",
        "company",
        "city",
        "country",
    ],
    "Prénom,Nom,Ville,Pays,mail": ["first_name", "last_name", "city", "country", "email"],
    "_id_,Given-Name, Phone Number ,Organisation": [
        "external_id",
        "first_name",
        "phone",
        "company",
    ],
    "Lead Source,Stage,Comments,Job Title,URL,Mobile": [
        "source",
        "status",
        "notes",
        "job_title",
        "website",
        "phone",
    ],
    "Full Name,Email": ["name", "email"],
    "Email,Second E-Mail,Budget (EUR)": ["email", "custom.second_e_mail", "custom.budget_eur"],
    "Email,Mail,e-mail": ["email", "custom.mail", "custom.e_mail"],
    "Email,\U0001f3af,Wünsche,Größe": [
        "email",
        "custom.column_1",
        "custom.wünsche",
        "custom.größe",
    ],
}


@pytest.mark.parametrize("header", HEADERS)
def test_headers_are_known_by_the_names_people_give_them(header: str) -> None:
    plan = by_name(header.split(","))
    assert [use.read_as for use in plan.uses()] == HEADERS[header]


def test_a_whole_name_is_a_custom_value_where_its_parts_are_columns() -> None:
    plan = by_name(["Name", "First Name", "Last Name"])
    assert [use.read_as for use in plan.uses()] == ["custom.name", "first_name", "last_name"]


def test_a_column_without_a_header_is_left_out() -> None:
    plan = by_name(["email", "", "x", ""])
    assert [(use.column, use.read_as) for use in plan.uses()] == [
        ("email", "email"),
        ("x", "custom.x"),
    ]


def test_long_headers_become_keys_that_differ() -> None:
    plan = by_name(["email", "x" * 200, "x" * 199, "X" * 300])
    assert all(len(key) <= MAX_CUSTOM_KEY_CHARS for key in plan.custom)
    assert len(plan.custom) == 3


@given(st.lists(st.text(max_size=80), max_size=98))
def test_every_column_with_a_header_is_read_once(headers: list[str]) -> None:
    headers = ["email", *(header.strip() for header in headers)]
    plan = by_name(headers)
    read = [i for where in plan.fields.values() for i in where]
    read += [i for i, _ in plan.custom.values()]
    assert sorted(read) == [i for i, header in enumerate(headers) if header]


def test_a_field_of_several_columns_keeps_their_order() -> None:
    mapping = Mapping.model_validate({"fields": {"notes": ["B", "A"]}, "empty": [" Select "]})
    plan = by_mapping(["A", "B", "C"], mapping)
    assert plan.fields == {"notes": (1, 0)}
    assert plan.empty == {"select"}


def test_a_plan_without_any_known_header_asks_for_one() -> None:
    with pytest.raises(InvalidContent, match="names no column that a lead has"):
        by_name(["ada@example.com", "Ada"])
