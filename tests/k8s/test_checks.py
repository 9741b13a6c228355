"""Each check finds what it is there for."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.k8s import checks
from tests.k8s.checks import Check
from tests.k8s.manifests import Document, container, example_secrets, named, overlay, pods


def _sound() -> tuple[Document, ...]:
    return (*overlay("hetzner"), *example_secrets())


def _spec(documents: list[Document], kind: str, name: str) -> Document:
    return named(documents, kind, name)["spec"]["template"]["spec"]


def _etcd(documents: list[Document]) -> Document:
    return container(documents, "StatefulSet/etcd", "etcd")


def _spilo(documents: list[Document]) -> Document:
    return container(documents, "StatefulSet/postgres", "postgres")


def _set(where: Document, value: Any, *path: str) -> None:
    for key in path[:-1]:
        where = where[key]
    where[path[-1]] = value


def _unset(where: Document, *path: str) -> None:
    for key in path[:-1]:
        where = where[key]
    del where[path[-1]]


def _latest(d: list[Document]) -> None:
    _set(_etcd(d), "quay.io/coreos/etcd:latest", "image")


def _untagged(d: list[Document]) -> None:
    _set(_etcd(d), "registry.example:5000/etcd", "image")


def _half_a_digest(d: list[Document]) -> None:
    _set(_etcd(d), "quay.io/coreos/etcd:v3@sha256:abc", "image")


def _no_request(d: list[Document]) -> None:
    _unset(_etcd(d), "resources", "requests", "memory")


def _no_limit(d: list[Document]) -> None:
    _unset(_etcd(d), "resources", "limits", "memory")


def _no_liveness(d: list[Document]) -> None:
    _unset(_etcd(d), "livenessProbe")


def _probe_of_no_port(d: list[Document]) -> None:
    _set(_etcd(d), "health", "livenessProbe", "httpGet", "port")


def _writable_root(d: list[Document]) -> None:
    _set(_etcd(d), False, "securityContext", "readOnlyRootFilesystem")


def _reason_withdrawn(d: list[Document]) -> None:
    annotations = named(d, "StatefulSet", "postgres")["spec"]["template"]["metadata"]["annotations"]
    _set(annotations, " ", "gardenos.io/writable-root.postgres")


def _root(d: list[Document]) -> None:
    _unset(_spec(d, "StatefulSet", "etcd"), "securityContext", "runAsNonRoot")


def _escalation(d: list[Document]) -> None:
    _unset(_etcd(d), "securityContext", "allowPrivilegeEscalation")


def _capability(d: list[Document]) -> None:
    _set(_etcd(d), {"drop": ["ALL"], "add": ["SYS_NICE"]}, "securityContext", "capabilities")


def _default_token(d: list[Document]) -> None:
    _unset(_spec(d, "StatefulSet", "etcd"), "automountServiceAccountToken")


def _default_account(d: list[Document]) -> None:
    _unset(_spec(d, "StatefulSet", "postgres"), "serviceAccountName")


def _token_for_spilo(d: list[Document]) -> None:
    _spilo(d)["volumeMounts"].append({"name": "kubernetes", "mountPath": "/token"})


def _port_without_policy(d: list[Document]) -> None:
    _spilo(d)["ports"].append({"name": "bg-mon", "containerPort": 8080})


def _unnamed_port(d: list[Document]) -> None:
    _unset(_etcd(d)["ports"][0], "name")


def _policy_without_port(d: list[Document]) -> None:
    _set(named(d, "NetworkPolicy", "etcd")["spec"]["ingress"][0], [{"port": "klient"}], "ports")


def _no_such_config_map(d: list[Document]) -> None:
    d.remove(named(d, "ConfigMap", "postgres-settings"))


def _no_such_secret(d: list[Document]) -> None:
    d.remove(named(d, "Secret", "etcd-peer-tls"))


def _no_such_key(d: list[Document]) -> None:
    _unset(named(d, "Secret", "postgres-passwords"), "stringData", "superuser")


def _unset_variable(d: list[Document]) -> None:
    _etcd(d)["env"][:] = [v for v in _etcd(d)["env"] if v["name"] != "DOMAIN"]


def _used_too_early(d: list[Document]) -> None:
    _etcd(d)["env"].reverse()


def _mount_of_nothing(d: list[Document]) -> None:
    _etcd(d)["volumeMounts"].append({"name": "logs", "mountPath": "/logs"})


def _service_of_nothing(d: list[Document]) -> None:
    _set(named(d, "Service", "haproxy")["spec"], {"app.kubernetes.io/name": "ha"}, "selector")


def _service_to_no_port(d: list[Document]) -> None:
    _set(named(d, "Service", "haproxy")["spec"]["ports"][0], "writes", "targetPort")


def _budget_of_nothing(d: list[Document]) -> None:
    selector = {"matchLabels": {"app.kubernetes.io/name": "pg"}}
    _set(named(d, "PodDisruptionBudget", "postgres")["spec"], selector, "selector")


def _no_service(d: list[Document]) -> None:
    d.remove(named(d, "Service", "etcd"))


def _together(d: list[Document]) -> None:
    _unset(_spec(d, "Deployment", "haproxy"), "affinity")


def _one_zone(d: list[Document]) -> None:
    _unset(_spec(d, "StatefulSet", "etcd"), "topologySpreadConstraints")


def _no_budget(d: list[Document]) -> None:
    d.remove(named(d, "PodDisruptionBudget", "etcd"))


PLANTED: list[tuple[Check, Callable[[list[Document]], None], str]] = [
    (checks.images_are_pinned, _latest, "is not pinned"),
    (checks.images_are_pinned, _untagged, "is not pinned"),
    (checks.images_are_pinned, _half_a_digest, "a digest that is none"),
    (checks.resources_are_named, _no_request, "no requests.memory"),
    (checks.resources_are_named, _no_limit, "no limits.memory"),
    (checks.containers_are_probed, _no_liveness, "no livenessProbe"),
    (checks.containers_are_probed, _probe_of_no_port, "asks port health"),
    (checks.roots_are_read_only, _writable_root, "nothing says why"),
    (checks.roots_are_read_only, _reason_withdrawn, "nothing says why"),
    (checks.privileges_are_dropped, _root, "may run as root"),
    (checks.privileges_are_dropped, _escalation, "may gain privileges"),
    (checks.privileges_are_dropped, _capability, "keeps capabilities"),
    (checks.tokens_are_handed_out_on_purpose, _default_token, "gets the default token"),
    (checks.tokens_are_handed_out_on_purpose, _default_account, "of the default service account"),
    (checks.tokens_are_handed_out_on_purpose, _token_for_spilo, "postgres gets a token"),
    (checks.ports_are_in_a_policy, _port_without_policy, "names the port bg-mon"),
    (checks.ports_are_in_a_policy, _unnamed_port, "names the port None"),
    (checks.ports_are_in_a_policy, _policy_without_port, "no port of it"),
    (checks.references_resolve, _no_such_config_map, "no ConfigMap postgres-settings"),
    (checks.references_resolve, _no_such_secret, "no Secret etcd-peer-tls"),
    (checks.references_resolve, _no_such_key, "has no key superuser"),
    (checks.variables_are_known, _unset_variable, "uses DOMAIN, which is unset"),
    (checks.variables_are_known, _used_too_early, "uses POD_NAMESPACE unset"),
    (checks.mounts_have_volumes, _mount_of_nothing, "mounts logs, which is no volume"),
    (checks.selectors_find_pods, _service_of_nothing, "selects 0 workloads"),
    (checks.selectors_find_pods, _service_to_no_port, "leads to the port writes"),
    (
        checks.selectors_find_pods,
        _budget_of_nothing,
        "PodDisruptionBudget/postgres selects nothing",
    ),
    (checks.selectors_find_pods, _no_service, "has no service of its own"),
    (checks.replicas_stay_apart, _together, "may be on one node"),
    (checks.replicas_stay_apart, _one_zone, "not spread over zones"),
    (checks.replicas_stay_apart, _no_budget, "no PodDisruptionBudget of one"),
]


@pytest.mark.parametrize(
    ("check", "plant", "said"), PLANTED, ids=[f"{c.__name__}-{p.__name__}" for c, p, _ in PLANTED]
)
def test_a_planted_violation_is_found(
    check: Check, plant: Callable[[list[Document]], None], said: str
) -> None:
    documents = copy.deepcopy(list(_sound()))
    assert list(check(documents)) == []
    plant(documents)
    assert any(said in complaint for complaint in check(documents))


def test_every_check_has_a_violation_planted() -> None:
    assert {*checks.EVERYWHERE, checks.replicas_stay_apart} == {check for check, _, _ in PLANTED}


def test_the_workloads_of_the_data_plane_are_seen() -> None:
    assert {pod.owner for pod in pods(_sound())} == {
        "StatefulSet/etcd",
        "StatefulSet/postgres",
        "Deployment/haproxy",
    }
