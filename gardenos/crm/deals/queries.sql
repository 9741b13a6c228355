-- name: find_end
-- A stage of the kind in the deal's own pipeline: the one asked for, or the first.
SELECT s.pipeline_id, s.id AS stage_id
  FROM deals d
  JOIN stages s ON s.agency_id = d.agency_id AND s.pipeline_id = d.pipeline_id
 WHERE d.id = $1 AND s.kind = $2 AND ($3::uuid IS NULL OR s.id = $3)
 ORDER BY s.position
 LIMIT 1

-- name: find_way_back
-- The open stage that the deal was in last, else the pipeline's first; or the one asked for.
SELECT s.pipeline_id, s.id AS stage_id
  FROM deals d
  JOIN stages s ON s.agency_id = d.agency_id AND s.pipeline_id = d.pipeline_id
  LEFT JOIN LATERAL (SELECT max(h.id::text) AS last
                       FROM deal_stages h
                      WHERE h.deal_id = d.id AND h.stage_id = s.id) was ON true
 WHERE d.id = $1 AND s.kind = 'open' AND ($2::uuid IS NULL OR s.id = $2)
 ORDER BY was.last DESC NULLS LAST, s.position
 LIMIT 1

-- name: list_deal_stages
SELECT id, deal_id, from_stage_id, stage_id, pipeline_id,
       CASE WHEN 'amount' = ANY (m.masks) THEN NULL ELSE trim_scale(amount) END AS amount,
       CASE WHEN 'currency' = ANY (m.masks) THEN NULL ELSE currency END AS currency,
       moved_by, moved_at
  FROM deal_stages, (SELECT app.hidden_fields('deals') AS masks) AS m
 WHERE deal_id = $1
   AND EXISTS (SELECT FROM deals d WHERE d.id = $1 AND d.deleted_at IS NULL)
   AND ($2::uuid IS NULL OR id < $2)
 ORDER BY id DESC
 LIMIT $3

-- name: read_board
SELECT s.id, s.name, s.kind, s.probability, s.position,
       coalesce(sum(d.deals), 0)::bigint AS deals,
       CASE WHEN m.masks && ARRAY['amount', 'currency'] THEN NULL
            ELSE coalesce(jsonb_agg(jsonb_build_object(
                   'currency', d.currency,
                   'amount', trim_scale(d.amount)::text,
                   'weighted', trim_scale(round(d.amount * s.probability / 100, 4))::text)
                   ORDER BY d.currency) FILTER (WHERE d.currency IS NOT NULL), '[]')
       END AS sums
  FROM stages s
 CROSS JOIN (SELECT app.hidden_fields('deals') AS masks) AS m
  LEFT JOIN (SELECT stage_id, currency, count(*) AS deals, sum(amount) AS amount
               FROM deals
              WHERE pipeline_id = $1 AND deleted_at IS NULL
              GROUP BY stage_id, currency) d ON d.stage_id = s.id
 WHERE s.pipeline_id = $1
   AND EXISTS (SELECT FROM pipelines p WHERE p.id = $1 AND p.deleted_at IS NULL)
 GROUP BY s.id, m.masks
 ORDER BY s.position
