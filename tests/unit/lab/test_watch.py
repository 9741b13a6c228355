from __future__ import annotations

from typing import Any

from gardenos.lab import watch
from gardenos.lab.watch import Member

METRICS = """\
# HELP haproxy_server_status Current status of the service
haproxy_server_status{proxy="postgres-primary",server="pg1",state="DOWN"} 1
haproxy_server_status{proxy="postgres-primary",server="pg2",state="UP"} 1
haproxy_server_status{proxy="postgres-primary",server="pg3",state="UP"} 0
haproxy_server_status{proxy="postgres-replicas",server="pg3",state="UP"} 1
"""


def cluster(*members: dict[str, Any]) -> list[Member]:
    return watch.read_cluster({"members": list(members)})


def leader(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "role": "leader", "state": "running", "timeline": 3, **more}


def standby(name: str, **more: Any) -> dict[str, Any]:
    known = {"name": name, "role": "quorum_standby", "state": "streaming", "timeline": 3, "lag": 0}
    return known | more


def test_a_leader_and_two_that_follow_are_well() -> None:
    found = cluster(leader("pg2"), standby("pg1"), standby("pg3"))
    assert watch.all_well(found)
    assert watch.leader(found) == "pg2"
    assert watch.synchronous(found)


def test_a_member_that_nobody_knows_of_is_gone() -> None:
    found = cluster(leader("pg2"), standby("pg1"))
    assert found[2] == Member("pg3")
    assert not watch.all_well(found)


def test_a_replica_that_lags_or_is_on_another_timeline_is_not_well() -> None:
    assert not watch.all_well(cluster(leader("pg1"), standby("pg2", lag=16), standby("pg3")))
    assert not watch.all_well(cluster(leader("pg1"), standby("pg2", timeline=2), standby("pg3")))
    assert not watch.all_well(cluster(leader("pg1"), standby("pg2", lag="unknown"), standby("pg3")))


def test_without_a_running_leader_nobody_leads() -> None:
    found = cluster(leader("pg1", state="crashed"), standby("pg2"), standby("pg3"))
    assert watch.leader(found) is None
    assert not watch.all_well(found)


def test_replicas_nobody_waits_for_are_told_from_those_a_commit_waits_for() -> None:
    asynchronous = cluster(leader("pg1"), standby("pg2", role="replica"))
    assert not watch.synchronous(asynchronous)


def test_haproxys_metrics_say_which_servers_are_up() -> None:
    assert watch.read_servers(METRICS) == {
        "postgres-primary": ["pg2"],
        "postgres-replicas": ["pg3"],
    }
