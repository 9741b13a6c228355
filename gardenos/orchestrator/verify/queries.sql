-- name: states_are_known
-- A task is queued, running, succeeded, dead or cancelled.
SELECT id || ' is ' || state AS example, count(*) OVER () AS total
  FROM agent_tasks
 WHERE state NOT IN ('queued', 'running', 'succeeded', 'dead', 'cancelled')
 LIMIT 5

-- name: running_tasks_hold_a_lease
-- A running task has a lease and names its holder; no other task has either.
SELECT id || ' is ' || state || ', lease until ' || coalesce(lease_until::text, 'never')
         || ', held by ' || coalesce(leased_by, 'nobody') AS example,
       count(*) OVER () AS total
  FROM agent_tasks
 WHERE (state = 'running') <> (lease_until IS NOT NULL)
    OR (state = 'running') <> (leased_by IS NOT NULL)
 LIMIT 5

-- name: leases_are_tended
-- No running task's lease ran out longer ago than $1: somebody extends it, or takes the task back.
SELECT id || ' has a lease that ran out at ' || lease_until AS example, count(*) OVER () AS total
  FROM agent_tasks
 WHERE state = 'running' AND lease_until < now() - $1::interval
 ORDER BY lease_until
 LIMIT 5

-- name: terminal_tasks_have_an_end
-- A task has an end if and only if its state is terminal.
SELECT id || ' is ' || state || ' and ended ' || coalesce(finished_at::text, 'never') AS example,
       count(*) OVER () AS total
  FROM agent_tasks
 WHERE (state IN ('succeeded', 'dead', 'cancelled')) <> (finished_at IS NOT NULL)
 LIMIT 5

-- name: runs_were_started
-- What runs or has succeeded was leased before, and nothing succeeded before it was started.
SELECT id || ' is ' || state || ' under fence ' || fence || ', started '
         || coalesce(started_at::text, 'never') || ', ended ' || coalesce(finished_at::text, 'never')
         AS example,
       count(*) OVER () AS total
  FROM agent_tasks
 WHERE state IN ('running', 'succeeded')
   AND (started_at IS NULL OR fence < 1 OR finished_at < started_at)
 LIMIT 5

-- name: results_are_of_successes
-- Only what has succeeded has a result, and all of it; whatever is dead says why.
SELECT id || ' is ' || state || CASE WHEN result IS NULL THEN ' without' ELSE ' with' END || ' a result, '
         || CASE WHEN error IS NULL THEN 'without' ELSE 'with' END || ' an error' AS example,
       count(*) OVER () AS total
  FROM agent_tasks
 WHERE (state = 'succeeded') <> (result IS NOT NULL) OR (state = 'dead' AND error IS NULL)
 LIMIT 5

-- name: marked_tasks_do_not_wait
-- A task that somebody cancelled is not queued any more.
SELECT id || ' was cancelled at ' || cancel_requested_at || ' and is queued' AS example,
       count(*) OVER () AS total
  FROM agent_tasks
 WHERE state = 'queued' AND cancel_requested_at IS NOT NULL
 LIMIT 5

-- name: attempts_are_bounded
-- No task failed more often than max_retries + 1 times, and after that many none goes on.
SELECT id || ' is ' || state || ' after ' || attempt || ' failures with ' || max_retries || ' retries'
         AS example,
       count(*) OVER () AS total
  FROM agent_tasks
 WHERE attempt < 0
    OR attempt > max_retries + (state NOT IN ('queued', 'running'))::int
 LIMIT 5

-- name: fences_count_runs
-- Every run had a fence of its own: a task's fence is no less than the runs known of it.
SELECT id || ' is ' || state || ' after ' || attempt || ' failures under fence ' || fence AS example,
       count(*) OVER () AS total
  FROM agent_tasks
 WHERE fence < attempt + (state IN ('running', 'succeeded'))::int
 LIMIT 5

-- name: idempotency_keys_are_unique
-- A key of an agency made one task.
SELECT 'agency ' || agency_id || ' has ' || count(*) || ' tasks of key ' || idempotency_key AS example,
       count(*) OVER () AS total
  FROM agent_tasks
 WHERE idempotency_key IS NOT NULL
 GROUP BY agency_id, idempotency_key
HAVING count(*) > 1
 LIMIT 5

-- name: scores_are_of_successes
-- A score is of a lead_analysis of its agency that has succeeded; of one pruned since, it stays.
SELECT 'score ' || s.id || ' is of task ' || t.id || ', ' || t.agent_type || ' ' || t.state AS example,
       count(*) OVER () AS total
  FROM lead_scores s
  JOIN agent_tasks t ON t.id = s.task_id
 WHERE t.state <> 'succeeded' OR t.agent_type <> 'lead_analysis' OR t.agency_id <> s.agency_id
 LIMIT 5

-- name: drafts_are_of_successes
-- A draft is of a follow_up of its agency that has succeeded; of one pruned since, it stays.
SELECT 'draft ' || f.id || ' is of task ' || t.id || ', ' || t.agent_type || ' ' || t.state AS example,
       count(*) OVER () AS total
  FROM follow_ups f
  JOIN agent_tasks t ON t.id = f.task_id
 WHERE t.state <> 'succeeded' OR t.agent_type <> 'follow_up' OR t.agency_id <> f.agency_id
 LIMIT 5

-- name: scores_stand_once
-- No task has two scores.
SELECT 'task ' || task_id || ' has ' || count(*) || ' scores' AS example, count(*) OVER () AS total
  FROM lead_scores
 GROUP BY task_id
HAVING count(*) > 1
 LIMIT 5

-- name: drafts_stand_once
-- No task has two drafts.
SELECT 'task ' || task_id || ' has ' || count(*) || ' drafts' AS example, count(*) OVER () AS total
  FROM follow_ups
 GROUP BY task_id
HAVING count(*) > 1
 LIMIT 5

-- name: successes_have_a_score
-- Every lead_analysis that has succeeded has its score, unless its lead was removed for good.
SELECT 'task ' || t.id || ' has no score' AS example, count(*) OVER () AS total
  FROM agent_tasks t
 WHERE t.state = 'succeeded' AND t.agent_type = 'lead_analysis'
   AND NOT EXISTS (SELECT FROM lead_scores s WHERE s.task_id = t.id)
   AND (t.payload ->> 'lead_id' IS NULL
        OR EXISTS (SELECT FROM leads l
                    WHERE l.id = CASE WHEN pg_input_is_valid(t.payload ->> 'lead_id', 'uuid')
                                      THEN (t.payload ->> 'lead_id')::uuid END))
 LIMIT 5

-- name: successes_have_a_draft
-- Every follow_up that has succeeded has its draft, unless its lead was removed for good.
SELECT 'task ' || t.id || ' has no draft' AS example, count(*) OVER () AS total
  FROM agent_tasks t
 WHERE t.state = 'succeeded' AND t.agent_type = 'follow_up'
   AND NOT EXISTS (SELECT FROM follow_ups f WHERE f.task_id = t.id)
   AND (t.payload ->> 'lead_id' IS NULL
        OR EXISTS (SELECT FROM leads l
                    WHERE l.id = CASE WHEN pg_input_is_valid(t.payload ->> 'lead_id', 'uuid')
                                      THEN (t.payload ->> 'lead_id')::uuid END))
 LIMIT 5

-- name: schedules_fire_once
-- Each due time of a schedule became at most one task.
SELECT 'schedule ' || split_part(idempotency_key, ':', 2) || ' made ' || count(*) || ' tasks for '
         || due AS example,
       count(*) OVER () AS total
  FROM (SELECT *, substring(idempotency_key FROM '^schedule:[0-9a-f-]{36}:(.+)$') AS written
          FROM agent_tasks
         WHERE idempotency_key LIKE 'schedule:%') t
 CROSS JOIN LATERAL (SELECT CASE WHEN pg_input_is_valid(written, 'timestamptz')
                                 THEN written::timestamptz END AS due) d
 WHERE due IS NOT NULL
 GROUP BY agency_id, split_part(idempotency_key, ':', 2), due
HAVING count(*) > 1
 LIMIT 5

-- name: schedules_move_on
-- A schedule that has fired and goes on is due again later than that, and no two made the same task.
SELECT 'schedule ' || id || ' fired at ' || last_run_at || ' and is next due at ' || next_run_at
         || ', its task was ' || coalesce(last_task_id::text, 'none') AS example,
       count(*) OVER () AS total
  FROM (SELECT *, count(*) OVER (PARTITION BY last_task_id) AS makers FROM task_schedules) s
 WHERE (enabled AND next_run_at <= last_run_at) OR (last_task_id IS NOT NULL AND makers > 1)
 LIMIT 5

-- name: spend_is_the_sum_of_calls
-- What an agency spent in a month is the sum of its calls to models in that month (UTC).
SELECT 'agency ' || agency_id || ' in ' || to_char(month, 'YYYY-MM') || ': ' || coalesce(s.calls, 0)
         || ' calls for ' || coalesce(s.cost_usd, 0) || ' USD are kept as ' || coalesce(c.calls, 0)
         || ' for ' || coalesce(c.cost_usd, 0) AS example,
       count(*) OVER () AS total
  FROM llm_spend s
  FULL JOIN (SELECT agency_id, date_trunc('month', created_at AT TIME ZONE 'UTC')::date AS month,
                    count(*) AS calls, coalesce(sum(input_tokens), 0) AS input_tokens,
                    coalesce(sum(output_tokens), 0) AS output_tokens,
                    coalesce(sum(cost_usd), 0) AS cost_usd
               FROM llm_calls
              GROUP BY 1, 2) c USING (agency_id, month)
 WHERE coalesce(s.calls, 0) <> coalesce(c.calls, 0)
    OR coalesce(s.input_tokens, 0) <> coalesce(c.input_tokens, 0)
    OR coalesce(s.output_tokens, 0) <> coalesce(c.output_tokens, 0)
    OR coalesce(s.cost_usd, 0) <> coalesce(c.cost_usd, 0)
 LIMIT 5
