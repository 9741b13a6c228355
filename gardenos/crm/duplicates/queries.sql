-- name: list_pairs
SELECT id, entity, first_id, second_id, score, reasons, state, found_at, decided_by, decided_at
  FROM duplicates
 WHERE state = $1 AND ($2::text IS NULL OR entity = $2) AND ($3::uuid IS NULL OR id < $3)
 ORDER BY id DESC
 LIMIT $4

-- name: get_pair
SELECT id, entity, first_id, second_id, score, reasons, state, found_at, decided_by, decided_at
  FROM duplicates WHERE id = $1

-- name: decide_pair
UPDATE duplicates SET state = $2, decided_by = $3, decided_at = now() WHERE id = $1 AND state <> $2
RETURNING id

-- name: titles_of_leads
SELECT id, first_name, last_name, company, email, phone, app.hidden_fields('leads') AS hidden FROM leads WHERE id = ANY ($1::uuid[])

-- name: titles_of_contacts
SELECT id, first_name, last_name, email, phone, mobile, app.hidden_fields('contacts') AS hidden FROM contacts WHERE id = ANY ($1::uuid[])

-- name: titles_of_companies
SELECT id, name, domain, phone, app.hidden_fields('companies') AS hidden FROM companies WHERE id = ANY ($1::uuid[])

-- name: list_unswept
SELECT agency_id FROM app.unswept($1, $2)

-- name: get_swept
SELECT s.at, s.record_id, a.default_country
  FROM agencies a LEFT JOIN LATERAL app.swept($1) s ON true

-- name: note_swept
SELECT app.note_swept($1, $2, $3)

-- name: next_leads
SELECT id, updated_at, first_name, last_name, company, email, phone, country FROM leads
 WHERE deleted_at IS NULL AND updated_at < now() - $1::interval
   AND ($2::timestamptz IS NULL OR (updated_at, id) > ($2, $3::uuid))
 ORDER BY updated_at, id LIMIT $4

-- name: next_contacts
SELECT id, updated_at, first_name, last_name, company_id, email, phone, mobile, country FROM contacts
 WHERE deleted_at IS NULL AND updated_at < now() - $1::interval
   AND ($2::timestamptz IS NULL OR (updated_at, id) > ($2, $3::uuid))
 ORDER BY updated_at, id LIMIT $4

-- name: next_companies
SELECT id, updated_at, name, domain, phone, country FROM companies
 WHERE deleted_at IS NULL AND updated_at < now() - $1::interval
   AND ($2::timestamptz IS NULL OR (updated_at, id) > ($2, $3::uuid))
 ORDER BY updated_at, id LIMIT $4

-- name: find_mates
SELECT record_id, key FROM app.alike($1, $2::text[], $3)

-- name: read_leads
SELECT id, first_name, last_name, company, email, phone, country FROM leads WHERE id = ANY ($1::uuid[]) AND deleted_at IS NULL

-- name: read_contacts
SELECT id, first_name, last_name, company_id, email, phone, mobile, country FROM contacts WHERE id = ANY ($1::uuid[]) AND deleted_at IS NULL

-- name: read_companies
SELECT id, name, domain, phone, country FROM companies WHERE id = ANY ($1::uuid[]) AND deleted_at IS NULL

-- name: keep_keys
SELECT app.keep_keys($1, $2)

-- name: keep_pairs
SELECT app.keep_pairs($1, $2::uuid[], $3)

-- name: count_references
SELECT app.count_references($1, $2)

-- name: begin_merge
SELECT app.begin_merge($1, $2, $3)

-- name: move_references
SELECT app.move_references($1)

-- name: end_merge
SELECT app.end_merge($1)

-- name: undo_merge
SELECT app.undo_merge($1)

-- name: get_merge
SELECT id, entity, kept_id, gone_id, merged_by, merged_at, undone_by, undone_at FROM merges WHERE id = $1
