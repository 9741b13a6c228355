from __future__ import annotations

from pathlib import Path

import pytest

from gardenos.lab import cuts
from gardenos.lab.cuts import Cuts
from gardenos.lab.layout import Address, Link, Reach

A, B = Address("127.0.0.11", 1), Address("127.0.0.11", 2)


def link(node: str, reach: Reach) -> Link:
    return Link(node, reach, reach in {Reach.POSTGRES, Reach.PATRONI}, A, B)


@pytest.mark.parametrize(
    ("node", "reach", "source", "stopped"),
    [
        ("pg1", Reach.POSTGRES, None, True),  # HAProxy into the isolated node
        ("pg1", Reach.POSTGRES, "pg2", True),
        ("pg1", Reach.PATRONI, None, True),
        ("pg1", Reach.ETCD, None, True),
        ("pg1", Reach.API, None, True),
        ("pg2", Reach.POSTGRES, "pg1", True),  # from the isolated node to another
        ("pg2", Reach.PATRONI, "pg1", True),
        ("pg2", Reach.POSTGRES, None, False),
        ("pg2", Reach.POSTGRES, "pg3", False),
        ("pg2", Reach.ETCD, None, False),
    ],
)
def test_isolation_stops_what_crosses_the_nodes_border(
    node: str, reach: Reach, source: str | None, stopped: bool
) -> None:
    assert Cuts(isolated=frozenset({"pg1"})).stops(link(node, reach), source) is stopped


@pytest.mark.parametrize("reach", list(Reach))
def test_cut_from_etcd_a_node_still_talks_to_everybody_else(reach: Reach) -> None:
    cut = Cuts(without_etcd=frozenset({"pg1"}))
    assert cut.stops(link("pg1", reach), None) is (reach is Reach.ETCD)
    assert not cut.stops(link("pg2", reach), "pg1")


@pytest.mark.parametrize("reach", list(Reach))
def test_without_cuts_everything_flows(reach: Reach) -> None:
    assert not Cuts().stops(link("pg1", reach), "pg2")


def test_an_order_is_read_as_it_was_given_and_obeyed_by_its_token(tmp_path: Path) -> None:
    assert cuts.ordered(tmp_path) == ("", Cuts())
    wanted = Cuts(isolated=frozenset({"pg1"}), without_etcd=frozenset({"pg3"}))
    token = cuts.order(tmp_path, wanted)
    assert cuts.ordered(tmp_path) == (token, wanted)
    assert cuts.obeyed(tmp_path) != token
    cuts.obey(tmp_path, token)
    assert cuts.obeyed(tmp_path) == token
    assert cuts.order(tmp_path, wanted) != token
