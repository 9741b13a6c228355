-- What agents made of a task. Unique by task: however often a task runs, its effect stands once.
CREATE TABLE public.lead_scores (
  id                     uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id              uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  task_id                uuid NOT NULL UNIQUE,
  lead_id                uuid REFERENCES public.leads (id) ON DELETE CASCADE,
  quality_score          smallint NOT NULL CHECK (quality_score BETWEEN 0 AND 100),
  conversion_probability double precision NOT NULL CHECK (conversion_probability BETWEEN 0 AND 1),
  reasons                jsonb NOT NULL DEFAULT '[]',
  next_actions           jsonb NOT NULL DEFAULT '[]',
  provider               text NOT NULL,
  model                  text NOT NULL,
  created_at             timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX lead_scores_lead_idx ON public.lead_scores (agency_id, lead_id, id DESC);

CREATE TABLE public.follow_ups (
  id           uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id    uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  task_id      uuid NOT NULL UNIQUE,
  lead_id      uuid REFERENCES public.leads (id) ON DELETE CASCADE,
  state        text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'approved', 'discarded')),
  subject      text NOT NULL,
  body         text NOT NULL,
  full_message text NOT NULL,
  provider     text NOT NULL,
  model        text NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX follow_ups_lead_idx ON public.follow_ups (agency_id, lead_id, id DESC);

CREATE TABLE public.llm_calls (
  id            uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id     uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  task_id       uuid NOT NULL,
  agent_type    text NOT NULL,
  provider      text NOT NULL,
  model         text NOT NULL,
  mode          text,
  outcome       text NOT NULL,
  input_tokens  integer CHECK (input_tokens >= 0),
  output_tokens integer CHECK (output_tokens >= 0),
  cost_usd      numeric(18, 9) CHECK (cost_usd >= 0),
  latency_ms    integer NOT NULL CHECK (latency_ms >= 0),
  created_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN public.llm_calls.cost_usd IS 'US dollars; null where the price is unknown, never zero for it.';
CREATE INDEX llm_calls_agency_idx ON public.llm_calls (agency_id, id DESC);

ALTER TABLE public.lead_scores ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.lead_scores FORCE ROW LEVEL SECURITY;
CREATE POLICY lead_scores_select ON public.lead_scores FOR SELECT TO authenticated, gardenos_agent USING (agency_id = (SELECT app.agency_id()));
CREATE POLICY lead_scores_insert ON public.lead_scores FOR INSERT TO gardenos_agent WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY lead_scores_update ON public.lead_scores FOR UPDATE TO authenticated, gardenos_agent USING (false);
CREATE POLICY lead_scores_delete ON public.lead_scores FOR DELETE TO authenticated, gardenos_agent USING (false);
GRANT SELECT ON public.lead_scores TO authenticated;
GRANT SELECT, INSERT ON public.lead_scores TO gardenos_agent;

ALTER TABLE public.follow_ups ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.follow_ups FORCE ROW LEVEL SECURITY;
CREATE POLICY follow_ups_select ON public.follow_ups FOR SELECT TO authenticated, gardenos_agent USING (agency_id = (SELECT app.agency_id()));
CREATE POLICY follow_ups_insert ON public.follow_ups FOR INSERT TO gardenos_agent WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY follow_ups_update ON public.follow_ups FOR UPDATE TO authenticated
  USING (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_write()))
  WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY follow_ups_delete ON public.follow_ups FOR DELETE TO authenticated, gardenos_agent USING (false);
GRANT SELECT, UPDATE (state) ON public.follow_ups TO authenticated;
GRANT SELECT, INSERT ON public.follow_ups TO gardenos_agent;

ALTER TABLE public.llm_calls ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.llm_calls FORCE ROW LEVEL SECURITY;
CREATE POLICY llm_calls_select ON public.llm_calls FOR SELECT TO authenticated, gardenos_agent USING (agency_id = (SELECT app.agency_id()));
CREATE POLICY llm_calls_insert ON public.llm_calls FOR INSERT TO gardenos_agent WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY llm_calls_update ON public.llm_calls FOR UPDATE TO authenticated, gardenos_agent USING (false);
CREATE POLICY llm_calls_delete ON public.llm_calls FOR DELETE TO authenticated, gardenos_agent USING (false);
GRANT SELECT ON public.llm_calls TO authenticated;
GRANT SELECT, INSERT ON public.llm_calls TO gardenos_agent;
