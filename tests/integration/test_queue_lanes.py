"""Leasing costs the same however long the backlog is: by buffers and rows read, never by time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gardenos.orchestrator.store import QUERIES
from gardenos.testing.postgres import make_member

if TYPE_CHECKING:
    from gardenos.core.ids import AgencyId
    from gardenos.testing.postgres import AdminConnection

SMALL, LARGE = 10_000, 1_000_000
AGENCIES, PRIORITIES = 5, 4
LANES = AGENCIES * PRIORITIES
TAKEN_EACH = 10


@dataclass(frozen=True)
class Cost:
    """What a statement read, and how it went about it."""

    buffers: int
    most_rows: int
    """That any step of it gave, in all its loops."""
    steps: frozenset[str]
    rows: int

    @classmethod
    def of(cls, explained: str) -> Cost:
        (found,) = json.loads(explained)
        steps = list(_steps(found["Plan"]))
        scanned = [step for step in steps if step.get("Relation Name") == "agent_tasks"]
        return cls(
            buffers=found["Plan"]["Shared Hit Blocks"] + found["Plan"]["Shared Read Blocks"],
            most_rows=max(int(s["Actual Rows"] * s["Actual Loops"]) for s in steps),
            steps=frozenset(f"{s['Node Type']} {s.get('Index Name', '')}".strip() for s in scanned)
            | {step["Node Type"] for step in steps if "Sort" in step["Node Type"]},
            rows=int(found["Plan"]["Actual Rows"]),
        )


def _steps(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _steps(below)


async def fill(admin: AdminConnection, agencies: list[AgencyId], first: int, last: int) -> None:
    """Queue tasks number `first` to `last`, spread over all lanes, with the indexes built at the end."""
    indexes = await admin.fetch(
        "SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS made"
        " FROM pg_index WHERE indrelid = 'agent_tasks'::regclass AND NOT indisprimary"
    )
    await admin.execute("SET session_replication_role = replica")
    await admin.execute("SET maintenance_work_mem = '512MB'")  # else indexes are sorted on disk
    for index in indexes:
        await admin.execute(f"DROP INDEX {index['name']}")
    await admin.execute(
        "INSERT INTO agent_tasks (agency_id, agent_type, priority, run_at)"
        " SELECT ($1::uuid[])[1 + i % $2], 'echo', 1 + i / $2 % $3, now() - interval '1 hour'"
        " + i * interval '1 ms' FROM generate_series($4::integer, $5::integer) i",
        agencies,
        AGENCIES,
        PRIORITIES,
        first,
        last,
    )
    for index in indexes:
        await admin.execute(index["made"])
    await admin.execute("SET session_replication_role = origin")
    await admin.execute("VACUUM ANALYZE agent_tasks")


async def explain(admin: AdminConnection, block: str, values: str) -> Cost:
    """Runs a block, for good, with the plan that serves whatever values it is given."""
    await admin.execute("SET plan_cache_mode = force_generic_plan")
    await admin.execute(f"PREPARE it AS {QUERIES[block]}")
    explained = await admin.fetchval(
        f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE it({values})"
    )
    await admin.execute("DEALLOCATE it")
    return Cost.of(explained)


async def lease(admin: AdminConnection) -> Cost:
    lanes = await admin.fetch(QUERIES["find_lanes"], ["echo"], 1000)
    assert len(lanes) == LANES

    def array(column: str, type_: str) -> str:
        return f"'{{{','.join(str(lane[column]) for lane in lanes)}}}'::{type_}[]"

    values = (
        "'echo', 'test', interval '30 s', 1",
        array("priority", "smallint"),
        array("agency_id", "uuid"),
        f"array_fill({TAKEN_EACH}, ARRAY[{LANES}])",
        array("run_at", "timestamptz"),
        f"array_fill(now(), ARRAY[{LANES}])",
    )
    return await explain(admin, "lease_lanes", ", ".join(values))


async def test_neither_looking_nor_leasing_reads_more_of_a_longer_backlog(
    admin: AdminConnection,
) -> None:
    agencies = [(await make_member(admin)).agency_id for _ in range(AGENCIES)]
    await admin.execute(
        "UPDATE orchestrator_lease SET holder = 'test', epoch = 1, expires_at = 'infinity'"
    )
    await admin.execute(
        "ALTER TABLE agent_tasks SET UNLOGGED"
    )  # A million rows sooner, read alike.
    costs: list[dict[str, Cost]] = []
    for first, last in ((1, SMALL), (SMALL + 1, LARGE)):
        await fill(admin, agencies, first, last)
        await lease(admin)  # The first one after the index was built writes its pages anew.
        costs.append(
            {
                "look": await explain(admin, "find_lanes", "NULL, 1000"),
                "lease": await lease(admin),
                "depth": await explain(admin, "depth_by_type", "5000"),
                "heads": await explain(admin, "queue_heads", "5"),
            }
        )
    small, large = costs
    print({name: (small[name].buffers, large[name].buffers) for name in small})
    for name in small:
        # A tree of a million has one level more than one of ten thousand: a page for each descent.
        assert large[name].buffers <= 1.6 * small[name].buffers + 50, name
        assert large[name].most_rows <= small[name].most_rows, name
        assert "Seq Scan" not in large[name].steps, name
    assert large["look"].rows == LANES
    assert large["look"].steps == {"Index Only Scan agent_tasks_lane_idx"}
    assert large["look"].buffers <= 10 * LANES
    assert large["lease"].rows == large["lease"].most_rows == LANES * TAKEN_EACH
    assert large["lease"].steps == {
        "Index Scan agent_tasks_lane_idx",
        "Index Scan agent_tasks_pkey",
        "ModifyTable",
    }
    # Of the depth and the heads, lanes are sorted and nothing else.
    assert large["depth"].most_rows == 5000
    assert large["heads"].most_rows == LANES
    left = await admin.fetchval("SELECT count(*) FROM agent_tasks WHERE state = 'queued'")
    assert left == LARGE - 4 * LANES * TAKEN_EACH


async def test_the_tokens_of_a_minute_are_counted_without_a_look_at_those_before(
    admin: AdminConnection,
) -> None:
    agencies = [(await make_member(admin)).agency_id for _ in range(AGENCIES)]
    await admin.execute(
        "INSERT INTO llm_calls (agency_id, task_id, agent_type, provider, model, outcome,"
        " input_tokens, output_tokens, latency_ms, created_at)"
        " SELECT ($1::uuid[])[1 + i % $2], uuidv7(), 'echo', 'test', 'test', 'ok', 3, 4, 1,"
        " now() - CASE WHEN i < 5 * $2 THEN interval '0' ELSE (100 + i) * interval '1 s' END"
        " FROM generate_series(0, 50000) i",
        agencies,
        AGENCIES,
    )
    await admin.execute("VACUUM ANALYZE llm_calls")
    assert await admin.fetch(QUERIES["count_tokens"]) == []
    await admin.execute(
        "INSERT INTO dispatch_limits (agent_type, tokens_per_minute) VALUES ('echo', 9)"
    )
    found = await admin.fetch(QUERIES["count_tokens"])
    assert {(row["used"], row["runs"]) for row in found} == {(7 * 5, 5)}
    assert {row["agency_id"] for row in found} == set(agencies)
    explained = await admin.fetchval(
        f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {QUERIES['count_tokens']}"
    )
    assert Cost.of(explained).buffers < 100
