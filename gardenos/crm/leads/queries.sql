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
