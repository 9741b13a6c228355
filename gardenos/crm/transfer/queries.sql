-- name: lock_agency
-- One import of an agency at a time: what is a duplicate depends on what is there.
SELECT pg_advisory_xact_lock(hashtextextended('gardenos.import:' || $1::text, 0))

-- name: begin_import
INSERT INTO imports (agency_id, created_by, filename)
VALUES ($1, $2, $3)
RETURNING id

-- name: fit_custom_values
SELECT number, custom, key, fault
  FROM app.custom_fitted('leads', $1, $2)

-- name: insert_leads
-- What of a chunk is new: not the rows whose external_id is taken and, of those without one, none
-- whose e-mail a lead or an earlier row has. Gives back those inserted.
WITH given AS MATERIALIZED (
  -- Ids in the order of the file, which lists then keep: made here, before anything sorts.
  SELECT w.*, uuidv7() AS id, lower(w.email) AS email_key
    FROM unnest($4::integer[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[],
                $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[],
                $16::text[], $17::text[], $18::text[])
      AS w(number, external_id, first_name, last_name, email, phone, company, job_title, website,
           city, country, source, status, notes, custom)
), wanted AS MATERIALIZED (
  SELECT g.*, row_number() OVER (PARTITION BY g.email_key ORDER BY g.number) AS nth
    FROM given g
), inserted AS (
  INSERT INTO leads (id, agency_id, created_by, import_id, external_id, first_name, last_name, email,
                     phone, company, job_title, website, city, country, source, status, notes,
                     custom)
  SELECT w.id, $1, $2, $3, w.external_id, w.first_name, w.last_name, w.email, w.phone, w.company,
         w.job_title, w.website, w.city, w.country, w.source, coalesce(w.status, 'new'), w.notes,
         w.custom::jsonb
    FROM wanted w
   WHERE w.external_id IS NOT NULL
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

-- name: finish_import
UPDATE imports
   SET rows_read = $2, imported = $3, duplicates = $4, rejected = $5
 WHERE id = $1
RETURNING id, filename, rows_read, imported, duplicates, rejected, created_at

-- name: get_import
SELECT id, filename, rows_read, imported, duplicates, rejected, created_at
  FROM imports
 WHERE id = $1
