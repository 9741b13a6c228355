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
         -- Not before now: tasks run in the order of this, and a date long past would push in.
         greatest(w.run_at, now()), $3
    FROM wanted w
   ORDER BY w.ordinal
  ON CONFLICT (agency_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
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
-- Here and in the next ones rows are locked in the order of their ids, so that none waits in a ring.
WITH held AS MATERIALIZED (
  SELECT t.id
    FROM unnest($1::uuid[], $2::bigint[]) AS h(id, fence)
    JOIN agent_tasks t ON t.id = h.id AND t.fence = h.fence AND t.state = 'running'
   ORDER BY t.id
     FOR NO KEY UPDATE OF t
)
UPDATE agent_tasks t
   SET lease_until = now() + $3::interval
  FROM held
 WHERE t.id = held.id
RETURNING t.id

-- name: find_expired
SELECT id, fence, attempt, max_retries
  FROM agent_tasks
 WHERE state = 'running' AND lease_until < now()
 ORDER BY lease_until
 LIMIT $1
   FOR UPDATE SKIP LOCKED

-- name: settle_unfinished
-- Tasks that ended otherwise than by success, each with the state and delay decided for it.
WITH settled AS MATERIALIZED (
  SELECT s.*
    FROM jsonb_to_recordset($1::jsonb) AS s(
           id uuid, fence bigint, state text, attempt smallint, delay_s double precision,
           run_at timestamptz, error jsonb)
    JOIN agent_tasks t ON t.id = s.id AND t.fence = s.fence AND t.state = 'running'
   ORDER BY t.id
     FOR NO KEY UPDATE OF t
)
UPDATE agent_tasks t
   SET state = s.state,
       attempt = s.attempt,
       run_at = CASE WHEN s.state = 'queued' THEN coalesce(s.run_at, now() + s.delay_s * interval '1 second')
                     ELSE t.run_at END,
       error = coalesce(s.error, t.error),
       lease_until = NULL,
       leased_by = NULL,
       finished_at = CASE WHEN s.state = 'queued' THEN NULL ELSE now() END
  FROM settled s
 WHERE t.id = s.id
RETURNING t.id, t.state, t.awaited

-- name: finish_batch
WITH finished AS MATERIALIZED (
  SELECT f.id, f.result
    FROM jsonb_to_recordset($1::jsonb) AS f(id uuid, fence bigint, result jsonb)
    JOIN agent_tasks t ON t.id = f.id AND t.fence = f.fence AND t.state = 'running'
   ORDER BY t.id
     FOR NO KEY UPDATE OF t
)
UPDATE agent_tasks t
   SET state = 'succeeded', result = f.result, finished_at = now(), lease_until = NULL,
       leased_by = NULL
  FROM finished f
 WHERE t.id = f.id
RETURNING t.id, t.state, t.awaited

-- name: hint_finished
SELECT pg_notify('gardenos_task_finished', $1)

-- name: hint_queued
SELECT pg_notify('gardenos_task_queued', $1)

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
-- Asked every second, so it must not pass over what has ended: each half reads its own partial index.
SELECT agent_type, sum(ready)::bigint AS ready, sum(scheduled)::bigint AS scheduled,
       sum(running)::bigint AS running, max(oldest_ready_s) AS oldest_ready_s
  FROM (SELECT agent_type,
               count(*) FILTER (WHERE run_at <= now()) AS ready,
               count(*) FILTER (WHERE run_at > now()) AS scheduled,
               0 AS running,
               extract(epoch FROM now() - min(run_at) FILTER (WHERE run_at <= now()))::float8
                 AS oldest_ready_s
          FROM agent_tasks
         WHERE state = 'queued'
         GROUP BY agent_type
         UNION ALL
        SELECT agent_type, 0, 0, count(*), NULL
          FROM agent_tasks
         WHERE state = 'running'
         GROUP BY agent_type) halves
 GROUP BY agent_type

-- name: queue_heads
SELECT h.id, h.agency_id, h.agent_type, h.priority, h.run_at, h.attempt, h.created_at
  FROM (SELECT DISTINCT agent_type FROM agent_tasks WHERE state = 'queued') types
 CROSS JOIN LATERAL (
   SELECT * FROM agent_tasks t
    WHERE t.state = 'queued' AND t.agent_type = types.agent_type AND t.run_at <= now()
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
