"""The fake keeps the promises of the real API server that the sidecar leans on."""

from __future__ import annotations

import http.client
import json
from collections.abc import Generator
from typing import Any

import pytest

from gardenos.discovery.wire import Away, JsonClient
from tests.support.kube_api import KubeApi, Mode

PATH = "/apis/discovery.k8s.io/v1/namespaces/garden/endpointslices"


def slice_of(name: str, version: str = "", **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "garden"} | (
        {"resourceVersion": version} if version else {}
    )
    return {"kind": "EndpointSlice", "addressType": "IPv4", "metadata": metadata, **more}


@pytest.fixture
def client(api: KubeApi) -> Generator[JsonClient]:
    client = JsonClient(api.url, timeout_s=0.5)
    yield client
    client.close()


def test_every_write_anywhere_takes_the_next_version(client: JsonClient) -> None:
    versions = [
        int(client.request("POST", PATH, send=slice_of(name)).body["metadata"]["resourceVersion"])
        for name in ("a", "b", "c")
    ]
    assert versions == [versions[0], versions[0] + 1, versions[0] + 2]


def test_a_replacement_compares_the_version_only_if_it_names_one(client: JsonClient) -> None:
    first = client.request("POST", PATH, send=slice_of("a")).body["metadata"]["resourceVersion"]
    assert client.request("PUT", f"{PATH}/a", send=slice_of("a", first)).status == 200
    late = client.request("PUT", f"{PATH}/a", send=slice_of("a", first))
    assert (late.status, late.body["reason"]) == (409, "Conflict")
    assert client.request("PUT", f"{PATH}/a", send=slice_of("a")).status == 200


def test_creating_twice_conflicts_and_what_is_not_there_is_not_found(client: JsonClient) -> None:
    client.request("POST", PATH, send=slice_of("a"))
    assert client.request("POST", PATH, send=slice_of("a")).body["reason"] == "AlreadyExists"
    assert client.request("GET", f"{PATH}/b").body["reason"] == "NotFound"
    assert client.request("PUT", f"{PATH}/b", send=slice_of("b")).status == 404


def test_the_family_of_addresses_cannot_change(client: JsonClient) -> None:
    client.request("POST", PATH, send=slice_of("a"))
    changed = slice_of("a") | {"addressType": "IPv6"}
    assert client.request("PUT", f"{PATH}/a", send=changed).status == 422


def test_a_merge_patch_replaces_lists_and_removes_nulls(client: JsonClient) -> None:
    client.request("POST", PATH, send=slice_of("a", ports=[1], note="x"))
    patched = client.request("PATCH", f"{PATH}/a", send={"ports": [2], "note": None}).body
    assert patched["ports"] == [2]
    assert "note" not in patched


def test_a_watch_tells_of_every_change_after_a_version(api: KubeApi, client: JsonClient) -> None:
    before = api.objects.version
    client.request("POST", PATH, send=slice_of("a"))
    client.request("PUT", f"{PATH}/a", send=slice_of("a"))
    client.request("DELETE", f"{PATH}/a")
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=5)
    connection.request("GET", f"{PATH}?watch=1&resourceVersion={before}")
    response = connection.getresponse()
    events = [json.loads(response.readline()) for _ in range(3)]
    assert [event["type"] for event in events] == ["ADDED", "MODIFIED", "DELETED"]
    response.close()
    connection.close()


def test_only_the_right_token_is_let_in(api: KubeApi, client: JsonClient) -> None:
    api.token = "t"
    assert client.request("GET", PATH).status == 401
    assert client.request("GET", PATH, headers={"Authorization": "Bearer t"}).status == 200


@pytest.mark.parametrize("mode", ["hang", "slow"])
def test_it_can_keep_a_client_waiting_and_recover(
    api: KubeApi, client: JsonClient, mode: Mode
) -> None:
    api.fault(mode)
    with pytest.raises(Away, match=r"does not answer within 0\.5 s"):
        client.request("GET", PATH)
    api.fault("ok")
    assert client.request("GET", PATH).status == 200


def test_it_can_do_what_it_is_asked_and_lose_the_answer(api: KubeApi, client: JsonClient) -> None:
    assert client.request("POST", "/_fault", send={"mode": "lose"}).ok
    with pytest.raises(Away):
        client.request("POST", PATH, send=slice_of("a"), again=False)
    assert api.slice("a") is not None
