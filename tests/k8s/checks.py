"""What must hold for every manifest of ours: each check gives its complaints, none where it holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from tests.k8s.manifests import Document, Pod, of_kind, pods, selects

Check: TypeAlias = Callable[[Sequence[Document]], Iterator[str]]

_PUBLISHED_BY_KUBERNETES = {"kube-root-ca.crt": {"ca.crt"}}
"""ConfigMaps that are in every namespace by themselves, with their keys."""
_TOKEN_READERS = {("StatefulSet/postgres", "discovery")}
_VARIABLE = re.compile(r"\$\((\w+)\)")


def images_are_pinned(documents: Sequence[Document]) -> Iterator[str]:
    """By a digest, or at least by a tag that is a version."""
    for pod in pods(documents):
        for container in pod.containers:
            image = container["image"]
            name, _, digest = image.partition("@")
            tag = name.rpartition("/")[2].partition(":")[2]
            if digest:
                if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
                    yield f"{pod.owner}: {image} has a digest that is none"
            elif tag in ("", "latest"):
                yield f"{pod.owner}: {image} is not pinned"


def resources_are_named(documents: Sequence[Document]) -> Iterator[str]:
    """What a container asks for, and what it may not exceed."""
    for pod in pods(documents):
        for container in pod.containers:
            resources = container.get("resources", {})
            for part, name in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
                if name not in resources.get(part, {}):
                    yield f"{pod.owner}: {container['name']} has no {part}.{name}"


def containers_are_probed(documents: Sequence[Document]) -> Iterator[str]:
    for pod in pods(documents):
        for container in pod.spec["containers"]:
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                if probe not in container:
                    yield f"{pod.owner}: {container['name']} has no {probe}"
                    continue
                port = container[probe].get("httpGet", {}).get("port")
                if port is not None and pod.port(port) is None:
                    yield f"{pod.owner}: {container['name']}'s {probe} asks port {port}, which is none"


def roots_are_read_only(documents: Sequence[Document]) -> Iterator[str]:
    """Or the pod says in an annotation why a container's is not."""
    for pod in pods(documents):
        for container in pod.containers:
            if container.get("securityContext", {}).get("readOnlyRootFilesystem") is True:
                continue
            if not pod.annotations.get(
                f"gardenos.io/writable-root.{container['name']}", ""
            ).strip():
                yield f"{pod.owner}: {container['name']} may write to its root, and nothing says why"


def privileges_are_dropped(documents: Sequence[Document]) -> Iterator[str]:
    """As the Pod Security Standard `restricted` has it."""
    for pod in pods(documents):
        whole = pod.spec.get("securityContext", {})
        if whole.get("runAsNonRoot") is not True or not whole.get("runAsUser"):
            yield f"{pod.owner} may run as root"
        if whole.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{pod.owner} has no seccomp profile"
        for container in pod.containers:
            own = container.get("securityContext", {})
            if own.get("allowPrivilegeEscalation") is not False:
                yield f"{pod.owner}: {container['name']} may gain privileges"
            if own.get("capabilities", {}) != {"drop": ["ALL"]}:
                yield f"{pod.owner}: {container['name']} keeps capabilities"


def tokens_are_handed_out_on_purpose(documents: Sequence[Document]) -> Iterator[str]:
    """No pod gets a token by default; a projected one is mounted where it is known to be needed."""
    for pod in pods(documents):
        if pod.spec.get("automountServiceAccountToken") is not False:
            yield f"{pod.owner} gets the default token of its service account"
        with_token = {
            volume["name"]
            for volume in pod.spec.get("volumes", ())
            for source in volume.get("projected", {}).get("sources", ())
            if "serviceAccountToken" in source
        }
        if with_token and pod.spec.get("serviceAccountName", "default") == "default":
            yield f"{pod.owner} gets a token of the default service account"
        for container in pod.containers:
            mounts = {mount["name"] for mount in container.get("volumeMounts", ())}
            if with_token & mounts and (pod.owner, container["name"]) not in _TOKEN_READERS:
                yield f"{pod.owner}: {container['name']} gets a token"


def ports_are_in_a_policy(documents: Sequence[Document]) -> Iterator[str]:
    """Every port of a container is one that some NetworkPolicy lets somebody in at, by its name."""
    policies = of_kind(documents, "NetworkPolicy")
    for pod in pods(documents):
        let_in = {
            port["port"]
            for policy in policies
            if selects(policy["spec"]["podSelector"], pod.labels)
            for rule in policy["spec"].get("ingress", ())
            for port in rule.get("ports", ())
        }
        named = {port.get("name") for c in pod.containers for port in c.get("ports", ())}
        for name in sorted(str(name) for name in named - let_in):
            yield f"{pod.owner}: no NetworkPolicy names the port {name}"
        for name in sorted(str(name) for name in let_in - named):
            yield f"{pod.owner}: a NetworkPolicy lets in at {name}, which is no port of it"


def references_resolve(documents: Sequence[Document]) -> Iterator[str]:
    """Every ConfigMap and Secret that a pod names is there, with the keys it names."""
    known = {
        ("ConfigMap", d["metadata"]["name"]): set(d.get("data", ()))
        for d in of_kind(documents, "ConfigMap")
    }
    known |= {("ConfigMap", name): keys for name, keys in _PUBLISHED_BY_KUBERNETES.items()}
    known |= {
        ("Secret", d["metadata"]["name"]): {*d.get("data", ()), *d.get("stringData", ())}
        for d in of_kind(documents, "Secret")
    }
    for pod in pods(documents):
        for kind, name, keys in _references(pod):
            if (kind, name) not in known:
                yield f"{pod.owner}: there is no {kind} {name}"
            elif missing := sorted(keys - known[kind, name]):
                yield f"{pod.owner}: {kind} {name} has no key {', '.join(missing)}"


def _references(pod: Pod) -> Iterator[tuple[str, str, set[str]]]:
    for container in pod.containers:
        for variable in container.get("env", ()):
            for kind, ref in _named(variable.get("valueFrom", {}), "KeyRef"):
                yield kind, ref["name"], {ref["key"]}
        for source in container.get("envFrom", ()):
            for kind, ref in _named(source, "Ref"):
                yield kind, ref["name"], set()
    for volume in pod.spec.get("volumes", ()):
        for source in (volume, *volume.get("projected", {}).get("sources", ())):
            for kind, ref in _named(source, ""):
                keys = {item["key"] for item in ref.get("items", ())}
                yield kind, ref.get("name") or ref["secretName"], keys


def _named(source: Mapping[str, Any], suffix: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for kind, field in (("ConfigMap", f"configMap{suffix}"), ("Secret", f"secret{suffix}")):
        if field in source:
            yield kind, source[field]


def variables_are_known(documents: Sequence[Document]) -> Iterator[str]:
    """`$(NAME)` stands for a variable further up; otherwise Kubernetes leaves it as it is."""
    for pod in pods(documents):
        for container in pod.containers:
            known: set[str] = set()
            for variable in container.get("env", ()):
                unknown = set(_VARIABLE.findall(str(variable.get("value", "")))) - known
                if unknown:
                    yield f"{pod.owner}: {variable['name']} uses {', '.join(sorted(unknown))} unset"
                known.add(variable["name"])
            for word in (*container.get("command", ()), *container.get("args", ())):
                for name in sorted(set(_VARIABLE.findall(word)) - known):
                    yield f"{pod.owner}: {container['name']}'s command uses {name}, which is unset"


def mounts_have_volumes(documents: Sequence[Document]) -> Iterator[str]:
    claims = {
        f"StatefulSet/{d['metadata']['name']}": {
            claim["metadata"]["name"] for claim in d["spec"].get("volumeClaimTemplates", ())
        }
        for d in of_kind(documents, "StatefulSet")
    }
    for pod in pods(documents):
        there = {v["name"] for v in pod.spec.get("volumes", ())} | claims.get(pod.owner, set())
        for container in pod.containers:
            for mount in container.get("volumeMounts", ()):
                if mount["name"] not in there:
                    yield f"{pod.owner}: {container['name']} mounts {mount['name']}, which is no volume"


def selectors_find_pods(documents: Sequence[Document]) -> Iterator[str]:
    """Services and budgets select a pod, services by ports it has; owners find their own pods."""
    all_pods = list(pods(documents))
    services = {d["metadata"]["name"] for d in of_kind(documents, "Service")}
    for service in of_kind(documents, "Service"):
        name, selector = service["metadata"]["name"], service["spec"].get("selector")
        if selector is None:
            continue
        chosen = [pod for pod in all_pods if selector.items() <= pod.labels.items()]
        if len(chosen) != 1:
            yield f"Service/{name} selects {len(chosen)} workloads"
        for port in service["spec"]["ports"]:
            target = port.get("targetPort", port["port"])
            if any(pod.port(target) is None for pod in chosen):
                yield f"Service/{name} leads to the port {target}, which is none"
    for budget in of_kind(documents, "PodDisruptionBudget"):
        if not any(selects(budget["spec"]["selector"], pod.labels) for pod in all_pods):
            yield f"PodDisruptionBudget/{budget['metadata']['name']} selects nothing"
    for owner in of_kind(documents, "StatefulSet"):
        if owner["spec"]["serviceName"] not in services:
            yield f"StatefulSet/{owner['metadata']['name']} has no service of its own"


def replicas_stay_apart(documents: Sequence[Document]) -> Iterator[str]:
    """Never two of a kind on one node, spread over zones, and a drain takes one at a time."""
    for document in documents:
        if document.get("spec", {}).get("replicas", 1) < 2:
            continue
        (pod,) = pods([document])
        required = (
            pod.spec.get("affinity", {})
            .get("podAntiAffinity", {})
            .get("requiredDuringSchedulingIgnoredDuringExecution", ())
        )
        if not any(
            term["topologyKey"] == "kubernetes.io/hostname"
            and selects(term["labelSelector"], pod.labels)
            for term in required
        ):
            yield f"{pod.owner}: two of them may be on one node"
        spread = pod.spec.get("topologySpreadConstraints", ())
        if not any(one["topologyKey"] == "topology.kubernetes.io/zone" for one in spread):
            yield f"{pod.owner} is not spread over zones"
        budgets = of_kind(documents, "PodDisruptionBudget")
        if not any(
            budget["spec"].get("maxUnavailable") == 1
            and selects(budget["spec"]["selector"], pod.labels)
            for budget in budgets
        ):
            yield f"{pod.owner} has no PodDisruptionBudget of one"


EVERYWHERE: Sequence[Check] = (
    images_are_pinned,
    resources_are_named,
    containers_are_probed,
    roots_are_read_only,
    privileges_are_dropped,
    tokens_are_handed_out_on_purpose,
    ports_are_in_a_policy,
    references_resolve,
    variables_are_known,
    mounts_have_volumes,
    selectors_find_pods,
)
