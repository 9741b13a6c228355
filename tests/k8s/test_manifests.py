"""The overlays render to what a Kubernetes of ours takes, and to what we ask of every manifest."""

from __future__ import annotations

from collections.abc import Sequence

import kubernetes_validate
import pytest

from tests.k8s import checks
from tests.k8s.checks import EVERYWHERE, Check
from tests.k8s.manifests import OVERLAYS, Document, example_secrets, named, of_kind, overlay

VERSIONS = ("1.33", "1.35")


def test_there_is_an_overlay_for_a_laptop_and_one_for_hetzner() -> None:
    assert OVERLAYS == ["dev", "hetzner"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", OVERLAYS)
def test_every_document_is_one_that_kubernetes_knows_strictly(name: str, version: str) -> None:
    for document in (*overlay(name), *example_secrets()):
        # Raises for an unknown field, and for a kind without a schema; an older version's schema
        # would be taken silently.
        assert kubernetes_validate.validate(document, version, strict=True) == version


def test_an_unknown_field_and_an_unknown_kind_are_found() -> None:
    (budget, *_) = of_kind(overlay("dev"), "PodDisruptionBudget")
    misspelt = {**budget, "spec": {**budget["spec"], "maxUnavailible": 1}}
    with pytest.raises(kubernetes_validate.ValidationError, match="maxUnavailible"):
        kubernetes_validate.validate(misspelt, VERSIONS[0], strict=True)
    with pytest.raises(kubernetes_validate.SchemaNotFoundError):
        kubernetes_validate.validate({**budget, "kind": "PodBudget"}, VERSIONS[0], strict=True)


@pytest.mark.parametrize("check", EVERYWHERE, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", OVERLAYS)
def test_an_overlay_passes_the_check(name: str, check: Check) -> None:
    assert list(check([*overlay(name), *example_secrets()])) == []


def test_production_keeps_replicas_apart_and_a_laptop_cannot() -> None:
    assert list(checks.replicas_stay_apart(overlay("hetzner"))) == []
    assert len(list(checks.replicas_stay_apart(overlay("dev")))) == 3


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_overlay_brings_a_secret(name: str) -> None:
    assert of_kind(overlay(name), "Secret") == []


def test_an_example_secret_has_no_value_that_could_be_used() -> None:
    for secret in example_secrets():
        assert not secret.get("data")
        assert set(secret["stringData"].values()) == {""}


def _selectorless(documents: Sequence[Document], name: str) -> bool:
    return "selector" not in named(documents, "Service", name)["spec"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_services_of_the_sidecar_have_no_selector_and_it_may_write_their_slices(
    name: str,
) -> None:
    documents = overlay(name)
    assert _selectorless(documents, "postgres-primary")
    assert _selectorless(documents, "postgres-replicas")
    rules = named(documents, "Role", "postgres-discovery")["rules"]
    assert [(rule.get("resourceNames"), rule["verbs"]) for rule in rules] == [
        (["postgres-primary", "postgres-replicas"], ["get", "update"]),
        (None, ["create"]),
    ]
    assert {(*rule["apiGroups"], *rule["resources"]) for rule in rules} == {
        ("discovery.k8s.io", "endpointslices")
    }
    (subject,) = named(documents, "RoleBinding", "postgres-discovery")["subjects"]
    account = named(documents, "ServiceAccount", subject["name"])
    assert account["automountServiceAccountToken"] is False
    pod = named(documents, "StatefulSet", "postgres")["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == subject["name"]


def test_backups_leave_production_and_not_a_laptop() -> None:
    def variables(name: str) -> set[str]:
        spilo = named(overlay(name), "StatefulSet", "postgres")["spec"]["template"]["spec"]
        return {variable["name"] for variable in spilo["containers"][0]["env"]}

    wal_g = {"USE_WALG_BACKUP", "WAL_S3_BUCKET", "WAL_BUCKET_SCOPE_SUFFIX"}
    assert wal_g <= variables("hetzner")
    assert not wal_g & variables("dev")
