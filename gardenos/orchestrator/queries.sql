-- name: enqueue_batch
-- One statement, in the caller's transaction. A key seen before gives back the task it made.
WITH wanted AS (
  SELECT w.ordinal, w.agent_type, w.priority, w.payload, w.idempotency_key, w.awaited,
         w.max_retries, w.run_at
    FROM jsonb_to_recordset($1::jsonb) AS w(
      ordinal integer, agent_type text, priority smallint, payload jsonb, idempotency_key text,
      awaited boolean, max_retries smallint, run_at timestamptz)
), inserted AS (
  INSERT INTO agent_tasks (agency_id, agent_type, priority, payload, idempotency_key, awaited,
                           max_retries, run_at, created_by)
  SELECT $2, w.agent_type, w.priority, w.payload, w.idempotency_key, w.awaited, w.max_retries,
         coalesce(w.run_at, now()), $3
    FROM wanted w
   ORDER BY w.ordinal
  ON CONFLICT (agency_id, idempotency_key) DO NOTHING
  RETURNING id, agency_id, agent_type, state, priority, payload, attempt, max_retries, run_at,
            result, error, created_at, started_at, finished_at, idempotency_key
), hinted AS (
  SELECT count(pg_notify('gardenos_task_queued', t.agent_type)) AS hints
    FROM (SELECT DISTINCT agent_type FROM inserted) t
)
SELECT i.id, i.agent_type, i.state, i.priority, i.payload, i.attempt, i.max_retries, i.run_at,
       i.result, i.error, i.created_at, i.started_at, i.finished_at, i.idempotency_key
  FROM inserted i CROSS JOIN hinted
 ORDER BY i.id

-- name: find_by_keys
SELECT id, agent_type, state, priority, payload, attempt, max_retries, run_at, result, error,
       created_at, started_at, finished_at, idempotency_key
  FROM agent_tasks
 WHERE agency_id = (SELECT app.agency_id()) AND idempotency_key = ANY ($1::text[])

-- name: get_task
SELECT id, agent_type, state, priority, payload, attempt, max_retries, run_at, result, error,
       created_at, started_at, finished_at, idempotency_key
  FROM agent_tasks
 WHERE id = $1

-- name: list_tasks
SELECT id, agent_type, state, priority, payload, attempt, max_retries, run_at, result, error,
       created_at, started_at, finished_at, idempotency_key
  FROM agent_tasks
 WHERE agency_id = (SELECT app.agency_id())
   AND ($1::text IS NULL OR state = $1)
   AND ($2::text IS NULL OR agent_type = $2)
   AND ($3::uuid IS NULL OR id < $3)
 ORDER BY id DESC
 LIMIT $4

-- name: mark_awaited
UPDATE agent_tasks SET awaited = true WHERE id = $1 AND NOT awaited

-- name: count_by_state
SELECT agent_type, state, count(*) AS tasks
  FROM agent_tasks
 WHERE agency_id = (SELECT app.agency_id())
 GROUP BY agent_type, state

-- name: take_office
-- The row lock makes rivals wait; a new holder raises the epoch, the old one only extends.
UPDATE orchestrator_lease
   SET epoch = epoch + (holder IS DISTINCT FROM $1)::int,
       holder = $1,
       expires_at = clock_timestamp() + $2::interval
 WHERE holder = $1 OR holder IS NULL OR expires_at < clock_timestamp()
RETURNING epoch

-- name: leave_office
UPDATE orchestrator_lease SET holder = NULL, expires_at = '-infinity' WHERE holder = $1

-- name: lease_batch
-- FOR SHARE holds the epoch still until this lease is committed: no rival can take office between.
WITH office AS MATERIALIZED (
  SELECT epoch FROM orchestrator_lease WHERE holder = $3 AND epoch = $5 FOR SHARE
), due AS MATERIALIZED (
  SELECT t.id
    FROM agent_tasks t
   WHERE t.state = 'queued' AND t.agent_type = $1 AND t.run_at <= now()
     AND EXISTS (SELECT FROM office)
   ORDER BY t.priority, t.run_at, t.id
   LIMIT $2
     FOR UPDATE SKIP LOCKED
)
UPDATE agent_tasks t
   SET state = 'running', fence = t.fence + 1, leased_by = $3,
       lease_until = now() + $4::interval, started_at = now()
  FROM due
 WHERE t.id = due.id
RETURNING t.id, t.priority, t.payload, t.max_retries, t.agency_id, t.agent_type, t.attempt,
          t.fence, t.created_by, t.awaited

-- name: heartbeat
UPDATE agent_tasks t
   SET lease_until = now() + $3::interval
  FROM unnest($1::uuid[], $2::bigint[]) AS held(id, fence)
 WHERE t.id = held.id AND t.fence = held.fence AND t.state = 'running'
RETURNING t.id, t.fence

-- name: find_expired
SELECT id, fence, attempt, max_retries
  FROM agent_tasks
 WHERE state = 'running' AND lease_until < now()
 ORDER BY lease_until
 LIMIT $1
   FOR UPDATE SKIP LOCKED

-- name: settle_unfinished
-- Tasks that ended otherwise than by success, each with the state and delay decided for it.
UPDATE agent_tasks t
   SET state = s.state,
       attempt = s.attempt,
       run_at = CASE WHEN s.state = 'queued' THEN coalesce(s.run_at, now() + s.delay_s * interval '1 second')
                     ELSE t.run_at END,
       error = coalesce(s.error, t.error),
       lease_until = NULL,
       leased_by = NULL,
       finished_at = CASE WHEN s.state = 'queued' THEN NULL ELSE now() END
  FROM jsonb_to_recordset($1::jsonb) AS s(
    id uuid, fence bigint, state text, attempt smallint, delay_s double precision,
    run_at timestamptz, error jsonb)
 WHERE t.id = s.id AND t.fence = s.fence AND t.state = 'running'
RETURNING t.id, t.state, t.awaited

-- name: finish_batch
UPDATE agent_tasks t
   SET state = 'succeeded', result = s.result, finished_at = now(), lease_until = NULL,
       leased_by = NULL
  FROM jsonb_to_recordset($1::jsonb) AS s(id uuid, fence bigint, result jsonb)
 WHERE t.id = s.id AND t.fence = s.fence AND t.state = 'running'
RETURNING t.id, t.state, t.awaited

-- name: hint_finished
SELECT pg_notify('gardenos_task_finished', $1)

-- name: hint_queued
SELECT pg_notify('gardenos_task_queued', $1)

-- name: cancel_queued
UPDATE agent_tasks
   SET state = 'cancelled', finished_at = now(),
       error = jsonb_build_object('code', 'cancelled', 'detail', $2::text)
 WHERE id = $1 AND state = 'queued'
RETURNING id

-- name: replay_dead
UPDATE agent_tasks
   SET state = 'queued', attempt = 0, run_at = now(), finished_at = NULL
 WHERE id = ANY ($1::uuid[]) AND state = 'dead'
RETURNING id, agent_type

-- name: prune_tasks
DELETE FROM agent_tasks
 WHERE id IN (SELECT id FROM agent_tasks
               WHERE state IN ('succeeded', 'cancelled') AND finished_at < now() - $1::interval
               ORDER BY finished_at LIMIT $2)

-- name: prune_idempotency_keys
DELETE FROM idempotency_keys WHERE created_at < now() - $1::interval

-- name: depth_by_type
SELECT agent_type,
       count(*) FILTER (WHERE state = 'queued' AND run_at <= now()) AS ready,
       count(*) FILTER (WHERE state = 'queued' AND run_at > now()) AS scheduled,
       count(*) FILTER (WHERE state = 'running') AS running,
       extract(epoch FROM now() - min(run_at) FILTER (WHERE state = 'queued' AND run_at <= now()))::float8
         AS oldest_ready_s
  FROM agent_tasks
 WHERE state IN ('queued', 'running')
 GROUP BY agent_type

-- name: queue_heads
SELECT h.id, h.agency_id, h.agent_type, h.priority, h.run_at, h.attempt, h.created_at
  FROM (SELECT DISTINCT agent_type FROM agent_tasks WHERE state = 'queued') types
 CROSS JOIN LATERAL (
   SELECT * FROM agent_tasks t
    WHERE t.state = 'queued' AND t.agent_type = types.agent_type
    ORDER BY t.priority, t.run_at, t.id
    LIMIT $1) h

-- name: set_override
INSERT INTO agent_overrides (agent_type, replicas, set_by, expires_at)
VALUES ($1, $2, $3, now() + $4::interval)
ON CONFLICT (agent_type) DO UPDATE
   SET replicas = excluded.replicas, set_by = excluded.set_by, set_at = now(),
       expires_at = excluded.expires_at
RETURNING agent_type, replicas, set_at, expires_at

-- name: list_overrides
SELECT agent_type, replicas, set_at, expires_at
  FROM agent_overrides
 WHERE expires_at IS NULL OR expires_at > now()
