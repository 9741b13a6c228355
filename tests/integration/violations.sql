-- name: sound
-- Two analyses and a draft, of agency $1.
INSERT INTO agent_tasks (agency_id, agent_type, payload, idempotency_key)
VALUES ($1, 'lead_analysis', '{}', 'ended'), ($1, 'lead_analysis', '{}', 'queued'),
       ($1, 'follow_up', '{}', NULL)

-- name: ended
-- One of each has succeeded, with its effect, a call to a model and a schedule that asked for it.
WITH done AS (
  UPDATE agent_tasks
     SET state = 'succeeded', result = '{}', started_at = now(), finished_at = now(), fence = 1
   WHERE idempotency_key = 'ended' OR agent_type = 'follow_up'
  RETURNING id, agency_id, agent_type
), scored AS (
  INSERT INTO lead_scores (agency_id, task_id, quality_score, conversion_probability, provider, model)
  SELECT agency_id, id, 50, 0.5, 'rules', 'rules' FROM done WHERE agent_type = 'lead_analysis'
), called AS (
  INSERT INTO llm_calls (agency_id, task_id, agent_type, provider, model, outcome, input_tokens,
                         output_tokens, cost_usd, latency_ms)
  SELECT agency_id, id, agent_type, 'openai', 'm', 'ok', 100, 10, 0.001, 5 FROM done
), spent AS (
  INSERT INTO llm_spend (agency_id, month, calls, input_tokens, output_tokens, cost_usd)
  SELECT agency_id, date_trunc('month', now() AT TIME ZONE 'UTC')::date, count(*), 200, 20, 0.002
    FROM done GROUP BY agency_id
), planned AS (
  INSERT INTO task_schedules (agency_id, name, agent_type, cron, next_run_at, last_run_at, last_task_id)
  SELECT agency_id, agent_type, agent_type, '@hourly', now() + interval '1 hour', now(), id FROM done
)
INSERT INTO follow_ups (agency_id, task_id, subject, body, full_message, provider, model)
SELECT agency_id, id, 's', 'b', 'm', 'rules', 'rules' FROM done WHERE agent_type = 'follow_up'

-- name: freed
-- What would refuse most of the violations by itself.
DO $$ DECLARE c record; BEGIN
  FOR c IN SELECT conrelid::regclass AS of, conname FROM pg_constraint
            WHERE contype IN ('c', 'u')
              AND conrelid IN ('agent_tasks'::regclass, 'lead_scores'::regclass, 'follow_ups'::regclass)
  LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.of, c.conname); END LOOP;
END $$;
DROP INDEX agent_tasks_idempotency_key;
ALTER TABLE agent_tasks DISABLE TRIGGER agent_tasks_cancel

-- name: states_are_known
UPDATE agent_tasks SET state = 'lost' WHERE idempotency_key = 'queued'

-- name: running_tasks_hold_a_lease
UPDATE agent_tasks SET state = 'running', started_at = now(), fence = 1, leased_by = 'x'
 WHERE idempotency_key = 'queued'

-- name: leases_are_tended
UPDATE agent_tasks
   SET state = 'running', started_at = now(), fence = 1, leased_by = 'x',
       lease_until = now() - interval '91 s'
 WHERE idempotency_key = 'queued'

-- name: terminal_tasks_have_an_end
UPDATE agent_tasks SET finished_at = NULL WHERE idempotency_key = 'ended'

-- name: runs_were_started
UPDATE agent_tasks SET finished_at = started_at - interval '1 s' WHERE idempotency_key = 'ended'

-- name: results_are_of_successes
UPDATE agent_tasks SET result = '{}' WHERE idempotency_key = 'queued'

-- name: marked_tasks_do_not_wait
UPDATE agent_tasks SET cancel_requested_at = now() WHERE idempotency_key = 'queued'

-- name: attempts_are_bounded
UPDATE agent_tasks SET attempt = 4, fence = 4 WHERE idempotency_key = 'queued'

-- name: fences_count_runs
UPDATE agent_tasks SET attempt = 2, fence = 1 WHERE idempotency_key = 'queued'

-- name: idempotency_keys_are_unique
UPDATE agent_tasks SET idempotency_key = 'ended' WHERE idempotency_key = 'queued'

-- name: scores_are_of_successes
INSERT INTO lead_scores (agency_id, task_id, quality_score, conversion_probability, provider, model)
SELECT agency_id, id, 1, 0, 'p', 'm' FROM agent_tasks WHERE idempotency_key = 'queued'

-- name: drafts_are_of_successes
INSERT INTO follow_ups (agency_id, task_id, subject, body, full_message, provider, model)
SELECT agency_id, id, 's', 'b', 'm', 'p', 'm' FROM agent_tasks WHERE idempotency_key = 'queued'

-- name: scores_stand_once
INSERT INTO lead_scores (agency_id, task_id, quality_score, conversion_probability, provider, model)
SELECT agency_id, task_id, 1, 0, 'p', 'm' FROM lead_scores

-- name: drafts_stand_once
INSERT INTO follow_ups (agency_id, task_id, subject, body, full_message, provider, model)
SELECT agency_id, task_id, 's', 'b', 'm', 'p', 'm' FROM follow_ups

-- name: successes_have_a_score
DELETE FROM lead_scores

-- name: successes_have_a_draft
DELETE FROM follow_ups

-- name: schedules_fire_once
INSERT INTO agent_tasks (agency_id, agent_type, idempotency_key)
SELECT agency_id, agent_type, 'schedule:' || id || due
  FROM task_schedules
 CROSS JOIN (VALUES (':2026-11-24T07:00:00+00:00'), (':2026-11-24T08:00:00+01:00')) AS v(due)
 WHERE agent_type = 'follow_up'

-- name: schedules_move_on
UPDATE task_schedules SET next_run_at = last_run_at

-- name: spend_is_the_sum_of_calls
UPDATE llm_spend SET cost_usd = cost_usd * 2
