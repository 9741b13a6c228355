-- name: get_agency
-- The policy leaves one row to see: the caller's own.
SELECT id, name, default_country, duplicate_check, version, created_at, updated_at
  FROM agencies

-- name: change_agency
-- Null leaves a column as it is; a country may become null, which $3 says.
UPDATE agencies
   SET name = coalesce($2, name),
       default_country = CASE WHEN $3 THEN $4 ELSE default_country END,
       duplicate_check = coalesce($5, duplicate_check)
 WHERE $1::bigint[] IS NULL OR version = ANY ($1)
RETURNING id, name, default_country, duplicate_check, version, created_at, updated_at
