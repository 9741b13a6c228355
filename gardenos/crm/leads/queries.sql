-- No statement names the agency: the policies do, and a second condition would only mislead the
-- planner. PostgreSQL plans the lists for the filters at hand (custom plans), so `IS NULL OR` costs
-- no index.

-- name: create_lead
INSERT INTO leads (agency_id, created_by, external_id, first_name, last_name, email, phone, company,
                   job_title, website, city, country, source, status, notes, custom, owner_id)
SELECT $1, $2, n.external_id, n.first_name, n.last_name, n.email, n.phone, n.company, n.job_title,
       n.website, n.city, n.country, n.source, coalesce(n.status, 'new'), n.notes,
       jsonb_strip_nulls(coalesce(n.custom, '{}')), n.owner_id
  FROM jsonb_to_record($3::jsonb) AS n(
       external_id text, first_name text, last_name text, email text, phone text, company text,
       job_title text, website text, city text, country text, source text, status text, notes text,
       custom jsonb, owner_id uuid)
ON CONFLICT (agency_id, external_id) WHERE external_id IS NOT NULL DO NOTHING
RETURNING id, external_id, first_name, last_name, email, phone, company, job_title, website, city,
          country, source, status, notes, custom, owner_id, import_id, quality_score,
          conversion_probability, scored_at, version, created_at, updated_at, deleted_at

-- name: get_lead
SELECT id, external_id, first_name, last_name, email, phone, company, job_title, website, city,
       country, source, status, notes, custom, owner_id, import_id, quality_score,
       conversion_probability, scored_at, version, created_at, updated_at, deleted_at
  FROM leads
 WHERE id = $1 AND deleted_at IS NULL

-- name: change_lead
-- $2 holds the fields that change and only those; $3 is merged into the custom values; $4 the
-- versions the change was made for, null for any.
UPDATE leads l
   SET (external_id, first_name, last_name, email, phone, company, job_title, website, city, country,
        source, status, notes, owner_id)
     = (SELECT p.external_id, p.first_name, p.last_name, p.email, p.phone, p.company, p.job_title,
               p.website, p.city, p.country, p.source, p.status, p.notes, p.owner_id
          FROM jsonb_populate_record(l, $2::jsonb) AS p),
       custom = jsonb_strip_nulls(l.custom || $3::jsonb)
 WHERE id = $1 AND deleted_at IS NULL AND ($4::bigint[] IS NULL OR version = ANY ($4))
RETURNING id, external_id, first_name, last_name, email, phone, company, job_title, website, city,
          country, source, status, notes, custom, owner_id, import_id, quality_score,
          conversion_probability, scored_at, version, created_at, updated_at, deleted_at

-- name: delete_lead
UPDATE leads
   SET deleted_at = now()
 WHERE id = $1 AND deleted_at IS NULL AND ($2::bigint[] IS NULL OR version = ANY ($2))

-- name: restore_lead
UPDATE leads
   SET deleted_at = NULL
 WHERE id = $1 AND deleted_at IS NOT NULL
RETURNING id, external_id, first_name, last_name, email, phone, company, job_title, website, city,
          country, source, status, notes, custom, owner_id, import_id, quality_score,
          conversion_probability, scored_at, version, created_at, updated_at, deleted_at

-- name: is_member
SELECT EXISTS (SELECT FROM members WHERE user_id = $1)

-- name: list_by_created_desc
SELECT id, external_id, first_name, last_name, email, phone, company, job_title, website, city,
       country, source, status, notes, custom, owner_id, import_id, quality_score,
       conversion_probability, scored_at, version, created_at, updated_at, deleted_at
  FROM leads
 WHERE ($1::text IS NULL OR status = $1)
   AND ($2::text IS NULL OR source = $2)
   AND ($3::text IS NULL OR email_key = lower($3))
   AND ($4::text IS NULL OR strpos(lower(concat_ws(
         ' ', first_name, last_name, email, phone, company, external_id)), lower($4)) > 0)
   AND ($5::smallint IS NULL OR quality_score >= $5)
   AND ($6::smallint IS NULL OR quality_score <= $6)
   AND ($7::timestamptz IS NULL OR created_at >= $7)
   AND ($8::timestamptz IS NULL OR created_at < $8)
   AND ($9::boolean OR deleted_at IS NULL)
   AND ($11::uuid IS NULL OR (created_at, id) < ($12::timestamptz, $11))
 ORDER BY created_at DESC, id DESC
 LIMIT $10

-- name: list_by_created
SELECT id, external_id, first_name, last_name, email, phone, company, job_title, website, city,
       country, source, status, notes, custom, owner_id, import_id, quality_score,
       conversion_probability, scored_at, version, created_at, updated_at, deleted_at
  FROM leads
 WHERE ($1::text IS NULL OR status = $1)
   AND ($2::text IS NULL OR source = $2)
   AND ($3::text IS NULL OR email_key = lower($3))
   AND ($4::text IS NULL OR strpos(lower(concat_ws(
         ' ', first_name, last_name, email, phone, company, external_id)), lower($4)) > 0)
   AND ($5::smallint IS NULL OR quality_score >= $5)
   AND ($6::smallint IS NULL OR quality_score <= $6)
   AND ($7::timestamptz IS NULL OR created_at >= $7)
   AND ($8::timestamptz IS NULL OR created_at < $8)
   AND ($9::boolean OR deleted_at IS NULL)
   AND ($11::uuid IS NULL OR (created_at, id) > ($12::timestamptz, $11))
 ORDER BY created_at, id
 LIMIT $10

-- name: list_by_updated_desc
SELECT id, external_id, first_name, last_name, email, phone, company, job_title, website, city,
       country, source, status, notes, custom, owner_id, import_id, quality_score,
       conversion_probability, scored_at, version, created_at, updated_at, deleted_at
  FROM leads
 WHERE ($1::text IS NULL OR status = $1)
   AND ($2::text IS NULL OR source = $2)
   AND ($3::text IS NULL OR email_key = lower($3))
   AND ($4::text IS NULL OR strpos(lower(concat_ws(
         ' ', first_name, last_name, email, phone, company, external_id)), lower($4)) > 0)
   AND ($5::smallint IS NULL OR quality_score >= $5)
   AND ($6::smallint IS NULL OR quality_score <= $6)
   AND ($7::timestamptz IS NULL OR created_at >= $7)
   AND ($8::timestamptz IS NULL OR created_at < $8)
   AND ($9::boolean OR deleted_at IS NULL)
   AND ($11::uuid IS NULL OR (updated_at, id) < ($12::timestamptz, $11))
 ORDER BY updated_at DESC, id DESC
 LIMIT $10

-- name: list_by_updated
SELECT id, external_id, first_name, last_name, email, phone, company, job_title, website, city,
       country, source, status, notes, custom, owner_id, import_id, quality_score,
       conversion_probability, scored_at, version, created_at, updated_at, deleted_at
  FROM leads
 WHERE ($1::text IS NULL OR status = $1)
   AND ($2::text IS NULL OR source = $2)
   AND ($3::text IS NULL OR email_key = lower($3))
   AND ($4::text IS NULL OR strpos(lower(concat_ws(
         ' ', first_name, last_name, email, phone, company, external_id)), lower($4)) > 0)
   AND ($5::smallint IS NULL OR quality_score >= $5)
   AND ($6::smallint IS NULL OR quality_score <= $6)
   AND ($7::timestamptz IS NULL OR created_at >= $7)
   AND ($8::timestamptz IS NULL OR created_at < $8)
   AND ($9::boolean OR deleted_at IS NULL)
   AND ($11::uuid IS NULL OR (updated_at, id) > ($12::timestamptz, $11))
 ORDER BY updated_at, id
 LIMIT $10

-- name: list_by_score_desc
SELECT id, external_id, first_name, last_name, email, phone, company, job_title, website, city,
       country, source, status, notes, custom, owner_id, import_id, quality_score,
       conversion_probability, scored_at, version, created_at, updated_at, deleted_at
  FROM leads
 WHERE ($1::text IS NULL OR status = $1)
   AND ($2::text IS NULL OR source = $2)
   AND ($3::text IS NULL OR email_key = lower($3))
   AND ($4::text IS NULL OR strpos(lower(concat_ws(
         ' ', first_name, last_name, email, phone, company, external_id)), lower($4)) > 0)
   AND ($5::smallint IS NULL OR quality_score >= $5)
   AND ($6::smallint IS NULL OR quality_score <= $6)
   AND ($7::timestamptz IS NULL OR created_at >= $7)
   AND ($8::timestamptz IS NULL OR created_at < $8)
   AND ($9::boolean OR deleted_at IS NULL)
   AND ($11::uuid IS NULL OR (score_rank, id) < ($12::smallint, $11))
 ORDER BY score_rank DESC, id DESC
 LIMIT $10

-- name: list_by_score
SELECT id, external_id, first_name, last_name, email, phone, company, job_title, website, city,
       country, source, status, notes, custom, owner_id, import_id, quality_score,
       conversion_probability, scored_at, version, created_at, updated_at, deleted_at
  FROM leads
 WHERE ($1::text IS NULL OR status = $1)
   AND ($2::text IS NULL OR source = $2)
   AND ($3::text IS NULL OR email_key = lower($3))
   AND ($4::text IS NULL OR strpos(lower(concat_ws(
         ' ', first_name, last_name, email, phone, company, external_id)), lower($4)) > 0)
   AND ($5::smallint IS NULL OR quality_score >= $5)
   AND ($6::smallint IS NULL OR quality_score <= $6)
   AND ($7::timestamptz IS NULL OR created_at >= $7)
   AND ($8::timestamptz IS NULL OR created_at < $8)
   AND ($9::boolean OR deleted_at IS NULL)
   AND ($11::uuid IS NULL OR (score_rank, id) > ($12::smallint, $11))
 ORDER BY score_rank, id
 LIMIT $10

-- name: count_leads
SELECT count(*)
  FROM leads
 WHERE ($1::text IS NULL OR status = $1)
   AND ($2::text IS NULL OR source = $2)
   AND ($3::text IS NULL OR email_key = lower($3))
   AND ($4::text IS NULL OR strpos(lower(concat_ws(
         ' ', first_name, last_name, email, phone, company, external_id)), lower($4)) > 0)
   AND ($5::smallint IS NULL OR quality_score >= $5)
   AND ($6::smallint IS NULL OR quality_score <= $6)
   AND ($7::timestamptz IS NULL OR created_at >= $7)
   AND ($8::timestamptz IS NULL OR created_at < $8)
   AND ($9::boolean OR deleted_at IS NULL)

-- name: list_scores
SELECT id, task_id, lead_id, quality_score, conversion_probability, reasons, next_actions, provider,
       model, created_at
  FROM lead_scores
 WHERE lead_id = $1 AND ($2::uuid IS NULL OR id < $2)
 ORDER BY id DESC
 LIMIT $3

-- name: list_follow_ups
SELECT id, task_id, lead_id, state, subject, body, full_message, provider, model, created_at
  FROM follow_ups
 WHERE lead_id = $1 AND ($2::uuid IS NULL OR id < $2)
 ORDER BY id DESC
 LIMIT $3
