"""What records are found by, and how alike two of them are taken to be."""

from __future__ import annotations

from typing import Any

import pytest

from gardenos.crm.likeness.keys import COMPANIES, CONTACTS, LEADS, Kind


def lead(name: str, company: str | None = None, **more: Any) -> dict[str, Any]:
    first, _, last = name.partition(" ")
    return {"first_name": first, "last_name": last or None, "company": company, **more}


def alike(kind: Kind, one: dict[str, Any], other: dict[str, Any]) -> tuple[float, list[str]] | None:
    """As a sweep compares them: by the keys that both have."""
    shared = sorted(set(kind.keys(one, "DE")) & set(kind.keys(other, "DE")))
    return kind.score(one, other, shared, fuzzy=True)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lead("Zoë Köhler", "Müller GmbH"), lead("Zoe Koehler", "Mueller GmbH & Co. KG")),
        (lead("Jose Nunez", "Acme Inc."), lead("José Núñez", "ACME")),
        (
            lead("Ada Lovelace", "Analytical Engines"),
            lead("Lovelace Ada", "Analytical Engines Ltd"),
        ),
        (lead("Catherine Smith", "Northwind"), lead("Katherine Smyth", "Northwind Ltd")),
    ],
)
def test_people_are_the_same_however_they_are_written(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    found = alike(LEADS, one, other)
    if "Köhler" in str(one):
        # An umlaut written out is another word: only the company and the first name are alike.
        assert found is None or found[1] == ["name"]
    else:
        assert found is not None
        assert found[1] == ["name"]
        assert 0.6 <= found[0] <= 0.8


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lead("Ada Lovelace", "Analytical Engines"), lead("Grace Hopper", "Analytical Engines")),
        (lead("Ada Lovelace", "Analytical Engines"), lead("Ada Lovelace", "Difference Machines")),
        (lead("Ada Lovelace"), lead("Ada Lovelace")),
        (lead("Ada Lovelace", "Branch 12"), lead("Ada Lovelace", "Branch 13")),
        (lead("A B", "x"), lead("C D", "y")),
        ({}, {}),
    ],
)
def test_others_are_not(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert alike(LEADS, one, other) is None


def test_an_address_counts_more_than_a_number_and_a_number_more_than_names() -> None:
    both = {"email": "Ada@Example.com", "phone": "030 123456"}
    assert alike(LEADS, lead("Ada", **both), lead("A.", email="ada@example.com")) == (
        0.95,
        ["email"],
    )
    assert alike(LEADS, both, {"phone": "+49 (0)30 / 12 34 56"}) == (0.85, ["phone"])
    assert alike(LEADS, both, {"email": "ada@example.COM", "phone": "+4930123456"}) == (
        0.97,
        ["email", "phone"],
    )


def test_colleagues_share_a_number() -> None:
    number = {"phone": "+4930123456"}
    assert alike(LEADS, lead("Ada Lovelace", **number), lead("Grace Hopper", **number)) is None
    assert alike(LEADS, lead("Ada Lovelace", **number), number) == (0.85, ["phone"])


def test_a_number_is_dialled_in_the_country_of_its_record() -> None:
    said = {"phone": "01 42 68 53 00"}
    assert LEADS.keys(said | {"country": "fr"}, "DE") == ["phone:+33142685300"]
    assert LEADS.keys(said | {"country": "France"}, "FR") == ["phone:+33142685300"]
    assert LEADS.keys(said, None) == []


def test_a_mobile_here_may_be_a_phone_there() -> None:
    one = {"last_name": "Ada", "mobile": "+491701234567"}
    assert alike(CONTACTS, one, {"last_name": "Ada", "phone": "0170 1234567"}) == (0.85, ["phone"])


def test_companies_are_the_same_by_domain_or_name() -> None:
    one = {"name": "Flora Nord GmbH", "domain": "Flora-Nord.example"}
    assert alike(COMPANIES, one, {"name": "Other", "domain": "flora-nord.example"}) == (
        0.95,
        ["domain"],
    )
    named = alike(COMPANIES, one, {"name": "flora  nord AG"})
    assert named == (0.8, ["name"])
    assert alike(COMPANIES, one, {"name": "Florian Sued GmbH"}) is None
    assert alike(COMPANIES, {"name": "The Company Ltd"}, {"name": "the company"}) is not None


def test_without_names_being_compared_they_say_nothing() -> None:
    one, other = lead("Ada Lovelace", "Acme"), lead("Ada Lovelace", "Acme")
    shared = LEADS.keys(one, None)
    assert LEADS.score(one, other, shared, fuzzy=False) is None
