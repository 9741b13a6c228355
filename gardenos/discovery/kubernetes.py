"""Slices in the Kubernetes API, under a service account that may get, create and update them."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from gardenos.discovery.slices import API_VERSION, Foreign, Slice, parse, render
from gardenos.discovery.store import Conflict, StoreAway, now
from gardenos.discovery.wire import Answer, Away, JsonClient

_HINTS: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "The token is not accepted: check --api-token and its audience.",
    HTTPStatus.FORBIDDEN: "The service account needs get, create and update on endpointslices.",
    HTTPStatus.NOT_FOUND: "Check --namespace and --api-url.",
}


class KubernetesStore:
    """One namespace's slices."""

    def __init__(self, client: JsonClient, *, namespace: str, token: Path | None) -> None:
        self._client = client
        self._namespace = namespace
        self._token = token
        self._path = f"/apis/{API_VERSION}/namespaces/{namespace}/endpointslices"

    def read(self, service: str) -> Slice | Foreign | None:
        """The slice of a service, as the API has it now: no cache in between."""
        answer = self._request("GET", f"{self._path}/{service}")
        if answer.status == HTTPStatus.NOT_FOUND and answer.body.get("reason") == "NotFound":
            return None
        if not answer.ok or not answer.body.get("metadata"):
            raise StoreAway(_complaint(answer))
        return parse(service, answer.body)

    def write(self, wanted: Slice) -> None:
        """Create it, or replace the version that was read."""
        document = render(wanted, namespace=self._namespace, at=now())
        if wanted.version:
            answer = self._request("PUT", f"{self._path}/{wanted.service}", document)
        else:
            answer = self._request("POST", self._path, document)
        # A slice deleted between read and write is a 404: that, too, has to be seen again.
        gone = bool(wanted.version) and answer.status == HTTPStatus.NOT_FOUND
        if answer.status == HTTPStatus.CONFLICT or gone:
            raise Conflict(str(answer.body.get("message") or "the slice has changed"))
        if not answer.ok:
            raise StoreAway(_complaint(answer))

    def close(self) -> None:
        """Drop the connection."""
        self._client.close()

    def _request(self, method: str, path: str, send: dict[str, Any] | None = None) -> Answer:
        headers: dict[str, str] = {"Accept": "application/json"}
        try:
            if self._token is not None:
                # Read every time: the kubelet replaces a projected token before it runs out.
                token = self._token.read_text(encoding="ascii").strip()
                headers["Authorization"] = f"Bearer {token}"
            # A write whose answer is lost may have happened: the next cycle sees whether.
            return self._client.request(
                method, path, send=send, headers=headers, again=method == "GET"
            )
        except Away as away:
            raise StoreAway(f"the API server does not answer: {away}") from away
        except (OSError, ValueError) as error:
            raise StoreAway(f"the token {self._token} cannot be read: {error}") from error


def _complaint(answer: Answer) -> str:
    message = answer.body.get("message") or "no reason given"
    hint = _HINTS.get(answer.status)
    return f"the API server answers {answer.status}: {message}" + (f" {hint}" if hint else "")
