-- name: load_leads
SELECT id, first_name, last_name, email, phone, company, job_title, website, city, country,
       source, notes, custom, created_at, deleted_at
  FROM public.leads
 WHERE id = ANY($1::uuid[]);

-- name: load_agency_name
SELECT name FROM public.agencies WHERE id = (SELECT app.agency_id());

-- name: store_scores
-- A lead removed for good meanwhile leaves its score without one; of two scores the later task's wins.
WITH given AS (
  SELECT g.*, l.id AS present
    FROM jsonb_to_recordset($1::jsonb) AS g(
           task_id uuid, lead_id uuid, quality_score smallint, conversion_probability double precision,
           reasons jsonb, next_actions jsonb, provider text, model text)
    LEFT JOIN public.leads l ON l.id = g.lead_id
), stored AS (
  INSERT INTO public.lead_scores
         (agency_id, task_id, lead_id, quality_score, conversion_probability, reasons, next_actions,
          provider, model)
  SELECT (SELECT app.agency_id()), task_id, present, quality_score, conversion_probability, reasons,
         next_actions, provider, model
    FROM given
   ORDER BY task_id
      ON CONFLICT (task_id) DO NOTHING
  RETURNING task_id
), latest AS (
  SELECT DISTINCT ON (g.present) g.present AS lead_id, g.quality_score, g.conversion_probability
    FROM given g JOIN stored s USING (task_id)
   WHERE g.present IS NOT NULL
   ORDER BY g.present, g.task_id DESC
)
UPDATE public.leads l
   SET quality_score = latest.quality_score,
       conversion_probability = latest.conversion_probability,
       scored_at = now()
  FROM latest
 WHERE l.id = latest.lead_id AND l.deleted_at IS NULL;

-- name: store_follow_ups
INSERT INTO public.follow_ups
       (agency_id, task_id, lead_id, subject, body, full_message, provider, model)
SELECT (SELECT app.agency_id()), g.task_id, l.id, g.subject, g.body, g.full_message, g.provider, g.model
  FROM jsonb_to_recordset($1::jsonb) AS g(
         task_id uuid, lead_id uuid, subject text, body text, full_message text, provider text,
         model text)
  LEFT JOIN public.leads l ON l.id = g.lead_id
 ORDER BY g.task_id
    ON CONFLICT (task_id) DO NOTHING;

-- name: load_budget
-- In US dollars and calendar months of UTC.
SELECT m.month, l.monthly_usd, coalesce(s.cost_usd, 0) AS cost_usd
  FROM (SELECT date_trunc('month', now() AT TIME ZONE 'UTC')::date AS month) m
  LEFT JOIN public.dispatch_limits l
    ON l.agency_id = (SELECT app.agency_id()) AND l.agent_type IS NULL
  LEFT JOIN public.llm_spend s
    ON s.agency_id = (SELECT app.agency_id()) AND s.month = m.month;

-- name: record_llm_calls
-- The month's sum is written last of all a settling transaction does: all of an agency meet there.
WITH recorded AS (
  INSERT INTO public.llm_calls
         (agency_id, task_id, agent_type, provider, model, mode, outcome, input_tokens,
          output_tokens, cost_usd, latency_ms)
  SELECT (SELECT app.agency_id()), g.task_id, g.agent_type, g.provider, g.model, g.mode, g.outcome,
         g.input_tokens, g.output_tokens, g.cost_usd, g.latency_ms
    FROM jsonb_to_recordset($1::jsonb) AS g(
           task_id uuid, agent_type text, provider text, model text, mode text, outcome text,
           input_tokens integer, output_tokens integer, cost_usd numeric, latency_ms integer)
  RETURNING agency_id, input_tokens, output_tokens, cost_usd
)
INSERT INTO public.llm_spend AS s (agency_id, month, calls, input_tokens, output_tokens, cost_usd)
SELECT r.agency_id, date_trunc('month', now() AT TIME ZONE 'UTC')::date, count(*),
       coalesce(sum(r.input_tokens), 0), coalesce(sum(r.output_tokens), 0),
       coalesce(sum(r.cost_usd), 0)
  FROM recorded r
 GROUP BY r.agency_id
    ON CONFLICT (agency_id, month) DO UPDATE
   SET calls = s.calls + excluded.calls,
       input_tokens = s.input_tokens + excluded.input_tokens,
       output_tokens = s.output_tokens + excluded.output_tokens,
       cost_usd = s.cost_usd + excluded.cost_usd;
