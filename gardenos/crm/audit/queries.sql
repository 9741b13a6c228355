-- name: list_entries
-- $8 and $9: behind the entry of this time and id.
SELECT id, at, actor, actor_kind, request_id, entity, record_id, verb,
       app.told(verb, changes, app.hidden_fields(entity)) AS changes, erased_at
  FROM audit_log
 WHERE ($1::text IS NULL OR entity = $1)
   AND ($2::text IS NULL OR record_id = $2)
   AND ($3::uuid IS NULL OR actor = $3)
   AND ($4::text IS NULL OR verb = $4)
   AND ($5::text IS NULL OR request_id = $5)
   AND ($6::timestamptz IS NULL OR at >= $6)
   AND ($7::timestamptz IS NULL OR at < $7)
   AND ($8::timestamptz IS NULL OR (at, id) < ($8, $9::bigint))
 ORDER BY at DESC, id DESC
 LIMIT $10

-- name: read_scope
SELECT app.scope('audit', 'read')
