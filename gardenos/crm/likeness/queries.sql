-- Each answers a new record in one round trip: what the agency has set, and which records that the caller reads share
-- a key with it. An e-mail is also looked for where it stands, since the sweep may not have come by yet.

-- name: check_leads
SELECT a.default_country, a.duplicate_check, app.hidden_fields('leads') AS hidden, r.id, r.first_name, r.last_name, r.company,
       r.email, r.phone, r.country, f.keys
  FROM agencies a LEFT JOIN LATERAL (
    SELECT k.record_id, array_agg(DISTINCT k.key) AS keys
      FROM (SELECT record_id, key FROM app.alike('leads', $1::text[], 50)
            UNION ALL (SELECT id, 'email:' || email_key FROM leads WHERE email_key = $2 AND deleted_at IS NULL LIMIT 5)) k
     GROUP BY 1 LIMIT 100) f ON a.duplicate_check <> 'off'
  LEFT JOIN leads r ON r.id = f.record_id AND r.deleted_at IS NULL

-- name: check_contacts
SELECT a.default_country, a.duplicate_check, app.hidden_fields('contacts') AS hidden, r.id, r.first_name, r.last_name,
       r.company_id, r.email, r.phone, r.mobile, r.country, f.keys
  FROM agencies a LEFT JOIN LATERAL (
    SELECT k.record_id, array_agg(DISTINCT k.key) AS keys
      FROM (SELECT record_id, key FROM app.alike('contacts', $1::text[], 50)
            UNION ALL (SELECT id, 'email:' || email_key FROM contacts WHERE email_key = $2 AND deleted_at IS NULL LIMIT 5)) k
     GROUP BY 1 LIMIT 100) f ON a.duplicate_check <> 'off'
  LEFT JOIN contacts r ON r.id = f.record_id AND r.deleted_at IS NULL

-- name: check_companies
SELECT a.default_country, a.duplicate_check, app.hidden_fields('companies') AS hidden, r.id, r.name, r.domain, r.phone,
       r.country, f.keys
  FROM agencies a LEFT JOIN LATERAL (
    SELECT k.record_id, array_agg(DISTINCT k.key) AS keys
      FROM app.alike('companies', $1::text[], 50) k
     WHERE $2::text IS NULL
     GROUP BY 1 LIMIT 100) f ON a.duplicate_check <> 'off'
  LEFT JOIN companies r ON r.id = f.record_id AND r.deleted_at IS NULL

-- name: keep_keys
SELECT app.keep_keys($1, $2)
