-- name: tag_record
INSERT INTO taggings (agency_id, tag_id, lead_id, contact_id, company_id, deal_id, task_id)
SELECT $1, g.id,
       CASE $2::text WHEN 'leads' THEN $3::uuid END,
       CASE $2 WHEN 'contacts' THEN $3 END,
       CASE $2 WHEN 'companies' THEN $3 END,
       CASE $2 WHEN 'deals' THEN $3 END,
       CASE $2 WHEN 'tasks' THEN $3 END
  FROM tags g
 WHERE g.id = $4 AND g.deleted_at IS NULL
    ON CONFLICT DO NOTHING
RETURNING tag_id

-- name: untag_record
DELETE FROM taggings
 WHERE tag_id = $3
   AND $2::uuid = CASE $1::text WHEN 'leads' THEN lead_id WHEN 'contacts' THEN contact_id
                                WHEN 'companies' THEN company_id WHEN 'deals' THEN deal_id
                                WHEN 'tasks' THEN task_id END
RETURNING tag_id

-- name: is_tagged
SELECT EXISTS (
  SELECT FROM taggings
   WHERE tag_id = $3
     AND $2::uuid = CASE $1::text WHEN 'leads' THEN lead_id WHEN 'contacts' THEN contact_id
                                  WHEN 'companies' THEN company_id WHEN 'deals' THEN deal_id
                                  WHEN 'tasks' THEN task_id END)

-- name: list_record_tags
-- Written out for each kind: each has an index of its own.
SELECT g.id, g.name, g.color, t.created_by AS tagged_by, t.created_at AS tagged_at
  FROM taggings t
  JOIN tags g ON g.id = t.tag_id
 WHERE g.deleted_at IS NULL
   AND ($1::text = 'leads' AND t.lead_id = $2::uuid
     OR $1 = 'contacts' AND t.contact_id = $2
     OR $1 = 'companies' AND t.company_id = $2
     OR $1 = 'deals' AND t.deal_id = $2
     OR $1 = 'tasks' AND t.task_id = $2)
   AND NOT 'tags' = ANY (app.hidden_fields($1))
 ORDER BY g.name_key
