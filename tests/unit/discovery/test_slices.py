from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest

from gardenos.discovery.slices import Endpoint, Foreign, Slice, family, parse, render

AT = "2026-11-24T08:00:00.000+00:00"
LED = Slice(
    "postgres-primary", "pg-1", 57, 3, "741", 5432, (Endpoint("pg-1", "10.0.0.1"),), version="9"
)


def rendered(wanted: Slice) -> dict[str, Any]:
    return render(wanted, namespace="garden", at=AT)


@pytest.mark.parametrize("version", ["1.33", "1.35"])
@pytest.mark.parametrize(
    "wanted",
    [
        LED,
        Slice("postgres-replicas", "pg-1", 57, 3, "741", 5432),
        Slice("x", "pg-1", 57, 3, "741", 5432, (Endpoint("pg-1", "fd00::1", ready=False),)),
    ],
)
def test_kubernetes_accepts_the_document_in_strict_mode(wanted: Slice, version: str) -> None:
    kubernetes_validate.validate(rendered(wanted), version, strict=True)


def test_a_slice_comes_back_as_it_was_written() -> None:
    back = parse("postgres-primary", rendered(LED))
    assert back == LED
    assert isinstance(back, Slice)
    assert back.version == "9"


def test_a_withdrawn_endpoint_is_said_to_be_not_ready_rather_than_left_without_a_word() -> None:
    closed = Slice("s", "pg-1", 1, 1, "741", 5432, (Endpoint("pg-1", "10.0.0.1", ready=False),))
    conditions = rendered(closed)["endpoints"][0]["conditions"]
    assert conditions == {"ready": False, "serving": False, "terminating": False}
    assert parse("s", rendered(closed)) == closed


def test_an_endpoint_without_a_condition_counts_as_ready() -> None:
    document = rendered(LED)
    del document["endpoints"][0]["conditions"]
    assert parse("postgres-primary", document) == LED


def test_what_others_added_survives_a_write() -> None:
    document = rendered(LED)
    document["metadata"]["labels"]["team"] = "data"
    document["metadata"]["annotations"]["note"] = "do not touch"
    document["metadata"]["uid"] = "u-1"
    document["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    read = parse("postgres-primary", document)
    assert isinstance(read, Slice)
    metadata = rendered(read)["metadata"]
    assert metadata["labels"]["team"] == "data"
    assert metadata["annotations"]["note"] == "do not touch"
    assert (metadata["uid"], metadata["resourceVersion"]) == ("u-1", "9")
    assert "managedFields" not in metadata


def test_a_slice_is_tied_to_its_service_and_kept_from_kubernetes_own_controllers() -> None:
    assert rendered(LED)["metadata"]["labels"] == {
        "kubernetes.io/service-name": "postgres-primary",
        "endpointslice.kubernetes.io/managed-by": "gardenos-discovery",
    }


def test_a_slice_made_in_advance_is_vacant() -> None:
    labels = {"endpointslice.kubernetes.io/managed-by": "gardenos-discovery"}
    seen = parse("s", {"metadata": {"labels": labels, "resourceVersion": "4"}})
    assert seen == Slice("s")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"labels": {}}, "managed by nobody we know"),
        (
            {"labels": {"endpointslice.kubernetes.io/managed-by": "someone"}},
            "managed by someone",
        ),
        ({"annotations": {"discovery.gardenos/term": "many"}}, "cannot be read"),
    ],
)
def test_a_slice_of_someone_elses_making_is_foreign(change: dict[str, Any], why: str) -> None:
    document = rendered(LED)
    document["metadata"] |= change
    seen = parse("postgres-primary", document)
    assert isinstance(seen, Foreign)
    assert why in seen.why


@pytest.mark.parametrize("endpoints", [[{}], [{"addresses": []}], ["10.0.0.1"]])
def test_endpoints_that_cannot_be_read_make_a_slice_foreign(endpoints: list[Any]) -> None:
    document = rendered(LED) | {"endpoints": endpoints}
    assert isinstance(parse("postgres-primary", document), Foreign)


def test_the_family_of_an_address() -> None:
    assert (family("10.0.0.1"), family("fd00::1")) == ("IPv4", "IPv6")
    with pytest.raises(ValueError, match="pg-1"):
        family("pg-1.garden.svc")
