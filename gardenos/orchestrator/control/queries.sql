-- name: take_role
SELECT set_config('role', $1, true)

-- name: record_action
INSERT INTO operator_actions (actor, action, target, detail) VALUES ($1, $2, $3, $4)

-- name: list_actions
SELECT id, at, actor, action, target, detail
  FROM operator_actions
 WHERE ($1::uuid IS NULL OR id < $1)
 ORDER BY id DESC
 LIMIT $2

-- name: get_task
SELECT id, agency_id, agent_type, state, priority, payload, attempt, max_retries, run_at, result, error,
       created_at, started_at, finished_at, idempotency_key, fence, cancel_requested_at
  FROM agent_tasks
 WHERE id = $1

-- name: list_tasks
SELECT id, agency_id, agent_type, state, priority, payload, attempt, max_retries, run_at, result, error,
       created_at, started_at, finished_at, idempotency_key, fence, cancel_requested_at
  FROM agent_tasks
 WHERE agency_id = $1
   AND ($2::text IS NULL OR state = $2)
   AND ($3::text IS NULL OR agent_type = $3)
   AND ($4::uuid IS NULL OR id < $4)
 ORDER BY id DESC
 LIMIT $5

-- name: watch_tasks
-- One statement a second for everybody who waits in a process, whichever agency they are of.
SELECT id, state, fence, cancel_requested_at IS NOT NULL AS cancelling
  FROM agent_tasks
 WHERE id = ANY ($1::uuid[])

-- name: cancel_task
-- The trigger ends a queued task in the same statement; a running one is marked for its agent.
UPDATE agent_tasks
   SET cancel_requested_at = now(), cancelled_by = $2
 WHERE id = $1 AND state IN ('queued', 'running') AND cancel_requested_at IS NULL
RETURNING id, agency_id, agent_type, state, priority, payload, attempt, max_retries, run_at, result, error,
          created_at, started_at, finished_at, idempotency_key, fence, cancel_requested_at

-- name: cancel_matching
-- Locked in the order of their ids, as by everybody else, so that none waits in a ring.
WITH chosen AS MATERIALIZED (
  SELECT id
    FROM agent_tasks
   WHERE ($1::uuid IS NULL OR agency_id = $1)
     AND state = ANY ($2::text[]) AND cancel_requested_at IS NULL
     AND ($3::text IS NULL OR agent_type = $3)
     AND ($4::smallint IS NULL OR priority = $4)
     AND ($5::timestamptz IS NULL OR created_at < $5)
   ORDER BY id
   LIMIT $6
     FOR NO KEY UPDATE
)
UPDATE agent_tasks t
   SET cancel_requested_at = now(), cancelled_by = $7
  FROM chosen
 WHERE t.id = chosen.id
RETURNING t.id, t.state

-- name: replay_task
UPDATE agent_tasks
   SET state = 'queued', attempt = 0, run_at = now(), finished_at = NULL,
       cancel_requested_at = NULL, cancelled_by = NULL
 WHERE id = $1 AND agency_id = $2 AND state = 'dead'
RETURNING id, agency_id, agent_type, state, priority, payload, attempt, max_retries, run_at, result, error,
          created_at, started_at, finished_at, idempotency_key, fence, cancel_requested_at

-- name: replay_matching
WITH chosen AS MATERIALIZED (
  SELECT id
    FROM agent_tasks
   WHERE ($1::uuid IS NULL OR agency_id = $1)
     AND state = 'dead'
     AND ($2::text IS NULL OR agent_type = $2)
     AND ($3::smallint IS NULL OR priority = $3)
     AND ($4::timestamptz IS NULL OR created_at < $4)
   ORDER BY id
   LIMIT $5
     FOR NO KEY UPDATE
)
UPDATE agent_tasks t
   SET state = 'queued', attempt = 0, run_at = now(), finished_at = NULL,
       cancel_requested_at = NULL, cancelled_by = NULL
  FROM chosen
 WHERE t.id = chosen.id
RETURNING t.id, t.agent_type

-- name: hint_queued
SELECT pg_notify('gardenos_task_queued', agent_type) FROM unnest($1::text[]) AS agent_type

-- name: create_schedule
INSERT INTO task_schedules (agency_id, name, agent_type, payload, priority, max_retries, cron, time_zone,
                            enabled, next_run_at, created_by)
SELECT $1, s.name, s.agent_type, s.payload, s.priority, s.max_retries, s.cron, s.time_zone, s.enabled, $3, $4
  FROM jsonb_to_record($2::jsonb) AS s(
         name text, agent_type text, payload jsonb, priority smallint, max_retries smallint, cron text,
         time_zone text, enabled boolean)
ON CONFLICT (agency_id, name) DO NOTHING
RETURNING id, name, agent_type, payload, priority, max_retries, cron, time_zone, enabled, next_run_at,
          last_run_at, last_task_id, created_by, version, created_at, updated_at

-- name: count_schedules
SELECT count(*) FROM task_schedules WHERE agency_id = (SELECT app.agency_id())

-- name: get_schedule
SELECT id, name, agent_type, payload, priority, max_retries, cron, time_zone, enabled, next_run_at,
       last_run_at, last_task_id, created_by, version, created_at, updated_at
  FROM task_schedules
 WHERE id = $1

-- name: hold_schedule
-- A change reads what it builds on: the orchestrator must not move it on in between.
SELECT id, name, agent_type, payload, priority, max_retries, cron, time_zone, enabled, next_run_at,
       last_run_at, last_task_id, created_by, version, created_at, updated_at
  FROM task_schedules
 WHERE id = $1
   FOR NO KEY UPDATE

-- name: list_schedules
SELECT id, name, agent_type, payload, priority, max_retries, cron, time_zone, enabled, next_run_at,
       last_run_at, last_task_id, created_by, version, created_at, updated_at
  FROM task_schedules
 WHERE agency_id = (SELECT app.agency_id()) AND ($1::uuid IS NULL OR id < $1)
 ORDER BY id DESC
 LIMIT $2

-- name: change_schedule
UPDATE task_schedules t
   SET name = s.name, agent_type = s.agent_type, payload = s.payload, priority = s.priority,
       max_retries = s.max_retries, cron = s.cron, time_zone = s.time_zone, enabled = s.enabled,
       next_run_at = $3
  FROM jsonb_to_record($2::jsonb) AS s(
         name text, agent_type text, payload jsonb, priority smallint, max_retries smallint, cron text,
         time_zone text, enabled boolean)
 WHERE t.id = $1
RETURNING t.id, t.name, t.agent_type, t.payload, t.priority, t.max_retries, t.cron, t.time_zone, t.enabled,
          t.next_run_at, t.last_run_at, t.last_task_id, t.created_by, t.version, t.created_at, t.updated_at

-- name: delete_schedule
DELETE FROM task_schedules
 WHERE id = $1 AND ($2::bigint[] IS NULL OR version = ANY ($2))
RETURNING id

-- name: list_pauses
SELECT agency_id, agent_type, reason, set_by, set_at
  FROM dispatch_pauses
 ORDER BY agent_type NULLS FIRST, agency_id NULLS FIRST

-- name: lift_pause
DELETE FROM dispatch_pauses
 WHERE agency_id IS NOT DISTINCT FROM $1 AND agent_type IS NOT DISTINCT FROM $2
RETURNING reason

-- name: find_pause
-- Whether a member set it: members see the members of their own agency, and no operator of others.
SELECT p.reason, EXISTS (SELECT FROM members m WHERE m.user_id = p.set_by) AS by_a_member
  FROM dispatch_pauses p
 WHERE p.agency_id IS NOT DISTINCT FROM $1 AND p.agent_type IS NOT DISTINCT FROM $2

-- name: set_pause
INSERT INTO dispatch_pauses (agency_id, agent_type, reason, set_by)
VALUES ($1, $2, $3, $4)
RETURNING agency_id, agent_type, reason, set_by, set_at

-- name: find_pauses_of_agency
-- What keeps an agency's tasks from running, by whomever.
SELECT agency_id IS NOT NULL AS own, agent_type
  FROM dispatch_pauses
 WHERE agency_id IS NULL OR agency_id = $1

-- name: list_limits
-- The spending of this month beside the budget that it counts against.
SELECT l.agency_id, l.agent_type, l.weight, l.max_running, l.requests_per_minute, l.tokens_per_minute,
       l.monthly_usd, l.set_by, l.set_at,
       CASE WHEN l.monthly_usd IS NOT NULL THEN coalesce(s.cost_usd, 0) END AS spent_usd
  FROM dispatch_limits l
  LEFT JOIN llm_spend s ON s.agency_id = l.agency_id
                       AND s.month = date_trunc('month', now() AT TIME ZONE 'UTC')::date
 ORDER BY l.agent_type NULLS FIRST, l.agency_id NULLS FIRST

-- name: set_limit
INSERT INTO dispatch_limits (agency_id, agent_type, weight, max_running, requests_per_minute,
                             tokens_per_minute, monthly_usd, set_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (agency_id, agent_type) DO UPDATE
   SET weight = excluded.weight, max_running = excluded.max_running,
       requests_per_minute = excluded.requests_per_minute,
       tokens_per_minute = excluded.tokens_per_minute, monthly_usd = excluded.monthly_usd,
       set_by = excluded.set_by, set_at = now()
RETURNING agency_id, agent_type, weight, max_running, requests_per_minute, tokens_per_minute, monthly_usd,
          set_by, set_at

-- name: lift_limit
DELETE FROM dispatch_limits
 WHERE agency_id IS NOT DISTINCT FROM $1 AND agent_type IS NOT DISTINCT FROM $2
RETURNING id
