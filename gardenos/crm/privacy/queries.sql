-- No statement names the agency: the policies do.

-- name: find_records
SELECT 'lead' AS kind, id, first_name, last_name, email, created_at, deleted_at
  FROM leads WHERE email_key = $1 OR id = ANY ($2::uuid[])
UNION ALL
SELECT 'contact', id, first_name, last_name, email, created_at, deleted_at
  FROM contacts WHERE email_key = $1 OR id = ANY ($3::uuid[])
 ORDER BY created_at, id
 LIMIT $4

-- name: erase
SELECT entity, rows FROM app.erase($1, $2, $3)

-- name: forget_words
-- Those that only the person had, so that nobody finds them in the dictionary of the search.
SELECT app.forget_words()

-- name: export_leads
SELECT to_jsonb(l) - 'email_key' - 'score_rank' AS record FROM leads l
 WHERE id = ANY ($1::uuid[])
 ORDER BY id

-- name: export_contacts
SELECT to_jsonb(c) - 'email_key' - 'last_name_key' AS record FROM contacts c
 WHERE id = ANY ($1::uuid[])
 ORDER BY id

-- name: export_deals
SELECT to_jsonb(d) - 'name_key' AS record FROM deals d
 WHERE lead_id = ANY ($1::uuid[]) OR contact_id = ANY ($2::uuid[])
 ORDER BY id

-- name: export_activities
SELECT to_jsonb(a) AS record FROM activities a
 WHERE lead_id = ANY ($1::uuid[]) OR contact_id = ANY ($2::uuid[])
 ORDER BY id

-- name: export_tasks
SELECT to_jsonb(t) AS record FROM tasks t
 WHERE lead_id = ANY ($1::uuid[]) OR contact_id = ANY ($2::uuid[])
 ORDER BY id

-- name: export_attachments
SELECT to_jsonb(a) - 'storage_key' AS record, storage_key, state FROM attachments a
 WHERE lead_id = ANY ($1::uuid[]) OR contact_id = ANY ($2::uuid[])
    OR deal_id IN (SELECT id FROM deals WHERE lead_id = ANY ($1::uuid[]) OR contact_id = ANY ($2::uuid[]))
    OR activity_id IN (SELECT id FROM activities WHERE lead_id = ANY ($1::uuid[]) OR contact_id = ANY ($2::uuid[]))
 ORDER BY id

-- name: export_bulk_jobs
-- Operations that wait and results, by the records and by e-mails. As text: they may hold what no jsonb can.
WITH words AS (
  SELECT array_agg(w) AS said
    FROM (SELECT unnest($3::text[]) AS w
          UNION SELECT unnest($1::uuid[])::text
          UNION SELECT unnest($2::uuid[])::text
          UNION SELECT email_key FROM leads WHERE id = ANY ($1::uuid[]) AND email_key IS NOT NULL
          UNION SELECT email_key FROM contacts WHERE id = ANY ($2::uuid[]) AND email_key IS NOT NULL) s
)
SELECT j.id AS job_id, j.entity, j.created_at, b.number, p.n, p.said, b.operations IS NULL AS done
  FROM words, bulk_chunks b
  JOIN bulk_jobs j ON j.id = b.job_id,
       LATERAL app.parts(coalesce(b.operations, b.results)) p
 WHERE app.may_say(coalesce(b.operations, b.results), words.said) AND app.says(app.spoken(p.said), words.said)
 ORDER BY j.id, b.number, p.n

-- name: export_import_rows
-- Rows of files that wait or were rejected, and what imports changed, by the records and by e-mails.
WITH words AS (
  SELECT array_agg(w) AS said
    FROM (SELECT unnest($3::text[]) AS w
          UNION SELECT unnest($1::uuid[])::text
          UNION SELECT unnest($2::uuid[])::text
          UNION SELECT email_key FROM leads WHERE id = ANY ($1::uuid[]) AND email_key IS NOT NULL
          UNION SELECT email_key FROM contacts WHERE id = ANY ($2::uuid[]) AND email_key IS NOT NULL) s
)
SELECT i.id AS import_id, i.filename, i.created_at, k.number, w.what, p.n, p.said
  FROM words, import_chunks k
  JOIN imports i ON i.id = k.import_id,
       LATERAL (VALUES ('row', k.data), ('rejected', k.rejected), ('changed', convert_to(k.undo::text, 'UTF8'))) AS w (what, held),
       LATERAL app.parts(w.held) p
 WHERE w.held IS NOT NULL AND app.may_say(w.held, words.said) AND app.says(app.spoken(p.said), words.said)
 ORDER BY i.id, k.number, w.what, p.n

-- name: export_lead_scores
SELECT to_jsonb(s) AS record FROM lead_scores s
 WHERE lead_id = ANY ($1::uuid[])
 ORDER BY id

-- name: export_follow_ups
SELECT to_jsonb(f) AS record FROM follow_ups f
 WHERE lead_id = ANY ($1::uuid[])
 ORDER BY id

-- name: export_agent_tasks
-- What agents were given about the person and made of it, by the records and by e-mails.
WITH words AS (
  SELECT $3::text[] || ARRAY(SELECT email_key FROM leads WHERE id = ANY ($1::uuid[]) AND email_key IS NOT NULL
         UNION SELECT email_key FROM contacts WHERE id = ANY ($2::uuid[]) AND email_key IS NOT NULL) AS said
)
SELECT jsonb_build_object('id', t.id, 'agent_type', t.agent_type, 'state', t.state, 'payload', t.payload,
                          'result', t.result, 'error', t.error, 'created_at', t.created_at,
                          'finished_at', t.finished_at) AS record
  FROM agent_tasks t, words
 WHERE (t.payload ->> 'lead_id') = ANY ($1::uuid[]::text[])
    OR app.says(lower(t.payload::text), words.said) OR app.says(lower(t.result::text), words.said)
    OR t.id IN (SELECT task_id FROM lead_scores WHERE lead_id = ANY ($1::uuid[])
          UNION SELECT task_id FROM follow_ups WHERE lead_id = ANY ($1::uuid[]))
 ORDER BY t.id

-- name: export_audit_log
SELECT to_jsonb(e) - 'changes' || jsonb_build_object('changes', app.told(e.verb, e.changes, '{}')) AS record
  FROM audit_log e
 WHERE e.record_id = ANY (
         $1::uuid[]::text[] || $2::uuid[]::text[]
         || ARRAY(SELECT id::text FROM deals WHERE lead_id = ANY ($1::uuid[]) OR contact_id = ANY ($2::uuid[]))
         || ARRAY(SELECT id::text FROM activities WHERE lead_id = ANY ($1::uuid[]) OR contact_id = ANY ($2::uuid[]))
         || ARRAY(SELECT id::text FROM tasks WHERE lead_id = ANY ($1::uuid[]) OR contact_id = ANY ($2::uuid[]))
         || ARRAY(SELECT id::text FROM attachments
                   WHERE lead_id = ANY ($1::uuid[]) OR contact_id = ANY ($2::uuid[])
                      OR deal_id IN (SELECT id FROM deals WHERE lead_id = ANY ($1::uuid[]) OR contact_id = ANY ($2::uuid[]))
                      OR activity_id IN (SELECT id FROM activities WHERE lead_id = ANY ($1::uuid[]) OR contact_id = ANY ($2::uuid[]))))
 ORDER BY e.id
