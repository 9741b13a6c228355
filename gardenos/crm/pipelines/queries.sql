-- name: list_stages
SELECT id, pipeline_id, name, kind, probability, position
  FROM stages
 WHERE pipeline_id = $1
 ORDER BY position

-- name: add_stages
INSERT INTO stages (agency_id, pipeline_id, name, kind, probability, position)
SELECT $1, $2, s.name, s.kind, s.probability, s.position
  FROM jsonb_to_recordset($3::jsonb) AS s(name text, kind text, probability smallint, position integer)

-- name: change_stages
UPDATE stages t
   SET name = s.name, kind = s.kind, probability = s.probability, position = s.position
  FROM jsonb_to_recordset($2::jsonb)
       AS s(id uuid, name text, kind text, probability smallint, position integer)
 WHERE t.id = s.id AND t.pipeline_id = $1

-- name: remove_stages
DELETE FROM stages
 WHERE pipeline_id = $1 AND id = ANY ($2::uuid[])

-- name: held_deals
-- How many deals each stage of a pipeline holds, and how many of them are deleted.
SELECT stage_id, count(*) AS deals, count(deleted_at) AS deleted
  FROM deals
 WHERE pipeline_id = $1
 GROUP BY stage_id

-- name: touch_pipeline
-- Its stages are part of it: their change is its change, and one at a time.
UPDATE pipelines
   SET name = name
 WHERE id = $1 AND deleted_at IS NULL AND ($2::bigint[] IS NULL OR version = ANY ($2))
RETURNING version

-- name: unset_default
UPDATE pipelines
   SET is_default = false
 WHERE is_default AND deleted_at IS NULL AND id IS DISTINCT FROM $1

-- name: add_first_pipeline
-- Another request may be doing the same: then this one waits for it, and takes what it made.
INSERT INTO pipelines (agency_id, created_by, name, is_default)
VALUES ($1, $2, $3, true)
ON CONFLICT DO NOTHING
RETURNING id

-- name: find_place
-- The first stage that fits: of the pipeline, of the kind, or the very one; of the agency's usual
-- pipeline where nothing is said.
SELECT s.pipeline_id, s.id AS stage_id
  FROM stages s
  JOIN pipelines p ON p.id = s.pipeline_id
 WHERE p.deleted_at IS NULL
   AND ($1::uuid IS NULL OR p.id = $1)
   AND ($2::uuid IS NULL OR s.id = $2)
   AND ($3::text IS NULL OR s.kind = $3)
 ORDER BY p.is_default DESC, p.created_at, p.id, s.position
 LIMIT 1
