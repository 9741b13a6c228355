from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gardenos.discovery.decide import (
    Action,
    Keep,
    Publish,
    Refuse,
    Withdraw,
    decide,
    decide_replicas,
)
from gardenos.discovery.evidence import (
    Absent,
    Denied,
    EtcdSaid,
    Leader,
    Member,
    Nobody,
    Observation,
    PatroniSaid,
    Primary,
    Silent,
    SliceSeen,
    Stranger,
    Unknown,
    Unread,
    Unready,
)
from gardenos.discovery.slices import Endpoint, Foreign, Slice

SERVICE = "postgres-primary"
ME = Member("pg1", "10.0.0.1", 5432)
TERM = 50
PRIMARY = Primary(timeline=3, system_id="one")
MINE = Slice(
    SERVICE, "pg1", TERM, 3, "one", 5432, (Endpoint("pg1", "10.0.0.1"),), "7", {"kind": "x"}
)
THEIRS = replace(MINE, holder="pg2", endpoints=(Endpoint("pg2", "10.0.0.2"),))
WITHDRAWN = replace(MINE, endpoints=(Endpoint("pg1", "10.0.0.1", ready=False),))

SLICES: dict[str, SliceSeen] = {
    "absent": Absent(),
    "unread": Unread("the API server is away"),
    "foreign": Foreign("it is managed by hand"),
    "vacant": Slice(SERVICE, version="7"),
    "mine": MINE,
    "mine, withdrawn": WITHDRAWN,
    "mine, old term": replace(MINE, term=TERM - 1),
    "mine, old timeline": replace(MINE, timeline=2),
    "mine, old address": replace(MINE, endpoints=(Endpoint("pg1", "10.0.0.9"),)),
    "mine, old port": replace(MINE, port=6432),
    "mine, later term": replace(MINE, term=TERM + 1),
    "mine, other system": replace(MINE, system_id="two"),
    "theirs, old term": replace(THEIRS, term=TERM - 1),
    "theirs, same term": THEIRS,
    "theirs, later term": replace(THEIRS, term=TERM + 1),
    "theirs, old term, other system": replace(THEIRS, term=TERM - 1, system_id="two"),
}
ETCD: dict[str, EtcdSaid] = {
    "me": Leader("pg1", TERM),
    "another": Leader("pg2", TERM + 1),
    "nobody": Nobody(),
    "unknown": Unknown("no majority"),
}
PATRONI: dict[str, tuple[PatroniSaid, int, float]] = {
    "primary": (PRIMARY, 0, 0.0),
    "unready": (Unready("PostgreSQL is starting, as primary"), 0, 0.0),
    "one 503": (Denied("one"), 1, 0.0),
    "two 503s": (Denied("one"), 2, 0.0),
    "ten 503s": (Denied(), 10, 0.0),
    "silent": (Silent("no answer"), 1, 20.0),
    "silent for long": (Silent("no answer"), 1, 20.1),
    "stranger": (Stranger("This Patroni is pg3."), 0, 0.0),
}
LETTERS: dict[str, type[Action]] = {"P": Publish, "W": Withdraw, "k": Keep, "R": Refuse}

# A column per slice, in the order of SLICES. Rows that say `any` hold whatever etcd says.
#                                  mine ......................... theirs .........
#                      ab un fo va ok wi te ti ad po la sy        ol sa la sy
TABLE = {
    ("primary", "me"): "P  k  R  P  k  P  P  P  P  P  R  R        P  R  R  R",
    ("primary", "another"): "k  k  k  k  W  k  W  W  W  W  W  R   k  k  k  k",
    ("primary", "nobody"): "k  k  k  k  k  k  k  k  k  k  k  k    k  k  k  k",
    ("primary", "unknown"): "k  k  k  k  k  k  k  k  k  k  k  k   k  k  k  k",
    ("unready", "any"): "k  k  k  k  k  k  k  k  k  k  k  k       k  k  k  k",
    ("one 503", "any"): "k  k  k  k  k  k  k  k  k  k  k  k       k  k  k  k",
    ("two 503s", "any"): "k  k  k  k  W  k  W  W  W  W  W  R      k  k  k  k",
    ("ten 503s", "any"): "k  k  k  k  W  k  W  W  W  W  W  W      k  k  k  k",
    ("silent", "any"): "k  k  k  k  k  k  k  k  k  k  k  k        k  k  k  k",
    ("silent for long", "any"): "k  k  k  k  W  k  W  W  W  W  W  W  k  k  k  k",
    ("stranger", "any"): "R  R  R  R  R  R  R  R  R  R  R  R      R  R  R  R",
}
CASES = [
    (patroni, etcd, seen, LETTERS[letter])
    for (patroni, said), row in TABLE.items()
    for etcd in (ETCD if said == "any" else [said])
    for seen, letter in zip(SLICES, row.split(), strict=True)
]


def observation(patroni: str, etcd: str, seen: SliceSeen) -> Observation:
    said, denials, silent_s = PATRONI[patroni]
    return Observation(ME, SERVICE, said, ETCD[etcd], seen, denials, silent_s, ttl_s=20.0)


def test_the_table_has_a_cell_for_every_combination() -> None:
    assert len({case[:3] for case in CASES}) == len(PATRONI) * len(ETCD) * len(SLICES)


@pytest.mark.parametrize(("patroni", "etcd", "seen", "expected"), CASES)
def test_the_truth_table(patroni: str, etcd: str, seen: str, expected: type[Action]) -> None:
    action = decide(observation(patroni, etcd, SLICES[seen]))
    assert type(action) is expected, action
    match action:
        case Publish(wanted):
            assert wanted == MINE
        case Withdraw(wanted):
            assert not any(endpoint.ready for endpoint in wanted.endpoints)
        case Keep() as keep:
            assert keep.leads == ((patroni, etcd, seen) == ("primary", "me", "mine"))
        case Refuse():
            pass


@pytest.mark.parametrize(("patroni", "etcd", "seen", "expected"), CASES)
def test_every_action_says_why(patroni: str, etcd: str, seen: str, expected: type[Action]) -> None:
    why = decide(observation(patroni, etcd, SLICES[seen])).why
    assert len(why) > 10
    assert "  " not in why
    if expected is Refuse:
        assert why.endswith(".")
        assert any(word in why for word in ("delete", "Delete", "This Patroni"))


@pytest.mark.parametrize("seen", [name for name, seen in SLICES.items() if isinstance(seen, Slice)])
@pytest.mark.parametrize(("patroni", "etcd"), [("primary", "me"), ("two 503s", "unknown")])
def test_a_write_compares_the_version_that_was_read_and_keeps_what_others_added(
    patroni: str, etcd: str, seen: str
) -> None:
    read = SLICES[seen]
    assert isinstance(read, Slice)
    action = decide(observation(patroni, etcd, read))
    if isinstance(action, Publish | Withdraw):
        assert action.wanted.version == read.version == "7"
        assert action.wanted.document == read.document


def test_a_withdrawal_changes_nothing_but_readiness() -> None:
    action = decide(observation("two 503s", "unknown", MINE))
    assert isinstance(action, Withdraw)
    assert action.wanted == WITHDRAWN


def test_a_first_slice_is_created_and_not_compared() -> None:
    action = decide(observation("primary", "me", Absent()))
    assert isinstance(action, Publish)
    assert action.wanted.version == ""


def test_it_looks_again_at_once_while_a_promotion_or_a_new_lock_is_under_way() -> None:
    for patroni, etcd in (("unready", "me"), ("primary", "nobody")):
        action = decide(observation(patroni, etcd, MINE))
        assert isinstance(action, Keep)
        assert action.soon


slices = st.builds(
    Slice,
    service=st.just(SERVICE),
    holder=st.sampled_from(["", "pg1", "pg2", "pg3"]),
    term=st.integers(0, 4),
    timeline=st.integers(1, 3),
    system_id=st.sampled_from(["one", "two"]),
    port=st.just(5432),
    endpoints=st.sampled_from([MINE.endpoints, THEIRS.endpoints, WITHDRAWN.endpoints, ()]),
    version=st.just("7"),
)
observations = st.builds(
    Observation,
    me=st.just(ME),
    service=st.just(SERVICE),
    patroni=st.sampled_from([said for said, _, _ in PATRONI.values()]),
    etcd=st.one_of(
        st.builds(Leader, st.sampled_from(["pg1", "pg2"]), st.integers(1, 4)),
        st.sampled_from([Nobody(), Unknown("away")]),
    ),
    slice=st.one_of(slices, st.sampled_from([Absent(), Unread("away"), Foreign("by hand")])),
    denials=st.integers(0, 3),
    silent_s=st.floats(0, 60),
    ttl_s=st.just(20.0),
)


@given(observations)
def test_nothing_is_ever_published_without_both_proofs(seen: Observation) -> None:
    action = decide(seen)
    if isinstance(action, Publish):
        assert seen.patroni == PRIMARY
        assert isinstance(seen.etcd, Leader)
        assert seen.etcd == Leader("pg1", action.wanted.term)
        assert action.wanted.endpoints == MINE.endpoints


@given(observations)
def test_anothers_slice_is_written_only_under_a_higher_term_and_for_one_system(
    seen: Observation,
) -> None:
    action = decide(seen)
    if isinstance(action, Publish | Withdraw) and isinstance(seen.slice, Slice):
        if seen.slice.holder not in {"", ME.name}:
            assert isinstance(action, Publish)
            assert action.wanted.term > seen.slice.term
        if isinstance(action, Publish) and seen.slice.holder:
            assert action.wanted.system_id == seen.slice.system_id
            assert action.wanted.term >= seen.slice.term


@given(observations)
def test_what_is_written_is_not_written_again(seen: Observation) -> None:
    action = decide(seen)
    if isinstance(action, Publish | Withdraw):
        again = decide(replace(seen, slice=replace(action.wanted, version="8")))
        assert isinstance(again, Keep), again


def about_replicas(seen: SliceSeen, *replicas: Endpoint, term: int = TERM) -> Action:
    return decide_replicas(
        "postgres-replicas", me=ME, term=term, primary=PRIMARY, seen=seen, replicas=replicas
    )


REPLICA = Endpoint("pg2", "10.0.0.2")
READS = replace(MINE, service="postgres-replicas", endpoints=(REPLICA,))


def test_the_leader_publishes_its_replicas_under_its_own_name_and_term() -> None:
    action = about_replicas(Absent(), REPLICA)
    assert isinstance(action, Publish)
    assert action.wanted == READS
    assert "pg2 at 10.0.0.2:5432" in action.why


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (READS, Keep),
        (replace(READS, endpoints=()), Publish),
        (replace(READS, holder="pg2", term=TERM - 1), Publish),
        (replace(READS, holder="pg2", term=TERM + 1), Refuse),
        (replace(READS, system_id="two"), Refuse),
        (Foreign("it is managed by hand"), Refuse),
        (Unread("away"), Keep),
    ],
)
def test_the_replicas_slice_obeys_the_same_rules(seen: SliceSeen, expected: type[Action]) -> None:
    assert type(about_replicas(seen, REPLICA)) is expected


def test_without_replicas_the_slice_is_empty() -> None:
    action = about_replicas(READS)
    assert isinstance(action, Publish)
    assert action.wanted.endpoints == ()
    assert "no member" in action.why
