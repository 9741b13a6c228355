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
            result, error, created_at, started_at, finished_at, idempotency_key, fence,
            cancel_requested_at
), hinted AS (
  -- A lane with what is due in it is enough to lease from it without a look. `lookout.Hint` reads it.
  SELECT count(pg_notify('gardenos_task_queued', concat_ws(' ', t.agent_type, t.lane))) AS hints
    FROM (SELECT agent_type,
                 CASE WHEN min(run_at) <= now()
                      THEN concat_ws(' ', priority, $2, (extract(epoch FROM min(run_at)) * 1000000)::bigint)
                 END AS lane
            FROM inserted
           GROUP BY agent_type, priority) t
)
SELECT i.id, i.agency_id, i.agent_type, i.state, i.priority, i.payload, i.attempt, i.max_retries,
       i.run_at, i.result, i.error, i.created_at, i.started_at, i.finished_at, i.idempotency_key,
       i.fence, i.cancel_requested_at
  FROM inserted i CROSS JOIN hinted
 ORDER BY i.id

-- name: find_by_keys
SELECT id, agency_id, agent_type, state, priority, payload, attempt, max_retries, run_at, result,
       error, created_at, started_at, finished_at, idempotency_key, fence, cancel_requested_at
  FROM agent_tasks
 WHERE agency_id = (SELECT app.agency_id()) AND idempotency_key = ANY ($1::text[])

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

-- name: find_lanes
-- The head of every lane, one index entry each: from lane to lane by a leap over the rest of it.
-- Of all types or those in $1, and at most $2 lanes of a type, the most urgent ones.
WITH RECURSIVE types AS (
  (SELECT t.agent_type FROM agent_tasks t WHERE t.state = 'queued' ORDER BY t.agent_type LIMIT 1)
  UNION ALL
  SELECT n.agent_type
    FROM types
   CROSS JOIN LATERAL (
     SELECT t.agent_type
       FROM agent_tasks t
      WHERE t.state = 'queued' AND t.agent_type > types.agent_type
      ORDER BY t.agent_type
      LIMIT 1) n
)
SELECT now() AS at, heads.agent_type, heads.priority, heads.agency_id, heads.run_at
  FROM (VALUES (true)) one
  LEFT JOIN (
    SELECT types.agent_type, lane.*
      FROM types
     CROSS JOIN LATERAL (
       WITH RECURSIVE lanes AS (
         (SELECT t.priority, t.agency_id, t.run_at
            FROM agent_tasks t
           WHERE t.state = 'queued' AND t.agent_type = types.agent_type
           ORDER BY t.priority, t.agency_id, t.run_at
           LIMIT 1)
         UNION ALL
         SELECT n.*
           FROM lanes
          CROSS JOIN LATERAL (
            SELECT t.priority, t.agency_id, t.run_at
              FROM agent_tasks t
             WHERE t.state = 'queued' AND t.agent_type = types.agent_type
               AND (t.priority, t.agency_id) > (lanes.priority, lanes.agency_id)
             ORDER BY t.priority, t.agency_id, t.run_at
             LIMIT 1) n
       )
       SELECT * FROM lanes LIMIT $2) lane
     WHERE $1::text[] IS NULL OR types.agent_type = ANY ($1)) heads ON true

-- name: lease_lanes
-- FOR SHARE holds the epoch still until this lease is committed: no rival can take office between.
WITH office AS MATERIALIZED (
  SELECT epoch FROM orchestrator_lease WHERE holder = $2 AND epoch = $4 FOR SHARE
), due AS MATERIALIZED (
  SELECT t.id
    FROM (SELECT *
            FROM unnest($5::smallint[], $6::uuid[], $7::integer[], $8::timestamptz[], $9::timestamptz[])
                   AS lane(priority, agency_id, n, due_from, due_before)
           -- All of them. It keeps the estimate low, and with it the one plan for all leases.
           LIMIT cardinality($7::integer[])) lane
   CROSS JOIN LATERAL (
     SELECT t.id
       FROM agent_tasks t
      WHERE t.state = 'queued' AND t.agent_type = $1
        AND t.priority = lane.priority AND t.agency_id = lane.agency_id
        AND t.run_at >= lane.due_from AND t.run_at <= least(lane.due_before, now())
      ORDER BY t.run_at, t.id
      LIMIT lane.n
        FOR UPDATE SKIP LOCKED) t
   WHERE EXISTS (SELECT FROM office)
)
UPDATE agent_tasks t
   SET state = 'running', fence = t.fence + 1, leased_by = $2,
       lease_until = now() + $3::interval, started_at = now()
 -- As an array, so that no estimate of how many these are can lead to a scan of the table.
 WHERE t.id = ANY (ARRAY (SELECT id FROM due))
RETURNING t.id, t.priority, t.payload, t.max_retries, t.agency_id, t.agent_type, t.attempt,
          t.fence, t.created_by, t.awaited, t.run_at

-- name: list_limits
SELECT agent_type, agency_id, weight, max_running, requests_per_minute, tokens_per_minute
  FROM dispatch_limits

-- name: list_pauses
SELECT agent_type, agency_id FROM dispatch_pauses

-- name: count_elsewhere
SELECT agent_type, agency_id, count(*) AS runs
  FROM agent_tasks
 WHERE state = 'running' AND leased_by <> $1
 GROUP BY agent_type, agency_id

-- name: count_tokens
-- Of the last minute, agency by agency, and only where somebody limits them.
WITH RECURSIVE agencies AS (
  (SELECT c.agency_id
     FROM llm_calls c
    WHERE EXISTS (SELECT FROM dispatch_limits WHERE tokens_per_minute IS NOT NULL)
    ORDER BY c.agency_id
    LIMIT 1)
  UNION ALL
  SELECT n.agency_id
    FROM agencies
   CROSS JOIN LATERAL (
     SELECT c.agency_id FROM llm_calls c WHERE c.agency_id > agencies.agency_id ORDER BY c.agency_id LIMIT 1) n
)
SELECT latest.agent_type, agencies.agency_id, latest.used, latest.runs
  FROM agencies
 CROSS JOIN LATERAL (
   SELECT c.agent_type, sum(coalesce(c.input_tokens, 0) + coalesce(c.output_tokens, 0))::bigint AS used,
          count(DISTINCT c.task_id) AS runs
     FROM llm_calls c
    WHERE c.agency_id = agencies.agency_id AND c.created_at > now() - interval '1 minute'
    GROUP BY c.agent_type) latest

-- name: count_begun
-- Runs of the last minute, each by its own small index, and only where somebody limits them.
SELECT agent_type, agency_id, ago_s, count(*) AS runs
  FROM (SELECT agent_type, agency_id, floor(extract(epoch FROM now() - started_at))::integer AS ago_s
          FROM (SELECT agent_type, agency_id, started_at FROM agent_tasks WHERE state = 'running'
                 UNION ALL
                SELECT agent_type, agency_id, started_at FROM agent_tasks
                 WHERE state IN ('succeeded', 'cancelled') AND finished_at > now() - interval '1 minute'
                 UNION ALL
                SELECT agent_type, agency_id, started_at FROM agent_tasks
                 WHERE state = 'dead' AND finished_at > now() - interval '1 minute'
                 UNION ALL
                SELECT agent_type, agency_id, started_at FROM agent_tasks
                 WHERE state = 'queued' AND started_at > now() - interval '1 minute') latest
         WHERE started_at > now() - interval '1 minute'
           AND EXISTS (SELECT FROM dispatch_limits WHERE requests_per_minute IS NOT NULL)) begun
 GROUP BY agent_type, agency_id, ago_s

-- name: find_due_schedules
SELECT id, agency_id, agent_type, payload, priority, max_retries, cron, time_zone, next_run_at,
       created_by, now() AS at
  FROM task_schedules
 WHERE enabled AND next_run_at <= now()
 ORDER BY next_run_at
 LIMIT $1
   FOR UPDATE SKIP LOCKED

-- name: fire_schedules
-- The task and the next time in one statement. A due time that has its task already makes no other.
WITH fired AS MATERIALIZED (
  SELECT f.*
    FROM jsonb_to_recordset($1::jsonb) AS f(
           id uuid, agency_id uuid, agent_type text, payload jsonb, priority smallint,
           max_retries smallint, idempotency_key text, created_by uuid, next_run_at timestamptz)
), made AS (
  INSERT INTO agent_tasks (agency_id, agent_type, payload, priority, max_retries, idempotency_key,
                           created_by, run_at)
  SELECT agency_id, agent_type, payload, priority, max_retries, idempotency_key, created_by, now()
    FROM fired
  ON CONFLICT (agency_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
  RETURNING id, agency_id, agent_type, priority, run_at, idempotency_key
), moved AS (
  UPDATE task_schedules s
     SET next_run_at = coalesce(f.next_run_at, s.next_run_at), last_run_at = now(),
         last_task_id = coalesce(m.id, s.last_task_id)
    FROM fired f
    LEFT JOIN made m ON m.agency_id = f.agency_id AND m.idempotency_key = f.idempotency_key
   WHERE s.id = f.id
), hinted AS (
  SELECT count(pg_notify('gardenos_task_queued', concat_ws(' ', t.agent_type, t.priority, t.agency_id, t.due_us))) AS hints
    FROM (SELECT agent_type, priority, agency_id,
                 (extract(epoch FROM min(run_at)) * 1000000)::bigint AS due_us
            FROM made
           GROUP BY agent_type, priority, agency_id) t
)
SELECT made.id FROM made CROSS JOIN hinted

-- name: stop_schedules
UPDATE task_schedules SET enabled = false WHERE id = ANY ($1::uuid[])

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
-- Results as text: whoever measured them has encoded them already.
WITH finished AS MATERIALIZED (
  SELECT f.id, f.result
    FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS f(id, fence, result)
    JOIN agent_tasks t ON t.id = f.id AND t.fence = f.fence AND t.state = 'running'
   ORDER BY t.id
     FOR NO KEY UPDATE OF t
)
UPDATE agent_tasks t
   SET state = 'succeeded', result = f.result::jsonb, finished_at = now(), lease_until = NULL,
       leased_by = NULL
  FROM finished f
 WHERE t.id = f.id
RETURNING t.id, t.awaited

-- name: hint_finished
SELECT pg_notify('gardenos_task_finished', $1)

-- name: prune_tasks
DELETE FROM agent_tasks
 WHERE id = ANY (ARRAY (
         SELECT id
           FROM agent_tasks
          WHERE state IN ('succeeded', 'cancelled') AND finished_at < now() - $1::interval
          ORDER BY finished_at
          LIMIT $2
            FOR UPDATE SKIP LOCKED))

-- name: purge_deleted
SELECT app.purge_deleted($1, $2)

-- name: purge_jobs
SELECT app.purge_jobs($1, $2), app.purge_imports($1, $2)

-- name: sweep_words
SELECT app.sweep_words($1)

-- name: fold_counts
SELECT app.fold_counts()

-- name: prune_idempotency_keys
DELETE FROM idempotency_keys WHERE created_at < now() - $1::interval

-- name: depth_by_type
-- Asked every second, so it reads at most $1 index entries of a type's queue, and what runs. What has
-- ended it never passes over. The oldest is exact all the same: it is the head of a lane.
WITH RECURSIVE lanes AS (
  (SELECT t.agent_type, t.priority, t.agency_id, t.run_at
     FROM agent_tasks t
    WHERE t.state = 'queued'
    ORDER BY t.agent_type, t.priority, t.agency_id, t.run_at
    LIMIT 1)
  UNION ALL
  SELECT n.*
    FROM lanes
   CROSS JOIN LATERAL (
     SELECT t.agent_type, t.priority, t.agency_id, t.run_at
       FROM agent_tasks t
      WHERE t.state = 'queued'
        AND (t.agent_type, t.priority, t.agency_id) > (lanes.agent_type, lanes.priority, lanes.agency_id)
      ORDER BY t.agent_type, t.priority, t.agency_id, t.run_at
      LIMIT 1) n
), waiting AS (
  SELECT heads.agent_type, counted.ready, counted.scheduled, counted.ready + counted.scheduled = $1 AS more,
         extract(epoch FROM now() - heads.oldest)::float8 AS oldest_ready_s
    FROM (SELECT agent_type, min(run_at) FILTER (WHERE run_at <= now()) AS oldest
            FROM lanes
           GROUP BY agent_type) heads
   CROSS JOIN LATERAL (
     SELECT count(*) FILTER (WHERE s.run_at <= now()) AS ready,
            count(*) FILTER (WHERE s.run_at > now()) AS scheduled
       FROM (SELECT t.run_at
               FROM agent_tasks t
              WHERE t.state = 'queued' AND t.agent_type = heads.agent_type
              ORDER BY t.priority, t.agency_id, t.run_at
              LIMIT $1::bigint) s) counted
), running AS (
  SELECT agent_type, count(*) AS running FROM agent_tasks WHERE state = 'running' GROUP BY agent_type
)
SELECT agent_type, coalesce(ready, 0) AS ready, coalesce(scheduled, 0) AS scheduled,
       coalesce(running, 0) AS running, oldest_ready_s, coalesce(more, false) AS at_least
  FROM waiting FULL JOIN running USING (agent_type)

-- name: queue_heads
-- The heads of lanes, the first due ones of each type: by lanes, so that no backlog is sorted.
WITH RECURSIVE lanes AS (
  (SELECT t.id, t.agency_id, t.agent_type, t.priority, t.run_at, t.attempt, t.created_at
     FROM agent_tasks t
    WHERE t.state = 'queued'
    ORDER BY t.agent_type, t.priority, t.agency_id, t.run_at, t.id
    LIMIT 1)
  UNION ALL
  SELECT n.*
    FROM lanes
   CROSS JOIN LATERAL (
     SELECT t.id, t.agency_id, t.agent_type, t.priority, t.run_at, t.attempt, t.created_at
       FROM agent_tasks t
      WHERE t.state = 'queued'
        AND (t.agent_type, t.priority, t.agency_id) > (lanes.agent_type, lanes.priority, lanes.agency_id)
      ORDER BY t.agent_type, t.priority, t.agency_id, t.run_at, t.id
      LIMIT 1) n
)
SELECT id, agency_id, agent_type, priority, run_at, attempt, created_at
  FROM (SELECT *, row_number() OVER (PARTITION BY agent_type ORDER BY priority, run_at, id) AS place
          FROM lanes
         WHERE run_at <= now()) placed
 WHERE place <= $1
 ORDER BY agent_type, place

-- name: set_override
-- What is asked for and who asked for it stand together, or neither does.
WITH asked AS (
  INSERT INTO agent_overrides (agent_type, replicas, set_by, expires_at)
  VALUES ($1, $2, $3, now() + $4::interval)
  ON CONFLICT (agent_type) DO UPDATE
     SET replicas = excluded.replicas, set_by = excluded.set_by, set_at = now(),
         expires_at = excluded.expires_at
  RETURNING agent_type, replicas, set_at, expires_at
), noted AS (
  INSERT INTO operator_actions (actor, action, target, detail)
  SELECT $3, 'scale', 'agents ' || agent_type,
         jsonb_build_object('replicas', replicas, 'expires_at', expires_at)
    FROM asked
)
SELECT agent_type, replicas, set_at, expires_at FROM asked

-- name: list_overrides
SELECT agent_type, replicas, set_at, expires_at
  FROM agent_overrides
 WHERE expires_at IS NULL OR expires_at > now()

-- name: find_unwanted_runs
-- Of runs under way, by id and fence: those a member wants cancelled (held), and those whose fence
-- counts no more.
SELECT r.id, r.fence, t.id IS NOT NULL AS held
  FROM unnest($1::uuid[], $2::bigint[]) AS r(id, fence)
  LEFT JOIN agent_tasks t ON t.id = r.id AND t.fence = r.fence AND t.state = 'running'
 WHERE t.id IS NULL OR t.cancel_requested_at IS NOT NULL
