"""A CRM's worth of rows, put in at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from gardenos.testing.postgres import make_member

if TYPE_CHECKING:
    from gardenos.core.claims import Claims
    from gardenos.testing.postgres import AdminConnection

SIZES: Final[Mapping[str, int]] = {
    "leads": 50_000,
    "companies": 10_000,
    "deals": 20_000,
    "activities": 60_000,
}
"""Rows in all."""
_PLACES = """
INSERT INTO pipelines (agency_id, name, is_default) SELECT id, 'Sales', true FROM agencies;
INSERT INTO stages (agency_id, pipeline_id, name, kind, probability, position)
SELECT p.agency_id, p.id, s.name, s.kind, s.probability, s.position
  FROM pipelines p,
       (VALUES ('New', 'open', 10, 0), ('Talks', 'open', 30, 1), ('Offer', 'open', 60, 2),
               ('Won', 'won', 100, 3), ('Lost', 'lost', 0, 4)) AS s(name, kind, probability, position);
"""
_ROWS = {
    "leads": """
        INSERT INTO leads (agency_id, first_name, last_name, email, company, status, owner_id,
                           quality_score, conversion_probability, scored_at, created_at, created_by)
        SELECT w.agency_id, 'Ada' || n % 300, 'Lovelace' || n, 'ada' || n || '@example.org',
               'Engines ' || n % 900, (ARRAY['new', 'contacted', 'qualified', 'lost'])[1 + n / 20 % 4],
               w.owner_id, n % 101, n % 100 / 100.0, now(), now() - n * interval '1 minute',
               w.owner_id
          FROM generate_series(1, $1) AS n
          JOIN who w ON w.place = n % 20 AND w.turn = n / 20 % 5""",
    "companies": """
        INSERT INTO companies (agency_id, name, domain, owner_id, created_at, created_by)
        SELECT w.agency_id, 'Engines ' || n * 7919 % 10007, 'engines' || n || '.example.org',
               w.owner_id, now() - n * interval '1 minute', w.owner_id
          FROM generate_series(1, $1) AS n
          JOIN who w ON w.place = n % 20 AND w.turn = n / 20 % 5""",
    "deals": """
        INSERT INTO deals (agency_id, name, amount, currency, pipeline_id, stage_id, status,
                           closed_at, owner_id, created_at, created_by)
        SELECT w.agency_id, 'Engine ' || n, n % 5000, 'EUR', s.pipeline_id, s.id, s.kind,
               CASE WHEN s.kind <> 'open' THEN now() END, w.owner_id,
               now() - n * interval '1 minute', w.owner_id
          FROM generate_series(1, $1) AS n
          JOIN who w ON w.place = n % 20 AND w.turn = n / 20 % 5
          JOIN stages s ON s.agency_id = w.agency_id AND s.position = n / 100 % 5""",
    "activities": """
        INSERT INTO activities (agency_id, kind, company_id, subject, occurred_at, created_by)
        SELECT w.agency_id, 'call', c.id, 'Call ' || n, now() - n * interval '1 minute', w.owner_id
          FROM generate_series(1, $1) AS n
          JOIN who w ON w.place = n % 20 AND w.turn = n / 20 % 5
          JOIN (SELECT id, agency_id, row_number() OVER (PARTITION BY agency_id ORDER BY id) AS row
                  FROM companies) c ON c.agency_id = w.agency_id AND c.row = 1 + n / 20 % 250""",
}


async def fill(admin: AdminConnection, *, agencies: int) -> list[Claims]:
    """So many agencies of five members with all the rows; the claims of their owners."""
    owners: list[Claims] = []
    await admin.execute(
        "CREATE TEMP TABLE who (place int, turn int, agency_id uuid, owner_id uuid)"
    )
    for place in range(agencies):
        owner = await make_member(admin)
        mates = [await make_member(admin, agency_id=owner.agency_id) for _ in range(4)]
        for turn, one in enumerate((owner, *mates)):
            await admin.execute(
                "INSERT INTO who VALUES ($1, $2, $3, $4)", place, turn, one.agency_id, one.sub
            )
        owners.append(owner)
    # Neither the log of changes nor checks of what is known to be right.
    await admin.execute("SET session_replication_role = replica")
    await admin.execute(_PLACES)
    for noun, query in _ROWS.items():
        await admin.execute(query, SIZES[noun])
    await admin.execute("SET session_replication_role = origin")
    await admin.execute("VACUUM ANALYZE")
    return owners
