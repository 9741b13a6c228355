from __future__ import annotations

from typing import Any

import pytest

from gardenos.discovery.evidence import Denied, Primary, Silent, Stranger, Unready
from gardenos.discovery.patroni import LAG_BYTES, read_answer, read_replicas
from gardenos.discovery.slices import Endpoint
from gardenos.discovery.wire import Answer
from tests.support.discovery import SYSTEM_ID, member_of, status_of


def said(status: int, body: dict[str, Any]) -> object:
    return read_answer(Answer(status, body), name="pg1", scope="garden")


def test_200_and_a_running_primary_is_a_primary() -> None:
    assert said(200, status_of("pg1", timeline=4)) == Primary(4, SYSTEM_ID)


@pytest.mark.parametrize(
    ("role", "state"),
    [
        ("replica", "running"),  # the lock is taken, the promotion is not over
        ("primary", "starting"),  # a crashed leader comes back
        ("primary", "restarting"),
        ("primary", "stopping"),
        ("primary", "unknown"),  # it could not ask PostgreSQL
        ("promoted", "running"),
        ("standby_leader", "running"),
    ],
)
def test_200_with_any_other_role_or_state_is_no_primary_yet(role: str, state: str) -> None:
    assert isinstance(said(200, status_of("pg1", role=role, state=state)), Unready)


def test_a_primary_that_does_not_know_its_system_is_no_primary_yet() -> None:
    body = status_of("pg1")
    del body["database_system_identifier"]
    assert isinstance(said(200, body), Unready)
    body = status_of("pg1")
    del body["timeline"]
    assert isinstance(said(200, body), Unready)


@pytest.mark.parametrize("role", ["primary", "replica"])
def test_a_503_denies_whatever_its_body_says(role: str) -> None:
    assert said(503, status_of("pg1", role=role)) == Denied(SYSTEM_ID)


@pytest.mark.parametrize("status", [200, 404, 500, 502, 503])
def test_what_is_no_answer_of_patronis_counts_as_silence(status: int) -> None:
    assert isinstance(said(status, {}), Silent)


def test_an_error_with_a_body_is_silence_too() -> None:
    assert isinstance(said(500, status_of("pg1")), Silent)


def test_another_members_patroni_is_a_stranger() -> None:
    stranger = said(200, status_of("pg2"))
    assert isinstance(stranger, Stranger)
    assert "pg2 of garden" in stranger.why
    assert "--member" in stranger.why


def fit(*members: dict[str, Any], port: int = 5432) -> tuple[tuple[Endpoint, ...], tuple[str, ...]]:
    found = read_replicas({"members": list(members)}, port=port, like="10.0.0.1")
    return found.fit, found.left_out


@pytest.mark.parametrize("role", ["replica", "sync_standby", "quorum_standby"])
def test_a_replica_that_streams_and_keeps_up_is_read_from(role: str) -> None:
    assert fit(member_of("pg2", "10.0.0.2", role=role)) == ((Endpoint("pg2", "10.0.0.2"),), ())


def test_replicas_stand_in_the_order_of_their_names_and_the_leader_is_none() -> None:
    found, left_out = fit(
        member_of("pg3", "10.0.0.3"),
        member_of("pg1", "10.0.0.1", role="leader"),
        member_of("pg2", "10.0.0.2"),
    )
    assert [endpoint.member for endpoint in found] == ["pg2", "pg3"]
    assert left_out == ()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"state": "running"}, "pg2 (running, not streaming)"),
        ({"state": "in archive recovery"}, "pg2 (in archive recovery, not streaming)"),
        ({"state": "stopped"}, "pg2 (stopped, not streaming)"),
        ({"lag": LAG_BYTES + 1}, "pg2 (16777217 bytes behind)"),
        ({"lag": "unknown"}, "pg2 (unknown bytes behind)"),
        ({"port": 6432}, "pg2 (on port 6432, not 5432)"),
        ({"host": "pg2.garden.svc"}, "pg2 (pg2.garden.svc is no IPv4)"),
        ({"host": "fd00::2"}, "pg2 (fd00::2 is no IPv4)"),
        ({"tags": {"noloadbalance": True}}, "pg2 (tagged noloadbalance)"),
    ],
)
def test_any_other_replica_is_left_out_with_a_reason(change: dict[str, Any], why: str) -> None:
    assert fit(member_of("pg2", "10.0.0.2") | change) == ((), (why,))


def test_a_lag_at_the_limit_is_allowed() -> None:
    found, _ = fit(member_of("pg2", "10.0.0.2", lag=LAG_BYTES))
    assert found
