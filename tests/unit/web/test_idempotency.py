from __future__ import annotations

import pytest
from fastapi import Request

from gardenos.web.idempotency import fingerprint


def request(method: str = "POST", path: str = "/v1/leads") -> Request:
    return Request({"type": "http", "method": method, "path": path, "headers": []})


def test_the_same_request_has_the_same_fingerprint() -> None:
    assert fingerprint(request(), b"a", b"b") == fingerprint(request(), b"a", b"b")
    assert len(fingerprint(request())) == 32


@pytest.mark.parametrize(
    "other",
    [
        fingerprint(request("PUT"), b"a", b"b"),
        fingerprint(request(path="/v1/imports"), b"a", b"b"),
        fingerprint(request(), b"ab"),
        fingerprint(request(), b"ab", b""),
        fingerprint(request(), b"", b"ab"),
        fingerprint(request(), b"b", b"a"),
        fingerprint(request(), b"a", b"b", b""),
    ],
)
def test_another_method_path_or_body_has_another_fingerprint(other: bytes) -> None:
    assert fingerprint(request(), b"a", b"b") != other
