-- What a sales team works with. References name the agency, too: a row cannot point into another's.
-- Columns ending in _key are what lists compare and sort by: behind row-level security an index serves
-- only leakproof conditions, and an expression such as lower(name) is none.

CREATE TABLE public.companies (
  id          uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id   uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  external_id text CHECK (char_length(external_id) BETWEEN 1 AND 200),
  name        text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
  domain      text CHECK (char_length(domain) <= 253),
  industry    text CHECK (char_length(industry) <= 100),
  employees   integer CHECK (employees >= 0),
  phone       text CHECK (char_length(phone) <= 50),
  website     text CHECK (char_length(website) <= 500),
  street      text CHECK (char_length(street) <= 200),
  postal_code text CHECK (char_length(postal_code) <= 20),
  city        text CHECK (char_length(city) <= 200),
  region      text CHECK (char_length(region) <= 100),
  country     text CHECK (char_length(country) <= 100),
  notes       text CHECK (char_length(notes) <= 20000),
  custom      jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(custom) = 'object'),
  owner_id    uuid,
  version     bigint NOT NULL DEFAULT 1,
  created_by  uuid,
  created_at  timestamptz NOT NULL DEFAULT now(),
  updated_at  timestamptz NOT NULL DEFAULT now(),
  deleted_at  timestamptz,
  name_key    text GENERATED ALWAYS AS (lower(name)) STORED,
  domain_key  text GENERATED ALWAYS AS (lower(domain)) STORED,
  UNIQUE (agency_id, id),
  FOREIGN KEY (agency_id, owner_id) REFERENCES public.members (agency_id, user_id) ON DELETE SET NULL (owner_id)
);
CREATE UNIQUE INDEX companies_external_id_key ON public.companies (agency_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX companies_created_idx ON public.companies (agency_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX companies_updated_idx ON public.companies (agency_id, updated_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX companies_name_idx ON public.companies (agency_id, name_key, id) WHERE deleted_at IS NULL;
CREATE INDEX companies_domain_idx ON public.companies (agency_id, domain_key) WHERE domain_key IS NOT NULL;
CREATE INDEX companies_owner_idx ON public.companies (agency_id, owner_id, created_at DESC, id DESC) WHERE owner_id IS NOT NULL;
SELECT app.protect('companies', 'owner_id');

CREATE TABLE public.contacts (
  id          uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id   uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  external_id text CHECK (char_length(external_id) BETWEEN 1 AND 200),
  first_name  text CHECK (char_length(first_name) <= 200),
  last_name   text CHECK (char_length(last_name) <= 200),
  email       text CHECK (char_length(email) <= 320),
  phone       text CHECK (char_length(phone) <= 50),
  mobile      text CHECK (char_length(mobile) <= 50),
  job_title   text CHECK (char_length(job_title) <= 200),
  company_id  uuid,
  website     text CHECK (char_length(website) <= 500),
  street      text CHECK (char_length(street) <= 200),
  postal_code text CHECK (char_length(postal_code) <= 20),
  city        text CHECK (char_length(city) <= 200),
  region      text CHECK (char_length(region) <= 100),
  country     text CHECK (char_length(country) <= 100),
  source      text CHECK (char_length(source) <= 100),
  do_not_contact boolean NOT NULL DEFAULT false,
  notes       text CHECK (char_length(notes) <= 20000),
  custom      jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(custom) = 'object'),
  owner_id    uuid,
  version     bigint NOT NULL DEFAULT 1,
  created_by  uuid,
  created_at  timestamptz NOT NULL DEFAULT now(),
  updated_at  timestamptz NOT NULL DEFAULT now(),
  deleted_at  timestamptz,
  last_name_key text GENERATED ALWAYS AS (lower(last_name)) STORED,
  email_key   text GENERATED ALWAYS AS (lower(email)) STORED,
  CONSTRAINT contacts_named CHECK (num_nonnulls(first_name, last_name, email, phone, mobile, external_id) > 0),
  UNIQUE (agency_id, id),
  FOREIGN KEY (agency_id, company_id) REFERENCES public.companies (agency_id, id) ON DELETE SET NULL (company_id),
  FOREIGN KEY (agency_id, owner_id) REFERENCES public.members (agency_id, user_id) ON DELETE SET NULL (owner_id)
);
CREATE UNIQUE INDEX contacts_external_id_key ON public.contacts (agency_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX contacts_created_idx ON public.contacts (agency_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX contacts_updated_idx ON public.contacts (agency_id, updated_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX contacts_last_name_idx ON public.contacts (agency_id, last_name_key, id) WHERE deleted_at IS NULL;
CREATE INDEX contacts_email_idx ON public.contacts (agency_id, email_key) WHERE email_key IS NOT NULL;
CREATE INDEX contacts_company_idx ON public.contacts (agency_id, company_id, created_at DESC, id DESC) WHERE company_id IS NOT NULL;
CREATE INDEX contacts_owner_idx ON public.contacts (agency_id, owner_id, created_at DESC, id DESC) WHERE owner_id IS NOT NULL;
SELECT app.protect('contacts', 'owner_id');

CREATE TABLE public.pipelines (
  id         uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id  uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  name       text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
  is_default boolean NOT NULL DEFAULT false,
  version    bigint NOT NULL DEFAULT 1,
  created_by uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz,
  name_key   text GENERATED ALWAYS AS (lower(name)) STORED,
  UNIQUE (agency_id, id)
);
CREATE UNIQUE INDEX pipelines_name_key ON public.pipelines (agency_id, name_key) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX pipelines_default_key ON public.pipelines (agency_id) WHERE is_default AND deleted_at IS NULL;
SELECT app.protect('pipelines', NULL);

-- A pipeline's columns from left to right. Part of the pipeline: who may change that may change these.
CREATE TABLE public.stages (
  id          uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id   uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  pipeline_id uuid NOT NULL,
  name        text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
  kind        text NOT NULL DEFAULT 'open' CHECK (kind IN ('open', 'won', 'lost')),
  probability smallint NOT NULL DEFAULT 50 CHECK (probability BETWEEN 0 AND 100),
  position    integer NOT NULL CHECK (position >= 0),
  UNIQUE (agency_id, pipeline_id, id),
  UNIQUE (pipeline_id, position) DEFERRABLE INITIALLY DEFERRED,
  FOREIGN KEY (agency_id, pipeline_id) REFERENCES public.pipelines (agency_id, id) ON DELETE CASCADE,
  CONSTRAINT ends_are_certain CHECK (kind = 'open' OR probability = CASE kind WHEN 'won' THEN 100 ELSE 0 END)
);
CREATE UNIQUE INDEX stages_name_key ON public.stages (pipeline_id, lower(name));
ALTER TABLE public.stages ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.stages FORCE ROW LEVEL SECURITY;
CREATE POLICY stages_select ON public.stages FOR SELECT TO authenticated
  USING (agency_id = (SELECT app.agency_id()) AND (SELECT app.scope('pipelines', 'read')) = 'agency');
CREATE POLICY stages_insert ON public.stages FOR INSERT TO authenticated
  WITH CHECK (agency_id = (SELECT app.agency_id()) AND (SELECT app.change_scope('pipelines')) = 'agency');
CREATE POLICY stages_update ON public.stages FOR UPDATE TO authenticated
  USING (agency_id = (SELECT app.agency_id()) AND (SELECT app.change_scope('pipelines')) = 'agency')
  WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY stages_delete ON public.stages FOR DELETE TO authenticated
  USING (agency_id = (SELECT app.agency_id()) AND (SELECT app.change_scope('pipelines')) = 'agency');
CREATE POLICY stages_agent ON public.stages FOR SELECT TO gardenos_agent USING (agency_id = (SELECT app.agency_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON public.stages TO authenticated;
GRANT SELECT ON public.stages TO gardenos_agent;

ALTER TABLE public.leads
  ADD UNIQUE (agency_id, id),
  ADD COLUMN converted_at timestamptz,
  ADD COLUMN converted_contact_id uuid,
  ADD COLUMN converted_company_id uuid,
  ADD COLUMN converted_deal_id uuid;

CREATE TABLE public.deals (
  id             uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id      uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  external_id    text CHECK (char_length(external_id) BETWEEN 1 AND 200),
  name           text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
  amount         numeric(18, 4) CHECK (amount >= 0),
  currency       text CHECK (currency ~ '^[A-Z]{3}$'),
  expected_close date,
  pipeline_id    uuid NOT NULL,
  stage_id       uuid NOT NULL,
  status         text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'won', 'lost')),
  closed_at      timestamptz,
  close_reason   text CHECK (char_length(close_reason) <= 500),
  contact_id     uuid,
  company_id     uuid,
  lead_id        uuid,
  notes          text CHECK (char_length(notes) <= 20000),
  custom         jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(custom) = 'object'),
  owner_id       uuid,
  version        bigint NOT NULL DEFAULT 1,
  created_by     uuid,
  created_at     timestamptz NOT NULL DEFAULT now(),
  updated_at     timestamptz NOT NULL DEFAULT now(),
  deleted_at     timestamptz,
  name_key       text GENERATED ALWAYS AS (lower(name)) STORED,
  CONSTRAINT an_amount_has_a_currency CHECK ((amount IS NULL) = (currency IS NULL)),
  CONSTRAINT an_end_has_a_time CHECK ((status = 'open') = (closed_at IS NULL)),
  UNIQUE (agency_id, id),
  FOREIGN KEY (agency_id, pipeline_id) REFERENCES public.pipelines (agency_id, id),
  FOREIGN KEY (agency_id, pipeline_id, stage_id) REFERENCES public.stages (agency_id, pipeline_id, id),
  FOREIGN KEY (agency_id, contact_id) REFERENCES public.contacts (agency_id, id) ON DELETE SET NULL (contact_id),
  FOREIGN KEY (agency_id, company_id) REFERENCES public.companies (agency_id, id) ON DELETE SET NULL (company_id),
  FOREIGN KEY (agency_id, lead_id) REFERENCES public.leads (agency_id, id) ON DELETE SET NULL (lead_id),
  FOREIGN KEY (agency_id, owner_id) REFERENCES public.members (agency_id, user_id) ON DELETE SET NULL (owner_id)
);
COMMENT ON COLUMN public.deals.status IS 'The kind of its stage, set with it by a trigger.';
CREATE UNIQUE INDEX deals_external_id_key ON public.deals (agency_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX deals_created_idx ON public.deals (agency_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX deals_updated_idx ON public.deals (agency_id, updated_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX deals_board_idx ON public.deals (agency_id, pipeline_id, stage_id, id DESC) INCLUDE (amount, currency) WHERE deleted_at IS NULL;
CREATE INDEX deals_close_idx ON public.deals (agency_id, expected_close, id) WHERE deleted_at IS NULL AND status = 'open';
CREATE INDEX deals_contact_idx ON public.deals (agency_id, contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX deals_company_idx ON public.deals (agency_id, company_id) WHERE company_id IS NOT NULL;
CREATE INDEX deals_owner_idx ON public.deals (agency_id, owner_id, created_at DESC, id DESC) WHERE owner_id IS NOT NULL;
SELECT app.protect('deals', 'owner_id');

ALTER TABLE public.leads
  ADD FOREIGN KEY (agency_id, converted_contact_id) REFERENCES public.contacts (agency_id, id) ON DELETE SET NULL (converted_contact_id),
  ADD FOREIGN KEY (agency_id, converted_company_id) REFERENCES public.companies (agency_id, id) ON DELETE SET NULL (converted_company_id),
  ADD FOREIGN KEY (agency_id, converted_deal_id) REFERENCES public.deals (agency_id, id) ON DELETE SET NULL (converted_deal_id);

-- Where a deal has stood: written with it, never changed.
CREATE TABLE public.deal_stages (
  id            uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id     uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  deal_id       uuid NOT NULL,
  from_stage_id uuid,
  stage_id      uuid NOT NULL,
  pipeline_id   uuid NOT NULL,
  amount        numeric(18, 4),
  currency      text,
  moved_by      uuid,
  moved_at      timestamptz NOT NULL DEFAULT now(),
  FOREIGN KEY (agency_id, deal_id) REFERENCES public.deals (agency_id, id) ON DELETE CASCADE
);
CREATE INDEX deal_stages_deal_idx ON public.deal_stages (agency_id, deal_id, id);
ALTER TABLE public.deal_stages ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.deal_stages FORCE ROW LEVEL SECURITY;
-- Seen by whoever sees the deal.
CREATE POLICY deal_stages_select ON public.deal_stages FOR SELECT TO authenticated
  USING (agency_id = (SELECT app.agency_id())
    AND CASE (SELECT app.scope('deals', 'read')) WHEN 'agency' THEN true WHEN 'none' THEN false
        ELSE EXISTS (SELECT FROM public.deals d WHERE d.id = deal_id) END);
CREATE POLICY deal_stages_owner ON public.deal_stages FOR INSERT TO gardenos_owner
  WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY deal_stages_insert ON public.deal_stages FOR INSERT TO authenticated WITH CHECK (false);
CREATE POLICY deal_stages_update ON public.deal_stages FOR UPDATE TO authenticated USING (false);
CREATE POLICY deal_stages_delete ON public.deal_stages FOR DELETE TO authenticated USING (false);
GRANT SELECT ON public.deal_stages TO authenticated;

CREATE FUNCTION app.enter_stage() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  -- A stage of another pipeline is the foreign key's to refuse.
  NEW.status := coalesce((SELECT s.kind FROM public.stages s
                           WHERE s.agency_id = NEW.agency_id AND s.pipeline_id = NEW.pipeline_id AND s.id = NEW.stage_id), 'open');
  IF NEW.status = 'open' THEN
    NEW.closed_at := NULL;
    NEW.close_reason := NULL;
  ELSIF TG_OP = 'INSERT' OR OLD.status = 'open' THEN
    NEW.closed_at := coalesce(NEW.closed_at, now());
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER deals_enter_stage BEFORE INSERT OR UPDATE OF stage_id, pipeline_id, status ON public.deals
  FOR EACH ROW EXECUTE FUNCTION app.enter_stage();

CREATE FUNCTION app.note_stages() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO public.deal_stages (agency_id, deal_id, stage_id, pipeline_id, amount, currency, moved_by)
    SELECT agency_id, id, stage_id, pipeline_id, amount, currency, app.user_id() FROM new_rows;
  ELSE
    INSERT INTO public.deal_stages (agency_id, deal_id, from_stage_id, stage_id, pipeline_id, amount, currency, moved_by)
    SELECT n.agency_id, n.id, o.stage_id, n.stage_id, n.pipeline_id, n.amount, n.currency, app.user_id()
      FROM old_rows o JOIN new_rows n ON n.id = o.id
     WHERE n.stage_id <> o.stage_id;
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER deals_note_first_stage AFTER INSERT ON public.deals REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION app.note_stages();
CREATE TRIGGER deals_note_stages AFTER UPDATE ON public.deals REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION app.note_stages();

-- What happened with somebody, in the order of its happening. Nothing changes it.
CREATE TABLE public.activities (
  id          uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id   uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  kind        text NOT NULL CHECK (kind IN ('note', 'call', 'meeting', 'email', 'message', 'agent_run')),
  lead_id     uuid,
  contact_id  uuid,
  company_id  uuid,
  deal_id     uuid,
  subject     text CHECK (char_length(subject) <= 300),
  body        text CHECK (char_length(body) <= 20000),
  direction   text CHECK (direction IN ('in', 'out')),
  outcome     text CHECK (char_length(outcome) <= 200),
  duration_s  integer CHECK (duration_s >= 0),
  details     jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(details) = 'object'),
  occurred_at timestamptz NOT NULL DEFAULT now(),
  created_by  uuid,
  created_at  timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT happened_with_somebody CHECK (num_nonnulls(lead_id, contact_id, company_id, deal_id) > 0),
  UNIQUE (agency_id, id),
  FOREIGN KEY (agency_id, lead_id) REFERENCES public.leads (agency_id, id) ON DELETE CASCADE,
  FOREIGN KEY (agency_id, contact_id) REFERENCES public.contacts (agency_id, id) ON DELETE CASCADE,
  FOREIGN KEY (agency_id, company_id) REFERENCES public.companies (agency_id, id) ON DELETE CASCADE,
  FOREIGN KEY (agency_id, deal_id) REFERENCES public.deals (agency_id, id) ON DELETE CASCADE
);
CREATE INDEX activities_occurred_idx ON public.activities (agency_id, occurred_at DESC, id DESC);
CREATE INDEX activities_lead_idx ON public.activities (agency_id, lead_id, occurred_at DESC, id DESC) WHERE lead_id IS NOT NULL;
CREATE INDEX activities_contact_idx ON public.activities (agency_id, contact_id, occurred_at DESC, id DESC) WHERE contact_id IS NOT NULL;
CREATE INDEX activities_company_idx ON public.activities (agency_id, company_id, occurred_at DESC, id DESC) WHERE company_id IS NOT NULL;
CREATE INDEX activities_deal_idx ON public.activities (agency_id, deal_id, occurred_at DESC, id DESC) WHERE deal_id IS NOT NULL;
ALTER TABLE public.activities ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.activities FORCE ROW LEVEL SECURITY;
-- Seen, within a narrower scope than the agency, by whoever sees what it happened with.
CREATE POLICY activities_select ON public.activities FOR SELECT TO authenticated
  USING (agency_id = (SELECT app.agency_id())
    AND CASE (SELECT app.scope('activities', 'read')) WHEN 'agency' THEN true WHEN 'none' THEN false
        ELSE CASE
          WHEN created_by = (SELECT app.user_id()) THEN true
          WHEN deal_id IS NOT NULL THEN EXISTS (SELECT FROM public.deals d WHERE d.id = deal_id)
          WHEN lead_id IS NOT NULL THEN EXISTS (SELECT FROM public.leads l WHERE l.id = lead_id)
          WHEN contact_id IS NOT NULL THEN EXISTS (SELECT FROM public.contacts c WHERE c.id = contact_id)
          ELSE EXISTS (SELECT FROM public.companies c WHERE c.id = company_id)
        END END);
CREATE POLICY activities_insert ON public.activities FOR INSERT TO authenticated
  WITH CHECK (agency_id = (SELECT app.agency_id()) AND (SELECT app.scope('activities', 'create')) <> 'none');
CREATE POLICY activities_update ON public.activities FOR UPDATE TO authenticated USING (false);
CREATE POLICY activities_delete ON public.activities FOR DELETE TO authenticated USING (false);
CREATE POLICY activities_agent ON public.activities FOR SELECT TO gardenos_agent USING (agency_id = (SELECT app.agency_id()));
CREATE POLICY activities_agent_insert ON public.activities FOR INSERT TO gardenos_agent
  WITH CHECK (agency_id = (SELECT app.agency_id()));
GRANT SELECT, INSERT ON public.activities TO authenticated, gardenos_agent;
CREATE TRIGGER activities_guard_inserts AFTER INSERT ON public.activities REFERENCING NEW TABLE AS new_rows
  FOR EACH STATEMENT EXECUTE FUNCTION app.guard_inserts('activities');

-- What a member has to do. (What agents have to do is in agent_tasks.)
CREATE TABLE public.tasks (
  id           uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id    uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  title        text NOT NULL CHECK (char_length(title) BETWEEN 1 AND 300),
  description  text CHECK (char_length(description) <= 20000),
  status       text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'done', 'cancelled')),
  priority     text NOT NULL DEFAULT 'normal' CHECK (priority IN ('low', 'normal', 'high')),
  due_at       timestamptz,
  completed_at timestamptz,
  assignee_id  uuid,
  lead_id      uuid,
  contact_id   uuid,
  company_id   uuid,
  deal_id      uuid,
  custom       jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(custom) = 'object'),
  version      bigint NOT NULL DEFAULT 1,
  created_by   uuid,
  created_at   timestamptz NOT NULL DEFAULT now(),
  updated_at   timestamptz NOT NULL DEFAULT now(),
  deleted_at   timestamptz,
  CONSTRAINT done_has_a_time CHECK ((status = 'done') = (completed_at IS NOT NULL)),
  UNIQUE (agency_id, id),
  FOREIGN KEY (agency_id, assignee_id) REFERENCES public.members (agency_id, user_id) ON DELETE SET NULL (assignee_id),
  FOREIGN KEY (agency_id, lead_id) REFERENCES public.leads (agency_id, id) ON DELETE CASCADE,
  FOREIGN KEY (agency_id, contact_id) REFERENCES public.contacts (agency_id, id) ON DELETE CASCADE,
  FOREIGN KEY (agency_id, company_id) REFERENCES public.companies (agency_id, id) ON DELETE CASCADE,
  FOREIGN KEY (agency_id, deal_id) REFERENCES public.deals (agency_id, id) ON DELETE CASCADE
);
CREATE INDEX tasks_created_idx ON public.tasks (agency_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX tasks_updated_idx ON public.tasks (agency_id, updated_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX tasks_due_idx ON public.tasks (agency_id, due_at, id) WHERE deleted_at IS NULL AND status = 'open';
CREATE INDEX tasks_assignee_idx ON public.tasks (agency_id, assignee_id, due_at, id) WHERE deleted_at IS NULL AND status = 'open';
CREATE INDEX tasks_lead_idx ON public.tasks (agency_id, lead_id) WHERE lead_id IS NOT NULL;
CREATE INDEX tasks_contact_idx ON public.tasks (agency_id, contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX tasks_company_idx ON public.tasks (agency_id, company_id) WHERE company_id IS NOT NULL;
CREATE INDEX tasks_deal_idx ON public.tasks (agency_id, deal_id) WHERE deal_id IS NOT NULL;
SELECT app.protect('tasks', 'assignee_id');

CREATE FUNCTION app.complete_task() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  NEW.completed_at := CASE WHEN NEW.status = 'done' THEN coalesce(NEW.completed_at, now()) END;
  RETURN NEW;
END
$$;
CREATE TRIGGER tasks_complete BEFORE INSERT OR UPDATE OF status, completed_at ON public.tasks
  FOR EACH ROW EXECUTE FUNCTION app.complete_task();

-- Leads come under the same rules. An owner who is no member any more is none.
UPDATE public.leads l SET owner_id = NULL
 WHERE owner_id IS NOT NULL
   AND NOT EXISTS (SELECT FROM public.members m WHERE m.agency_id = l.agency_id AND m.user_id = l.owner_id);
ALTER TABLE public.leads
  ADD FOREIGN KEY (agency_id, owner_id) REFERENCES public.members (agency_id, user_id) ON DELETE SET NULL (owner_id);
CREATE INDEX leads_owner_idx ON public.leads (agency_id, owner_id, created_at DESC, id DESC) WHERE owner_id IS NOT NULL;
DROP POLICY leads_select ON public.leads;
DROP POLICY leads_insert ON public.leads;
DROP POLICY leads_update ON public.leads;
DROP POLICY leads_delete ON public.leads;
DROP POLICY leads_worker ON public.leads;
SELECT app.protect('leads', 'owner_id');
CREATE POLICY leads_scored ON public.leads FOR UPDATE TO gardenos_agent
  USING (agency_id = (SELECT app.agency_id())) WITH CHECK (agency_id = (SELECT app.agency_id()));
