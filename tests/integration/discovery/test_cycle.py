"""Sidecars cycle by cycle between a real etcd, Patroni as told, and the API server."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

from gardenos.discovery.cycle import Sidecar
from gardenos.discovery.figures import Figures
from gardenos.discovery.files import FileStore
from gardenos.discovery.slices import Foreign, Slice, parse
from gardenos.discovery.store import SliceStore
from tests.support.discovery import FakePatroni, RunningEtcd, member_of
from tests.support.kube_api import KubeApi

Patronis = dict[str, FakePatroni]
MakeSidecar = Callable[..., Sidecar]


class Clock(Protocol):
    def advance(self, seconds: float) -> None: ...


def published(api: KubeApi, service: str = "postgres-primary") -> Slice:
    document = api.slice(service)
    assert document is not None
    seen = parse(service, document)
    assert isinstance(seen, Slice)
    return seen


def ready(api: KubeApi) -> dict[str, bool]:
    return {e.member: e.ready for e in published(api).endpoints}


def lead(name: str, patronis: Patronis, etcd: RunningEtcd, **more: Any) -> int:
    """Let one member lead and the others follow; the term."""
    for patroni in patronis.values():
        patroni.follow()
    patronis[name].lead(**more)
    return etcd.elect(name)


def test_the_leader_publishes_itself_with_term_timeline_and_system(
    make_sidecar: MakeSidecar, patronis: Patronis, etcd: RunningEtcd, api: KubeApi
) -> None:
    term = lead("pg1", patronis, etcd, timeline=4)
    pg1, pg2 = make_sidecar("pg1"), make_sidecar("pg2")
    pg2.run()
    assert pg1.run().sentence == (
        "Published postgres-primary: pg1 at 10.0.0.1:5432 under "
        f"term {term}, timeline 4, for the first time."
    )
    seen = published(api)
    assert (seen.holder, seen.term, seen.timeline) == ("pg1", term, 4)
    assert ready(api) == {"pg1": True}
    assert pg1.run().sentence.startswith("postgres-primary says pg1 at 10.0.0.1:5432")
    assert pg2.run().sentence.startswith("pg2 is not the primary")


def test_what_already_says_so_is_not_written_again(
    make_sidecar: MakeSidecar, patronis: Patronis, etcd: RunningEtcd, api: KubeApi
) -> None:
    lead("pg1", patronis, etcd)
    pg1 = make_sidecar("pg1")
    pg1.run()
    version = published(api).version
    for _ in range(5):
        pg1.run()
    make_sidecar("pg1").run()  # after a restart
    assert published(api).version == version


def test_a_failover_moves_the_slice_to_the_new_leader(
    make_sidecar: MakeSidecar, patronis: Patronis, etcd: RunningEtcd, api: KubeApi
) -> None:
    lead("pg1", patronis, etcd)
    pg1, pg2 = make_sidecar("pg1"), make_sidecar("pg2")
    pg1.run()
    term = lead("pg2", patronis, etcd, timeline=2)
    assert "after pg1 under term" in pg2.run().sentence
    assert (published(api).holder, published(api).term) == ("pg2", term)
    for _ in range(3):
        assert "Withdrew" not in pg1.run().sentence
    assert ready(api) == {"pg2": True}


def test_nothing_is_published_during_a_promotion(
    make_sidecar: MakeSidecar, patronis: Patronis, etcd: RunningEtcd, api: KubeApi
) -> None:
    etcd.elect("pg1")
    pg1 = make_sidecar("pg1")
    for role, state in (("replica", "running"), ("primary", "starting")):
        patronis["pg1"].lead(role=role, state=state)
        done = pg1.run()
        assert done.soon
        assert api.slice("postgres-primary") is None
    patronis["pg1"].lead()
    assert pg1.run().sentence.startswith("Published")


@pytest.mark.parametrize("named", ["pg2", None])
def test_patroni_alone_is_not_enough(
    make_sidecar: MakeSidecar,
    patronis: Patronis,
    etcd: RunningEtcd,
    api: KubeApi,
    named: str | None,
) -> None:
    if named:
        etcd.elect(named)
    patronis["pg1"].lead()
    make_sidecar("pg1").run()
    assert api.slice("postgres-primary") is None


def test_a_leader_that_etcd_no_longer_names_withdraws_although_its_patroni_has_not_noticed(
    make_sidecar: MakeSidecar, patronis: Patronis, etcd: RunningEtcd, api: KubeApi
) -> None:
    lead("pg1", patronis, etcd)
    pg1 = make_sidecar("pg1")
    pg1.run()
    etcd.elect("pg2")
    assert "Withdrew postgres-primary: etcd says that pg2 leads" in pg1.run().sentence
    assert ready(api) == {"pg1": False}


def test_two_503s_withdraw_and_one_does_not(
    make_sidecar: MakeSidecar, patronis: Patronis, etcd: RunningEtcd, api: KubeApi
) -> None:
    term = lead("pg1", patronis, etcd)
    pg1 = make_sidecar("pg1")
    pg1.run()
    patronis["pg1"].follow()
    pg1.run()
    assert ready(api) == {"pg1": True}
    assert pg1.run().sentence == "Withdrew postgres-primary: pg1 is not the primary."
    assert ready(api) == {"pg1": False}
    assert published(api).term == term
    patronis["pg1"].lead()
    pg1.run()
    assert ready(api) == {"pg1": True}


def test_503s_with_an_answer_between_them_are_not_two_in_a_row(
    make_sidecar: MakeSidecar, patronis: Patronis, etcd: RunningEtcd, api: KubeApi
) -> None:
    lead("pg1", patronis, etcd)
    pg1 = make_sidecar("pg1")
    for _ in range(3):
        patronis["pg1"].lead()
        pg1.run()
        patronis["pg1"].follow()
        pg1.run()
    assert ready(api) == {"pg1": True}


def test_silence_withdraws_only_after_the_ttl(
    make_sidecar: MakeSidecar, patronis: Patronis, etcd: RunningEtcd, api: KubeApi, clock: Clock
) -> None:
    lead("pg1", patronis, etcd)
    pg1 = make_sidecar("pg1")
    pg1.run()
    patronis["pg1"].stop()
    clock.advance(19.0)
    assert pg1.run().sentence.startswith("Patroni is silent")
    assert ready(api) == {"pg1": True}
    clock.advance(2.0)
    assert pg1.run().sentence.startswith("Withdrew postgres-primary: Patroni is silent for more")
    assert ready(api) == {"pg1": False}


def test_a_patroni_that_hangs_is_silent_too(
    make_sidecar: MakeSidecar, patronis: Patronis, etcd: RunningEtcd, api: KubeApi
) -> None:
    lead("pg1", patronis, etcd)
    pg1 = make_sidecar("pg1")
    pg1.run()
    patronis["pg1"].speaks.clear()
    assert "does not answer within 0.5 s" in pg1.run().sentence
    patronis["pg1"].speaks.set()
    assert "says pg1" in pg1.run().sentence


def test_without_etcd_what_is_published_stays_and_nothing_new_is(
    make_sidecar: MakeSidecar, patronis: Patronis, etcd: RunningEtcd, api: KubeApi
) -> None:
    lead("pg1", patronis, etcd)
    figures = Figures()
    pg1, pg2 = make_sidecar("pg1", figures=figures), make_sidecar("pg2")
    pg1.run()
    before = published(api).version
    with etcd.stopped():
        assert pg1.run().sentence.startswith("etcd does not say who leads")
        assert figures.get("etcd_up") == 0
        patronis["pg2"].lead()
        pg2.run()
    assert published(api).version == before


def test_another_database_system_is_refused(
    make_sidecar: MakeSidecar, patronis: Patronis, etcd: RunningEtcd, api: KubeApi
) -> None:
    lead("pg1", patronis, etcd)
    make_sidecar("pg1").run()
    before = published(api).version
    lead("pg2", patronis, etcd, database_system_identifier="999")
    done = make_sidecar("pg2").run()
    assert done.warns
    assert "belongs to the database system" in done.sentence
    assert published(api).version == before


def test_an_etcd_that_went_back_in_time_is_refused_until_the_slice_is_deleted(
    make_sidecar: MakeSidecar, patronis: Patronis, etcd: RunningEtcd, api: KubeApi
) -> None:
    lead("pg1", patronis, etcd)
    make_sidecar("pg1").run()
    key = "apis/discovery.k8s.io/v1/namespaces/garden/endpointslices/postgres-primary"
    annotation = {"metadata": {"annotations": {"discovery.gardenos/term": "999999"}}}
    api.objects.patch(key, annotation)
    lead("pg2", patronis, etcd)
    pg2 = make_sidecar("pg2")
    assert "If etcd was restored or replaced, delete the slice." in pg2.run().sentence
    api.objects.delete(key)
    assert pg2.run().sentence.startswith("Published")


def test_a_slice_someone_else_made_is_left_alone(
    make_sidecar: MakeSidecar, patronis: Patronis, etcd: RunningEtcd, api: KubeApi
) -> None:
    key = "apis/discovery.k8s.io/v1/namespaces/garden/endpointslices/postgres-primary"
    made = api.objects.create(key, {"metadata": {"name": "postgres-primary"}, "endpoints": []})
    lead("pg1", patronis, etcd)
    assert "a slice postgres-primary that is not ours" in make_sidecar("pg1").run().sentence
    assert api.slice("postgres-primary") == made


def test_the_wrong_patroni_is_refused(
    make_sidecar: MakeSidecar, patronis: Patronis, etcd: RunningEtcd, api: KubeApi
) -> None:
    lead("pg1", patronis, etcd)
    patronis["pg1"].body["patroni"]["name"] = "pg9"
    assert "This Patroni is pg9 of garden" in make_sidecar("pg1").run().sentence
    assert api.slice("postgres-primary") is None


def test_the_leader_publishes_the_replicas_that_stream(
    make_sidecar: MakeSidecar,
    patronis: Patronis,
    etcd: RunningEtcd,
    api: KubeApi,
    clock: Clock,
) -> None:
    term = lead("pg1", patronis, etcd)
    patronis["pg1"].members = [
        member_of("pg1", "10.0.0.1", role="leader"),
        member_of("pg2", "10.0.0.2", role="quorum_standby"),
        member_of("pg3", "10.0.0.3", state="stopped"),
    ]
    pg1 = make_sidecar("pg1")
    sentence = pg1.run().sentence
    assert "Published postgres-replicas: pg2 at 10.0.0.2:5432" in sentence
    assert "Left out: pg3 (stopped, not streaming)." in sentence
    seen = published(api, "postgres-replicas")
    assert (seen.holder, seen.term) == ("pg1", term)
    patronis["pg1"].members[1:] = []
    pg1.run()
    assert published(api, "postgres-replicas").endpoints, "the next look is not due yet"
    clock.advance(3.0)
    pg1.run()
    assert published(api, "postgres-replicas").endpoints == ()


def test_a_member_that_does_not_lead_leaves_the_replicas_to_the_leader(
    make_sidecar: MakeSidecar, patronis: Patronis, etcd: RunningEtcd, api: KubeApi
) -> None:
    lead("pg1", patronis, etcd)
    patronis["pg2"].members = [member_of("pg2", "10.0.0.2")]
    pg2 = make_sidecar("pg2")
    for _ in range(3):
        pg2.run()
    assert api.slice("postgres-replicas") is None
    assert "/cluster" not in patronis["pg2"].requests


def test_a_member_that_neither_leads_nor_holds_the_slice_leaves_the_api_server_alone(
    make_sidecar: MakeSidecar, patronis: Patronis, etcd: RunningEtcd, api: KubeApi
) -> None:
    lead("pg1", patronis, etcd)
    make_sidecar("pg1").run()
    pg2 = make_sidecar("pg2")
    pg2.run()
    asked = len(api.requests)
    for _ in range(10):
        pg2.run()
    assert len(api.requests) == asked


def test_the_figures_say_who_leads_under_which_term(
    make_sidecar: MakeSidecar, patronis: Patronis, etcd: RunningEtcd
) -> None:
    term = lead("pg1", patronis, etcd, timeline=6)
    figures = Figures()
    pg1 = make_sidecar("pg1", figures=figures)
    pg1.run()
    assert (figures.get("leads"), figures.get("term"), figures.get("timeline")) == (1, term, 6)
    patronis["pg1"].follow()
    pg1.run()
    pg1.run()
    assert figures.get("leads") == 0
    text = figures.render()
    assert 'gardenos_discovery_actions_total{slice="primary",action="publish"} 1' in text
    assert 'gardenos_discovery_actions_total{slice="primary",action="withdraw"} 1' in text
    assert figures.get("resident_memory_bytes") > 1_000_000


def test_the_same_holds_for_slices_in_files(
    make_sidecar: MakeSidecar, patronis: Patronis, etcd: RunningEtcd, tmp_path: Path
) -> None:
    store: SliceStore = FileStore(tmp_path)
    pg1, pg2 = (make_sidecar(name, store=FileStore(tmp_path)) for name in patronis)
    lead("pg1", patronis, etcd)
    pg1.run()
    term = lead("pg2", patronis, etcd)
    pg2.run()
    pg1.run()
    pg1.run()
    seen = store.read("postgres-primary")
    assert isinstance(seen, Slice)
    assert not isinstance(seen, Foreign)
    assert (seen.holder, seen.term, seen.version) == ("pg2", term, "2")
