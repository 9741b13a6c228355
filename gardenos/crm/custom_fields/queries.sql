-- name: read_definition
SELECT entity, key, kind, options, deleted_at IS NOT NULL AS archived
  FROM custom_fields
 WHERE id = $1

-- name: count_values
SELECT total, fitting, convertible
  FROM app.count_custom_values($1, $2, $3, $4)

-- name: allow_conversion
SELECT set_config('app.convert', $1, true)

-- name: find_definitions
SELECT key, kind, options
  FROM custom_fields
 WHERE entity = $1 AND key = ANY ($2::text[]) AND deleted_at IS NULL
