-- name: get_agency
-- The policy leaves one row to see: the caller's own.
SELECT id, name, version, created_at, updated_at
  FROM agencies

-- name: rename_agency
UPDATE agencies
   SET name = $1
 WHERE $2::bigint[] IS NULL OR version = ANY ($2)
RETURNING id, name, version, created_at, updated_at
