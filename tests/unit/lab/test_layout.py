from __future__ import annotations

from pathlib import Path

from gardenos.lab.layout import HOST, NODES, NUMBERS, PARTS, PORTS, WIRES, Layout, node_at, number

LAYOUT = Layout(Path("/lab"), 20_000)


def test_no_two_parts_listen_at_one_address() -> None:
    addresses = [one for them in LAYOUT.listeners().values() for one in them]
    assert len(addresses) == len(set(addresses))
    assert LAYOUT.api not in addresses


def test_every_port_lies_in_the_labs_own_range() -> None:
    ports = {one.port for them in LAYOUT.listeners().values() for one in them} | {LAYOUT.api.port}
    assert min(ports) == LAYOUT.base
    assert max(ports) < LAYOUT.base + PORTS


def test_every_part_listens_somewhere() -> None:
    assert set(LAYOUT.listeners()) == set(PARTS)


def test_nodes_share_a_port_and_have_an_address_each() -> None:
    doors = [LAYOUT.postgres_door(n) for n in NUMBERS]
    assert len({door.port for door in doors}) == 1
    assert len({door.host for door in doors} | {HOST}) == len(NODES) + 1


def test_an_address_tells_whose_it_is() -> None:
    assert [node_at(LAYOUT.postgres(n).host) for n in NUMBERS] == list(NODES)
    assert [number(name) for name in NODES] == list(NUMBERS)


def test_a_node_is_reached_and_reaches_out_over_wires_alone() -> None:
    wired = set(LAYOUT.listeners()[WIRES])
    for n in NUMBERS:
        outside = {LAYOUT.postgres_door(n), LAYOUT.patroni_door(n), LAYOUT.api_way(n)}
        assert outside | {LAYOUT.etcd_way(n, e) for e in NUMBERS} <= wired
