-- name: read_view
-- With the keys of the entity's fields that were archived: the view may name one.
SELECT v.entity, v.name, v.filters, v.sort, v.columns,
       ARRAY(SELECT f.key FROM custom_fields f
              WHERE f.entity = v.entity AND f.deleted_at IS NOT NULL) AS archived
  FROM views v
 WHERE v.id = $1 AND v.deleted_at IS NULL
