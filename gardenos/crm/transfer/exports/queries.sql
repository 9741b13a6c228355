-- name: list_tags
-- The tags of some records, by name. Written out for each kind: each has an index of its own.
SELECT coalesce(t.lead_id, t.contact_id, t.company_id, t.deal_id, t.task_id) AS id, array_agg(g.name ORDER BY g.name_key) AS names
  FROM taggings t JOIN tags g ON g.id = t.tag_id
 WHERE g.deleted_at IS NULL
   AND ($1::text = 'leads' AND t.lead_id = ANY ($2::uuid[])
     OR $1 = 'contacts' AND t.contact_id = ANY ($2)
     OR $1 = 'companies' AND t.company_id = ANY ($2)
     OR $1 = 'deals' AND t.deal_id = ANY ($2)
     OR $1 = 'tasks' AND t.task_id = ANY ($2))
 GROUP BY 1

-- name: list_hidden
SELECT app.hidden_fields($1)

-- name: leads_keys
SELECT DISTINCT k FROM leads, jsonb_object_keys(custom) AS k WHERE deleted_at IS NULL OR $1 ORDER BY k LIMIT 501

-- name: contacts_keys
SELECT DISTINCT k FROM contacts, jsonb_object_keys(custom) AS k WHERE deleted_at IS NULL OR $1 ORDER BY k LIMIT 501

-- name: companies_keys
SELECT DISTINCT k FROM companies, jsonb_object_keys(custom) AS k WHERE deleted_at IS NULL OR $1 ORDER BY k LIMIT 501

-- name: deals_keys
SELECT DISTINCT k FROM deals, jsonb_object_keys(custom) AS k WHERE deleted_at IS NULL OR $1 ORDER BY k LIMIT 501

-- name: tasks_keys
SELECT DISTINCT k FROM tasks, jsonb_object_keys(custom) AS k WHERE deleted_at IS NULL OR $1 ORDER BY k LIMIT 501
