-- No statement names the agency: the policies do, and a second condition would only mislead the
-- planner.

-- name: lead_exists
SELECT EXISTS (SELECT FROM leads WHERE id = $1 AND deleted_at IS NULL)

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

-- name: lock_conversions
SELECT pg_advisory_xact_lock(hashtextextended('gardenos.convert:' || $1::text, 0))

-- name: lock_lead
-- None where the role may not change it.
SELECT id, status, version, converted_at, converted_contact_id, converted_company_id, converted_deal_id
  FROM leads
 WHERE id = $1 AND deleted_at IS NULL
   FOR UPDATE

-- name: match_company
-- By domain before name; of several the oldest.
SELECT c.id
  FROM companies c
 WHERE c.deleted_at IS NULL
   AND (c.domain_key = ANY ($1::text[]) OR c.name_key = lower($2::text))
 ORDER BY c.domain_key = ANY ($1) DESC NULLS LAST, c.created_at, c.id
 LIMIT 1

-- name: match_contact
SELECT c.id
  FROM contacts c
 WHERE c.deleted_at IS NULL AND c.email_key = lower($1::text)
 ORDER BY c.created_at, c.id
 LIMIT 1

-- name: shared_fields
-- Custom fields that two entities have alike.
SELECT a.key
  FROM custom_fields a
  JOIN custom_fields b ON b.key = a.key AND b.kind = a.kind AND b.options = a.options
 WHERE a.entity = $1 AND b.entity = $2 AND a.deleted_at IS NULL AND b.deleted_at IS NULL

-- name: mark_converted
UPDATE leads
   SET status = 'converted', converted_at = now(), converted_contact_id = $2,
       converted_company_id = $3, converted_deal_id = $4
 WHERE id = $1

-- name: note_conversion
INSERT INTO lead_conversions (agency_id, lead_id, status_before, contact_id, company_id, deal_id,
                              contact_version, company_version, deal_version)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
RETURNING lead_id, contact_id, company_id, deal_id, contact_version IS NOT NULL AS contact_made,
          company_version IS NOT NULL AS company_made, converted_at

-- name: conversion_state
SELECT noun, record_id, state
  FROM app.conversion_state($1)

-- name: mark_unconverted
WITH undone AS (
  UPDATE lead_conversions
     SET undone_at = now(), undone_by = app.user_id()
   WHERE lead_id = $1 AND undone_at IS NULL
  RETURNING status_before
)
UPDATE leads
   -- One that was marked by hand, without records, was made by no conversion.
   SET status = coalesce((SELECT status_before FROM undone), 'qualified'), converted_at = NULL,
       converted_contact_id = NULL, converted_company_id = NULL, converted_deal_id = NULL
 WHERE id = $1
