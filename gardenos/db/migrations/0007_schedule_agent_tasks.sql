-- A lane is what one agency has queued for one agent type at one priority. Dispatch reads the heads
-- of lanes and then as many of a lane as its turn allows: never the backlog, however long it is.
DROP INDEX public.agent_tasks_lease_idx;
CREATE INDEX agent_tasks_lane_idx ON public.agent_tasks (agent_type, priority, agency_id, run_at, id)
  WHERE state = 'queued';

-- What runs is bounded by what agents accept, so one small index serves its counts and its leases.
-- It leaves lease_until out: a heartbeat then touches no index.
DROP INDEX public.agent_tasks_expiry_idx;
CREATE INDEX agent_tasks_running_idx ON public.agent_tasks (agent_type, agency_id) INCLUDE (leased_by)
  WHERE state = 'running';

-- Lists by state and counts by state; the key's index holds only what has a key.
CREATE INDEX agent_tasks_state_idx ON public.agent_tasks (agency_id, state, id DESC) INCLUDE (agent_type);
CREATE INDEX agent_tasks_finished_idx ON public.agent_tasks (finished_at)
  WHERE state IN ('succeeded', 'cancelled');
-- Runs that failed are few; these two find the latest of them.
CREATE INDEX agent_tasks_dead_idx ON public.agent_tasks (finished_at) WHERE state = 'dead';
CREATE INDEX agent_tasks_retried_idx ON public.agent_tasks (started_at)
  WHERE state = 'queued' AND started_at IS NOT NULL;
DROP INDEX public.agent_tasks_idempotency_key;
CREATE UNIQUE INDEX agent_tasks_idempotency_key ON public.agent_tasks (agency_id, idempotency_key)
  WHERE idempotency_key IS NOT NULL;

-- Cancelling marks a task; whoever would queue it, or keep it queued, ends it instead.
ALTER TABLE public.agent_tasks
  ADD COLUMN cancel_requested_at timestamptz,
  ADD COLUMN cancelled_by uuid,
  ADD CONSTRAINT a_canceller_cancels CHECK (cancelled_by IS NULL OR cancel_requested_at IS NOT NULL),
  ADD CONSTRAINT attempts_are_bounded CHECK (attempt <= max_retries + 1),
  ADD CONSTRAINT a_lease_raises_the_fence CHECK (fence >= 0 AND (fence > 0) = (started_at IS NOT NULL)),
  ADD CONSTRAINT marked_tasks_do_not_wait CHECK (state <> 'queued' OR cancel_requested_at IS NULL);
CREATE FUNCTION app.end_cancelled_task() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  NEW.state := 'cancelled';
  NEW.finished_at := now();
  NEW.lease_until := NULL;
  NEW.leased_by := NULL;
  NEW.error := '{"code": "cancelled", "detail": "A member of the agency cancelled it."}';
  RETURN NEW;
END
$$;
CREATE TRIGGER agent_tasks_cancel BEFORE UPDATE ON public.agent_tasks FOR EACH ROW
  WHEN (NEW.state = 'queued' AND NEW.cancel_requested_at IS NOT NULL)
  EXECUTE FUNCTION app.end_cancelled_task();
GRANT UPDATE (cancel_requested_at, cancelled_by) ON public.agent_tasks TO authenticated;
-- The orchestrator enqueues what schedules ask for.
GRANT INSERT ON public.agent_tasks TO gardenos_worker;

-- What recurs: each due time becomes one task, in the transaction that moves next_run_at on.
CREATE TABLE public.task_schedules (
  id           uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id    uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  name         text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
  agent_type   text NOT NULL CHECK (agent_type ~ '^[a-z][a-z0-9_]{0,62}$'),
  payload      jsonb NOT NULL DEFAULT '{}',
  priority     smallint NOT NULL DEFAULT 5 CHECK (priority BETWEEN 1 AND 9),
  max_retries  smallint NOT NULL DEFAULT 3 CHECK (max_retries BETWEEN 0 AND 100),
  cron         text NOT NULL CHECK (char_length(cron) BETWEEN 1 AND 200),
  time_zone    text NOT NULL DEFAULT 'UTC' CHECK (char_length(time_zone) BETWEEN 1 AND 100),
  enabled      boolean NOT NULL DEFAULT true,
  next_run_at  timestamptz NOT NULL,
  last_run_at  timestamptz,
  last_task_id uuid,
  created_by   uuid,
  version      bigint NOT NULL DEFAULT 1,
  created_at   timestamptz NOT NULL DEFAULT now(),
  updated_at   timestamptz NOT NULL DEFAULT now(),
  UNIQUE (agency_id, name)
);
CREATE INDEX task_schedules_due_idx ON public.task_schedules (next_run_at) WHERE enabled;
-- Its version is what a member changed: the orchestrator moving it on is no change of theirs.
CREATE TRIGGER task_schedules_touch
  BEFORE UPDATE OF name, agent_type, payload, priority, max_retries, cron, time_zone, enabled
  ON public.task_schedules FOR EACH ROW EXECUTE FUNCTION app.touch();
ALTER TABLE public.task_schedules ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.task_schedules FORCE ROW LEVEL SECURITY;
CREATE POLICY task_schedules_select ON public.task_schedules FOR SELECT TO authenticated
  USING (agency_id = (SELECT app.agency_id()));
CREATE POLICY task_schedules_insert ON public.task_schedules FOR INSERT TO authenticated
  WITH CHECK (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_write()));
CREATE POLICY task_schedules_update ON public.task_schedules FOR UPDATE TO authenticated
  USING (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_write()))
  WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY task_schedules_delete ON public.task_schedules FOR DELETE TO authenticated
  USING (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_write()));
CREATE POLICY task_schedules_worker ON public.task_schedules FOR ALL TO gardenos_worker USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON public.task_schedules TO authenticated;
GRANT SELECT, UPDATE ON public.task_schedules TO gardenos_worker;

-- How much of the agents an agency gets (agent_type null), all agencies together take of a type
-- (agency_id null), or an agency of a type. Null columns do not limit.
CREATE TABLE public.dispatch_limits (
  id                  uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id           uuid REFERENCES public.agencies (id) ON DELETE CASCADE,
  agent_type          text CHECK (agent_type ~ '^[a-z][a-z0-9_]{0,62}$'),
  weight              smallint NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 100),
  max_running         integer CHECK (max_running > 0),
  requests_per_minute integer CHECK (requests_per_minute > 0),
  tokens_per_minute   integer CHECK (tokens_per_minute > 0),
  monthly_usd         numeric(12, 2) CHECK (monthly_usd >= 0),
  set_by              uuid,
  set_at              timestamptz NOT NULL DEFAULT now(),
  UNIQUE NULLS NOT DISTINCT (agency_id, agent_type),
  CONSTRAINT limits_something CHECK (agency_id IS NOT NULL OR agent_type IS NOT NULL),
  CONSTRAINT an_agency_has_one_weight CHECK (weight = 1 OR (agency_id IS NOT NULL AND agent_type IS NULL)),
  CONSTRAINT an_agency_has_one_budget CHECK (monthly_usd IS NULL OR (agency_id IS NOT NULL AND agent_type IS NULL))
);
COMMENT ON COLUMN public.dispatch_limits.monthly_usd IS 'US dollars that models may cost the agency in a calendar month (UTC).';
ALTER TABLE public.dispatch_limits ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.dispatch_limits FORCE ROW LEVEL SECURITY;
CREATE POLICY dispatch_limits_select ON public.dispatch_limits FOR SELECT TO authenticated, gardenos_agent
  USING (agency_id = (SELECT app.agency_id()));
CREATE POLICY dispatch_limits_insert ON public.dispatch_limits FOR INSERT TO authenticated WITH CHECK (false);
CREATE POLICY dispatch_limits_update ON public.dispatch_limits FOR UPDATE TO authenticated USING (false);
CREATE POLICY dispatch_limits_delete ON public.dispatch_limits FOR DELETE TO authenticated USING (false);
CREATE POLICY dispatch_limits_worker ON public.dispatch_limits FOR ALL TO gardenos_worker USING (true) WITH CHECK (true);
GRANT SELECT ON public.dispatch_limits TO authenticated, gardenos_agent;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.dispatch_limits TO gardenos_worker;

-- What models cost an agency in a month, kept beside llm_calls so that a budget is one row to read.
CREATE TABLE public.llm_spend (
  agency_id     uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  month         date NOT NULL CHECK (extract(day FROM month) = 1),
  calls         bigint NOT NULL DEFAULT 0,
  input_tokens  bigint NOT NULL DEFAULT 0,
  output_tokens bigint NOT NULL DEFAULT 0,
  cost_usd      numeric(18, 9) NOT NULL DEFAULT 0,
  PRIMARY KEY (agency_id, month)
);
ALTER TABLE public.llm_spend ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.llm_spend FORCE ROW LEVEL SECURITY;
CREATE POLICY llm_spend_select ON public.llm_spend FOR SELECT TO authenticated, gardenos_agent
  USING (agency_id = (SELECT app.agency_id()));
CREATE POLICY llm_spend_insert ON public.llm_spend FOR INSERT TO gardenos_agent
  WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY llm_spend_update ON public.llm_spend FOR UPDATE TO gardenos_agent
  USING (agency_id = (SELECT app.agency_id())) WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY llm_spend_delete ON public.llm_spend FOR DELETE TO authenticated, gardenos_agent USING (false);
CREATE POLICY llm_spend_worker ON public.llm_spend FOR SELECT TO gardenos_worker USING (true);
GRANT SELECT ON public.llm_spend TO authenticated, gardenos_worker;
GRANT SELECT, INSERT, UPDATE ON public.llm_spend TO gardenos_agent;
INSERT INTO public.llm_spend (agency_id, month, calls, input_tokens, output_tokens, cost_usd)
SELECT agency_id, date_trunc('month', created_at AT TIME ZONE 'UTC')::date, count(*),
       coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0), coalesce(sum(cost_usd), 0)
  FROM public.llm_calls
 GROUP BY 1, 2;

-- The orchestrator reads the last minute's tokens of agencies with a limit.
CREATE INDEX llm_calls_recent_idx ON public.llm_calls (agency_id, created_at) INCLUDE (agent_type, input_tokens, output_tokens);
CREATE POLICY llm_calls_worker ON public.llm_calls FOR SELECT TO gardenos_worker USING (true);
GRANT SELECT ON public.llm_calls TO gardenos_worker;

-- What is not to be dispatched: an agent type, an agency, or one agency's work for one type.
CREATE TABLE public.dispatch_pauses (
  id         uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id  uuid REFERENCES public.agencies (id) ON DELETE CASCADE,
  agent_type text CHECK (agent_type ~ '^[a-z][a-z0-9_]{0,62}$'),
  reason     text NOT NULL DEFAULT '' CHECK (char_length(reason) <= 500),
  set_by     uuid,
  set_at     timestamptz NOT NULL DEFAULT now(),
  UNIQUE NULLS NOT DISTINCT (agency_id, agent_type),
  CONSTRAINT pauses_something CHECK (agency_id IS NOT NULL OR agent_type IS NOT NULL)
);
ALTER TABLE public.dispatch_pauses ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.dispatch_pauses FORCE ROW LEVEL SECURITY;
CREATE POLICY dispatch_pauses_select ON public.dispatch_pauses FOR SELECT TO authenticated
  USING (agency_id = (SELECT app.agency_id()));
CREATE POLICY dispatch_pauses_insert ON public.dispatch_pauses FOR INSERT TO authenticated
  WITH CHECK (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_administer()));
CREATE POLICY dispatch_pauses_update ON public.dispatch_pauses FOR UPDATE TO authenticated USING (false);
CREATE POLICY dispatch_pauses_delete ON public.dispatch_pauses FOR DELETE TO authenticated
  USING (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_administer()));
CREATE POLICY dispatch_pauses_worker ON public.dispatch_pauses FOR ALL TO gardenos_worker USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, DELETE ON public.dispatch_pauses TO authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.dispatch_pauses TO gardenos_worker;

-- What operators did, kept for good: sizes, pauses, limits, replays.
CREATE TABLE public.operator_actions (
  id     uuid PRIMARY KEY DEFAULT uuidv7(),
  at     timestamptz NOT NULL DEFAULT now(),
  actor  uuid NOT NULL,
  action text NOT NULL CHECK (action ~ '^[a-z_]{1,40}$'),
  target text NOT NULL CHECK (char_length(target) <= 200),
  detail jsonb NOT NULL DEFAULT '{}'
);
ALTER TABLE public.operator_actions ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.operator_actions FORCE ROW LEVEL SECURITY;
CREATE POLICY operator_actions_select ON public.operator_actions FOR SELECT TO gardenos_worker USING (true);
CREATE POLICY operator_actions_insert ON public.operator_actions FOR INSERT TO gardenos_worker WITH CHECK (true);
GRANT SELECT, INSERT ON public.operator_actions TO gardenos_worker;
