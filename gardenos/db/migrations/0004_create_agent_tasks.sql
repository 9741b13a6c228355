-- The durable queue. A task is a row before anything runs; docs/task-states.md draws its states.
CREATE TABLE public.agent_tasks (
  id              uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id       uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  agent_type      text NOT NULL CHECK (agent_type ~ '^[a-z][a-z0-9_]{0,62}$'),
  state           text NOT NULL DEFAULT 'queued'
                  CHECK (state IN ('queued', 'running', 'succeeded', 'dead', 'cancelled')),
  priority        smallint NOT NULL DEFAULT 5 CHECK (priority BETWEEN 1 AND 9),
  payload         jsonb NOT NULL DEFAULT '{}',
  idempotency_key text CHECK (char_length(idempotency_key) BETWEEN 1 AND 255),
  awaited         boolean NOT NULL DEFAULT false,
  max_retries     smallint NOT NULL DEFAULT 3 CHECK (max_retries BETWEEN 0 AND 100),
  attempt         smallint NOT NULL DEFAULT 0 CHECK (attempt >= 0),
  run_at          timestamptz NOT NULL DEFAULT now(),
  fence           bigint NOT NULL DEFAULT 0,
  lease_until     timestamptz,
  leased_by       text,
  result          jsonb,
  error           jsonb,
  created_by      uuid,
  created_at      timestamptz NOT NULL DEFAULT now(),
  started_at      timestamptz,
  finished_at     timestamptz,

  CONSTRAINT running_has_a_lease
    CHECK ((state = 'running') = (lease_until IS NOT NULL AND leased_by IS NOT NULL)),
  CONSTRAINT terminal_has_an_end
    CHECK ((state IN ('succeeded', 'dead', 'cancelled')) = (finished_at IS NOT NULL)),
  CONSTRAINT running_was_started
    CHECK (state NOT IN ('running', 'succeeded') OR (started_at IS NOT NULL AND fence > 0)),
  CONSTRAINT only_success_has_a_result
    CHECK (result IS NULL OR state = 'succeeded'),
  CONSTRAINT death_has_an_error
    CHECK (state <> 'dead' OR error IS NOT NULL)
);
COMMENT ON COLUMN public.agent_tasks.attempt IS 'Runs that began and did not succeed; past max_retries the task is dead.';
COMMENT ON COLUMN public.agent_tasks.fence IS 'Raised by every lease; a result counts only with the current one.';
COMMENT ON COLUMN public.agent_tasks.awaited IS 'Somebody waits for the end: finishing notifies.';

CREATE INDEX agent_tasks_lease_idx ON public.agent_tasks (agent_type, priority, run_at, id) WHERE state = 'queued';
CREATE INDEX agent_tasks_expiry_idx ON public.agent_tasks (lease_until) WHERE state = 'running';
CREATE INDEX agent_tasks_agency_idx ON public.agent_tasks (agency_id, id DESC);
CREATE UNIQUE INDEX agent_tasks_idempotency_key ON public.agent_tasks (agency_id, idempotency_key);

ALTER TABLE public.agent_tasks ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.agent_tasks FORCE ROW LEVEL SECURITY;
CREATE POLICY agent_tasks_select ON public.agent_tasks FOR SELECT TO authenticated, gardenos_agent
  USING (agency_id = (SELECT app.agency_id()));
CREATE POLICY agent_tasks_insert ON public.agent_tasks FOR INSERT TO authenticated, gardenos_agent
  WITH CHECK (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_write()));
CREATE POLICY agent_tasks_update ON public.agent_tasks FOR UPDATE TO authenticated, gardenos_agent
  USING (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_write()))
  WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY agent_tasks_delete ON public.agent_tasks FOR DELETE TO authenticated, gardenos_agent USING (false);
CREATE POLICY agent_tasks_worker ON public.agent_tasks FOR ALL TO gardenos_worker USING (true) WITH CHECK (true);

-- A member enqueues; how a task runs is the orchestrator's and the agents' to write.
GRANT SELECT ON public.agent_tasks TO authenticated;
GRANT INSERT (id, agency_id, agent_type, priority, payload, idempotency_key, awaited, max_retries, run_at, created_by)
  ON public.agent_tasks TO authenticated;
GRANT UPDATE (awaited) ON public.agent_tasks TO authenticated;
GRANT SELECT, INSERT, UPDATE ON public.agent_tasks TO gardenos_agent;
GRANT SELECT, UPDATE, DELETE ON public.agent_tasks TO gardenos_worker;

-- Who may dispatch: one row, its epoch raised by every change of holder.
CREATE TABLE public.orchestrator_lease (
  only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  epoch      bigint NOT NULL DEFAULT 0,
  holder     text,
  expires_at timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO public.orchestrator_lease DEFAULT VALUES;
ALTER TABLE public.orchestrator_lease ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.orchestrator_lease FORCE ROW LEVEL SECURITY;
CREATE POLICY orchestrator_lease_worker ON public.orchestrator_lease FOR ALL TO gardenos_worker USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE ON public.orchestrator_lease TO gardenos_worker;

-- What an operator asked of a pool of agents, until it expires.
CREATE TABLE public.agent_overrides (
  agent_type text PRIMARY KEY,
  replicas   smallint NOT NULL CHECK (replicas >= 0),
  set_by     uuid,
  set_at     timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz
);
ALTER TABLE public.agent_overrides ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.agent_overrides FORCE ROW LEVEL SECURITY;
CREATE POLICY agent_overrides_worker ON public.agent_overrides FOR ALL TO gardenos_worker USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON public.agent_overrides TO gardenos_worker;
