-- name: search
-- $1 what is looked for, $2 the kinds, $3 how many of a kind are looked at, $4 how many of it are ranked, $5 how
-- many are wanted. What app.search finds are ids: the records are read under the caller's own policies.
WITH found AS MATERIALIZED (
  -- Some more than are wanted, since some may turn out not to be the caller's to read.
  SELECT s.*, count(*) OVER () AS total FROM app.search($1, $2::text[], $3, $4) s
   ORDER BY s.rank DESC, s.record_id DESC
   LIMIT 3 * $5
), seen AS (
  SELECT f.*, jsonb_build_object(
           'first_name', r.first_name, 'last_name', r.last_name, 'email', r.email, 'phone', r.phone,
           'external_id', r.external_id, 'company', r.company, 'job_title', r.job_title, 'city', r.city,
           'country', r.country, 'website', r.website, 'source', r.source, 'status', r.status, 'notes', r.notes,
           'custom', r.custom) - (SELECT app.hidden_fields('leads')) AS record
    FROM found f JOIN leads r ON r.id = f.record_id WHERE f.entity = 'leads' AND r.deleted_at IS NULL
  UNION ALL
  SELECT f.*, jsonb_build_object(
           'first_name', r.first_name, 'last_name', r.last_name, 'email', r.email, 'phone', r.phone, 'mobile', r.mobile,
           'external_id', r.external_id, 'job_title', r.job_title, 'street', r.street, 'postal_code', r.postal_code,
           'city', r.city, 'region', r.region, 'country', r.country, 'website', r.website, 'source', r.source,
           'notes', r.notes, 'custom', r.custom) - (SELECT app.hidden_fields('contacts'))
    FROM found f JOIN contacts r ON r.id = f.record_id WHERE f.entity = 'contacts' AND r.deleted_at IS NULL
  UNION ALL
  SELECT f.*, jsonb_build_object(
           'name', r.name, 'domain', r.domain, 'phone', r.phone, 'external_id', r.external_id, 'industry', r.industry,
           'street', r.street, 'postal_code', r.postal_code, 'city', r.city, 'region', r.region, 'country', r.country,
           'website', r.website, 'notes', r.notes, 'custom', r.custom) - (SELECT app.hidden_fields('companies'))
    FROM found f JOIN companies r ON r.id = f.record_id WHERE f.entity = 'companies' AND r.deleted_at IS NULL
  UNION ALL
  SELECT f.*, jsonb_build_object(
           'name', r.name, 'external_id', r.external_id, 'status', r.status, 'close_reason', r.close_reason,
           'notes', r.notes, 'custom', r.custom) - (SELECT app.hidden_fields('deals'))
    FROM found f JOIN deals r ON r.id = f.record_id WHERE f.entity = 'deals' AND r.deleted_at IS NULL
  UNION ALL
  SELECT f.*, jsonb_build_object(
           'kind', r.kind, 'subject', r.subject, 'outcome', r.outcome, 'body', r.body, 'occurred_at', r.occurred_at,
           'lead_id', r.lead_id, 'contact_id', r.contact_id, 'company_id', r.company_id, 'deal_id', r.deal_id)
         - (SELECT app.hidden_fields('activities'))
    FROM found f JOIN activities r ON r.id = f.record_id WHERE f.entity = 'activities'
)
SELECT entity, record_id AS id, rank, meant, corrected, cut, record, total, count(*) OVER () AS readable
  FROM seen
 ORDER BY rank DESC, record_id DESC
 LIMIT $5
