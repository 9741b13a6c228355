-- name: create_job
INSERT INTO bulk_jobs (agency_id, entity, created_by, role, key_id, scopes, total)
VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING id;

-- name: add_chunks
INSERT INTO bulk_chunks (agency_id, job_id, number, operations)
SELECT $1, $2, n - 1, operations FROM unnest($3::bytea[]) WITH ORDINALITY AS u(operations, n);

-- name: note_task
UPDATE bulk_jobs SET task_id = $2 WHERE id = $1;

-- name: get_job
SELECT j.id, j.entity, j.created_by, j.total, j.succeeded, j.failed, j.task_id, j.created_at, j.started_at, j.finished_at,
       CASE WHEN j.finished_at IS NOT NULL THEN 'finished'
            WHEN t.state IN ('cancelled', 'dead') THEN 'stopped'
            WHEN j.started_at IS NOT NULL THEN 'running'
            ELSE 'queued' END AS state
  FROM bulk_jobs j LEFT JOIN agent_tasks t ON t.id = j.task_id
 WHERE j.id = $1;

-- name: list_results
SELECT number, results FROM bulk_chunks
 WHERE job_id = $1 AND number BETWEEN $2 AND $3 AND results IS NOT NULL
 ORDER BY number;

-- name: list_senders
SELECT id, created_by, role, key_id, scopes FROM bulk_jobs WHERE id = ANY ($1::uuid[]);

-- name: lock_job
SELECT entity, role, key_id, succeeded, failed FROM bulk_jobs WHERE id = $1 FOR UPDATE;

-- name: may_still
SELECT EXISTS (SELECT FROM members m
                WHERE m.agency_id = $1 AND m.user_id = $2
                  AND array_position(ARRAY['read_only', 'agent', 'manager', 'admin', 'owner'], m.role)
                      >= array_position(ARRAY['read_only', 'agent', 'manager', 'admin', 'owner'], $3))
   AND ($4::uuid IS NULL
        OR EXISTS (SELECT FROM api_keys k
                    WHERE k.id = $4 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())));

-- name: next_chunk
SELECT number, operations FROM bulk_chunks
 WHERE job_id = $1 AND results IS NULL
 ORDER BY number
 LIMIT 1;

-- name: keep_results
UPDATE bulk_chunks SET operations = NULL, results = $3 WHERE job_id = $1 AND number = $2;

-- name: note_progress
UPDATE bulk_jobs
   SET succeeded = succeeded + $2, failed = failed + $3, started_at = coalesce(started_at, now()),
       finished_at = CASE WHEN succeeded + failed + $2 + $3 = total THEN now() END
 WHERE id = $1
RETURNING finished_at IS NOT NULL;
