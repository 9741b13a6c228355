-- name: lock_agency
-- One import of an agency at a time: what is a duplicate depends on what is there.
SELECT pg_advisory_xact_lock(hashtextextended('gardenos.import:' || $1::text, 0))

-- name: begin_import
INSERT INTO imports (agency_id, created_by, role, key_id, scopes, filename, digest, again, state, format, encoding, delimiter,
                     headers, options)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
RETURNING id

-- name: find_same_file
SELECT id, created_at, state FROM imports
 WHERE digest = $1 AND NOT again AND state IN ('running', 'finished')
 LIMIT 1

-- name: stage_chunk
INSERT INTO import_chunks (agency_id, import_id, number, first_row, rows, data)
VALUES ($1, $2, $3, $4, $5, $6)

-- name: keep_done_chunk
INSERT INTO import_chunks (agency_id, import_id, number, first_row, rows, rejected, created, tagged, new_tags, undo, done_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now())

-- name: keep_chunk
UPDATE import_chunks
   SET data = NULL, rejected = $3, created = $4, tagged = $5, new_tags = $6, undo = $7, done_at = now()
 WHERE import_id = $1 AND number = $2

-- name: note_total
UPDATE imports SET rows_total = $2 WHERE id = $1

-- name: note_task
UPDATE imports
   SET task_id = $2, state = $3, again = again OR $4, started_at = coalesce(started_at, now()), finished_at = NULL
 WHERE id = $1

-- name: note_options
UPDATE imports SET options = $2 WHERE id = $1

-- name: note_progress
UPDATE imports
   SET rows_read = rows_read + $2, imported = imported + $3, updated = updated + $4, duplicates = duplicates + $5,
       rejected = rejected + $6, tasks_enqueued = tasks_enqueued + $7, started_at = coalesce(started_at, now())
 WHERE id = $1

-- name: finish_import
UPDATE imports SET state = 'finished', finished_at = now() WHERE id = $1

-- name: note_reverted
UPDATE imports
   SET removed = removed + $2, restored = restored + $3, kept = kept + $4,
       state = CASE WHEN $5 THEN 'reverted' ELSE state END, finished_at = CASE WHEN $5 THEN now() ELSE finished_at END
 WHERE id = $1

-- name: get_import
SELECT i.id, i.entity, i.filename, i.format, i.encoding, i.delimiter, i.headers, i.options, i.rows_total, i.rows_read,
       i.imported, i.updated, i.duplicates, i.rejected, i.tasks_enqueued, i.removed, i.restored, i.kept, i.task_id,
       i.created_by, i.created_at, i.started_at, i.finished_at, i.purged_at, i.state, t.state AS task_state
  FROM imports i LEFT JOIN agent_tasks t ON t.id = i.task_id
 WHERE i.id = $1

-- name: list_imports
SELECT i.id, i.entity, i.filename, i.format, i.encoding, i.delimiter, i.headers, i.options, i.rows_total, i.rows_read,
       i.imported, i.updated, i.duplicates, i.rejected, i.tasks_enqueued, i.removed, i.restored, i.kept, i.task_id,
       i.created_by, i.created_at, i.started_at, i.finished_at, i.purged_at, i.state, t.state AS task_state
  FROM imports i LEFT JOIN agent_tasks t ON t.id = i.task_id
 WHERE $1::uuid IS NULL OR i.id < $1
 ORDER BY i.id DESC
 LIMIT $2

-- name: lock_import
SELECT state, options, headers, role, key_id, created_by FROM imports WHERE id = $1 FOR UPDATE

-- name: next_chunk
SELECT number, first_row, rows, data FROM import_chunks
 WHERE import_id = $1 AND done_at IS NULL
 ORDER BY number
 LIMIT 1

-- name: next_to_revert
SELECT number FROM import_chunks
 WHERE import_id = $1 AND done_at IS NOT NULL AND reverted_at IS NULL
 ORDER BY number DESC
 LIMIT 1

-- name: revert_chunk
SELECT removed, restored, kept FROM app.revert_chunk($1, $2)

-- name: list_senders
SELECT id, created_by, role, key_id, scopes FROM imports WHERE id = ANY ($1::uuid[])

-- name: may_still
SELECT EXISTS (SELECT FROM members m
                WHERE m.agency_id = $1 AND m.user_id = $2
                  AND array_position(ARRAY['read_only', 'agent', 'manager', 'admin', 'owner'], m.role)
                      >= array_position(ARRAY['read_only', 'agent', 'manager', 'admin', 'owner'], $3))
   AND ($4::uuid IS NULL
        OR EXISTS (SELECT FROM api_keys k
                    WHERE k.id = $4 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())))

-- name: list_rejected
SELECT number, rejected FROM import_chunks
 WHERE import_id = $1 AND number > $2 AND rejected IS NOT NULL
 ORDER BY number
 LIMIT 20

-- name: fit_custom_values
SELECT number, custom, key, fault
  FROM app.custom_fitted('leads', $1, $2)

-- name: find_members
SELECT user_id, email FROM app.member_names() WHERE lower(email) = ANY ($1::text[]) OR user_id::text = ANY ($1)

-- name: find_tags
SELECT id, name_key FROM tags WHERE name_key = ANY ($1::text[]) AND deleted_at IS NULL

-- name: create_tags
INSERT INTO tags (agency_id, created_by, name)
SELECT $1, $2, w FROM unnest($3::text[]) AS w
    ON CONFLICT (agency_id, name_key) WHERE deleted_at IS NULL DO NOTHING
RETURNING id

-- name: tag_leads
INSERT INTO taggings (agency_id, tag_id, lead_id)
SELECT $1, t, l FROM unnest($2::uuid[], $3::uuid[]) AS w(t, l)
    ON CONFLICT DO NOTHING
RETURNING id, lead_id

-- name: find_leads
-- Which records rows are: by the external_id or the e-mail address that each is looked for by.
SELECT w.number, m.id, m.custom
  FROM unnest($1::integer[], $2::text[], $3::text[]) AS w(number, external_id, email_key),
       LATERAL (SELECT l.id, l.custom FROM leads l
                 WHERE l.external_id = w.external_id AND l.deleted_at IS NULL
                UNION ALL
                (SELECT l.id, l.custom FROM leads l
                  WHERE l.email_key = w.email_key AND l.deleted_at IS NULL
                  ORDER BY l.id LIMIT 1)
                LIMIT 1) m

-- name: insert_leads
-- What of a chunk is new: not the rows whose external_id is taken; nor those whose e-mail a lead or an earlier
-- row has, where $20 asks that of all, or of those without external_id. Gives back those inserted.
WITH given AS MATERIALIZED (
  -- Ids in the order of the file, which lists then keep: made here, before anything sorts.
  SELECT w.*, uuidv7() AS id, lower(w.email) AS email_key,
         $20 = 'email' OR $20 = 'either' AND w.external_id IS NULL AS by_email
    FROM unnest($4::integer[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
                $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[],
                $16::text[], $17::text[], $18::uuid[], $19::text[])
      AS w(number, external_id, first_name, last_name, email, phone, company, job_title, website,
           city, country, source, status, notes, owner_id, custom)
), wanted AS MATERIALIZED (
  SELECT g.*, row_number() OVER (PARTITION BY g.email_key ORDER BY g.number) AS nth
    FROM given g
), inserted AS (
  INSERT INTO leads (id, agency_id, created_by, import_id, external_id, first_name, last_name, email,
                     phone, company, job_title, website, city, country, source, status, notes,
                     owner_id, custom)
  SELECT w.id, $1, $2, $3, w.external_id, w.first_name, w.last_name, w.email, w.phone, w.company,
         w.job_title, w.website, w.city, w.country, w.source, coalesce(w.status, 'new'), w.notes,
         w.owner_id, w.custom::jsonb
    FROM wanted w
   WHERE NOT w.by_email
      OR w.email IS NULL
      OR (w.nth = 1 AND NOT EXISTS (
           SELECT FROM leads l WHERE l.email_key = w.email_key AND l.deleted_at IS NULL))
   ORDER BY w.number
  ON CONFLICT (agency_id, external_id) WHERE external_id IS NOT NULL DO NOTHING
  RETURNING id
)
SELECT w.number, w.id
  FROM wanted w JOIN inserted i ON i.id = w.id
 ORDER BY w.number

-- name: update_leads
-- What a row says replaces what the record says; what it leaves empty does not, nor does an external_id change.
-- Gives back the rows that changed something they may, with what was there before.
WITH given AS MATERIALIZED (
  SELECT w.*
    FROM unnest($1::integer[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::uuid[], $16::text[])
      AS w(number, id, first_name, last_name, email, phone, company, job_title, website, city, country, source, status,
           notes, owner_id, custom)
)
UPDATE leads AS l
   SET first_name = coalesce(g.first_name, l.first_name), last_name = coalesce(g.last_name, l.last_name),
       email = coalesce(g.email, l.email), phone = coalesce(g.phone, l.phone), company = coalesce(g.company, l.company),
       job_title = coalesce(g.job_title, l.job_title), website = coalesce(g.website, l.website),
       city = coalesce(g.city, l.city), country = coalesce(g.country, l.country), source = coalesce(g.source, l.source),
       status = coalesce(g.status, l.status), notes = coalesce(g.notes, l.notes),
       owner_id = coalesce(g.owner_id, l.owner_id), custom = l.custom || g.custom::jsonb
  FROM given g
 WHERE l.id = g.id
   AND (coalesce(g.first_name, l.first_name), coalesce(g.last_name, l.last_name), coalesce(g.email, l.email),
        coalesce(g.phone, l.phone), coalesce(g.company, l.company), coalesce(g.job_title, l.job_title),
        coalesce(g.website, l.website), coalesce(g.city, l.city), coalesce(g.country, l.country),
        coalesce(g.source, l.source), coalesce(g.status, l.status), coalesce(g.notes, l.notes),
        coalesce(g.owner_id, l.owner_id), l.custom || g.custom::jsonb)
       IS DISTINCT FROM (l.first_name, l.last_name, l.email, l.phone, l.company, l.job_title, l.website, l.city,
                         l.country, l.source, l.status, l.notes, l.owner_id, l.custom)
RETURNING g.number, l.id,
          (SELECT jsonb_object_agg(f.key, jsonb_build_array(f.value, to_jsonb(new) -> f.key))
             FROM jsonb_each(to_jsonb(old) - ARRAY['updated_at', 'version', 'email_key']) f
            WHERE f.value <> to_jsonb(new) -> f.key) AS changes
