"""The manifests as Kubernetes would get them, and the pods they would make."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

import yaml

ROOT = Path(__file__).parents[2]
K8S = ROOT / "k8s"
OVERLAYS = sorted(path.parent.name for path in (K8S / "overlays").glob("*/kustomization.yaml"))
KUBECTL = Path(sys.executable).with_name("kubectl")

Document: TypeAlias = dict[str, Any]


class NoRepeatedKeys(yaml.SafeLoader):
    """YAML as its standard has it: a key that comes twice is an error, not the last one's."""


def _mapping(loader: NoRepeatedKeys, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key) for key, _ in node.value]
    repeated = {key for key in keys if keys.count(key) > 1}
    if repeated:
        raise yaml.constructor.ConstructorError(
            None, None, f"{sorted(repeated)} come twice", node.start_mark
        )
    return loader.construct_mapping(node, deep=True)


NoRepeatedKeys.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def render(folder: Path) -> list[Document]:
    """What `kubectl kustomize` makes of a folder."""
    done = subprocess.run(
        [KUBECTL, "kustomize", folder], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


@cache
def overlay(name: str) -> tuple[Document, ...]:
    """What an overlay renders to. Copy it before changing it."""
    return tuple(render(K8S / "overlays" / name))


def example_secrets() -> list[Document]:
    """The secrets that `k8s/secrets/generate` and the operator make, without their values."""
    return list(yaml.safe_load_all((K8S / "secrets" / "example.yaml").read_text("utf-8")))


def named(documents: Sequence[Document], kind: str, name: str) -> Document:
    """The one document of that kind and name."""
    (found,) = (d for d in documents if d["kind"] == kind and d["metadata"]["name"] == name)
    return found


def of_kind(documents: Sequence[Document], kind: str) -> list[Document]:
    return [document for document in documents if document["kind"] == kind]


@dataclass(frozen=True)
class Pod:
    """A workload's template."""

    owner: str
    """`Kind/name` of the workload."""
    metadata: Document
    spec: Document

    @property
    def labels(self) -> Mapping[str, str]:
        return self.metadata.get("labels", {})

    @property
    def annotations(self) -> Mapping[str, str]:
        return self.metadata.get("annotations", {})

    @property
    def containers(self) -> list[Document]:
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]

    def port(self, name_or_number: str | int) -> int | None:
        """The number of a port of this pod; None where it has none of that name."""
        for container in self.containers:
            for port in container.get("ports", ()):
                if name_or_number in (port.get("name"), port["containerPort"]):
                    return port["containerPort"]
        return None


def pods(documents: Sequence[Document]) -> Iterator[Pod]:
    """The templates of every workload."""
    for document in documents:
        template = document.get("spec", {}).get("template")
        if document["kind"] == "CronJob":
            template = document["spec"]["jobTemplate"]["spec"]["template"]
        if template:
            owner = f"{document['kind']}/{document['metadata']['name']}"
            yield Pod(owner, template["metadata"], template["spec"])


def container(documents: Sequence[Document], owner: str, name: str) -> Document:
    """One container of one workload."""
    (pod,) = (pod for pod in pods(documents) if pod.owner == owner)
    (found,) = (c for c in pod.containers if c["name"] == name)
    return found


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a selector of `matchLabels` takes these labels; an empty one takes all."""
    if selector is None:
        return False
    assert set(selector) <= {"matchLabels"}, f"these checks know matchLabels only: {selector}"
    return selector.get("matchLabels", {}).items() <= labels.items()


def environment(container: Document, documents: Sequence[Document]) -> dict[str, str]:
    """A container's variables with `$(NAME)` filled in, as the kubelet does; fields stay `<path>`."""
    made: dict[str, str] = {}
    for variable in container.get("env", ()):
        source = variable.get("valueFrom", {})
        if "configMapKeyRef" in source:
            ref = source["configMapKeyRef"]
            value = named(documents, "ConfigMap", ref["name"])["data"][ref["key"]]
        elif "secretKeyRef" in source:
            value = f"<{source['secretKeyRef']['key']}>"
        elif "fieldRef" in source:
            value = f"<{source['fieldRef']['fieldPath']}>"
        else:
            value = str(variable["value"])
            for name, known in made.items():
                value = value.replace(f"$({name})", known)
        made[variable["name"]] = value
    return made
