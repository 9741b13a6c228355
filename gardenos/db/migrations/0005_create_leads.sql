CREATE TABLE public.imports (
  id          uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id   uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  filename    text,
  rows_read   integer NOT NULL DEFAULT 0 CHECK (rows_read >= 0),
  imported    integer NOT NULL DEFAULT 0 CHECK (imported >= 0),
  duplicates  integer NOT NULL DEFAULT 0 CHECK (duplicates >= 0),
  rejected    integer NOT NULL DEFAULT 0 CHECK (rejected >= 0),
  created_by  uuid,
  created_at  timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT every_row_is_accounted_for CHECK (rows_read = imported + duplicates + rejected)
);
CREATE INDEX imports_agency_idx ON public.imports (agency_id, id DESC);

CREATE TABLE public.leads (
  id                     uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id              uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  external_id            text CHECK (char_length(external_id) BETWEEN 1 AND 200),
  first_name             text CHECK (char_length(first_name) <= 200),
  last_name              text CHECK (char_length(last_name) <= 200),
  email                  text CHECK (char_length(email) <= 320),
  phone                  text CHECK (char_length(phone) <= 50),
  company                text CHECK (char_length(company) <= 200),
  job_title              text CHECK (char_length(job_title) <= 200),
  website                text CHECK (char_length(website) <= 500),
  city                   text CHECK (char_length(city) <= 200),
  country                text CHECK (char_length(country) <= 100),
  source                 text CHECK (char_length(source) <= 100),
  status                 text NOT NULL DEFAULT 'new'
                         CHECK (status IN ('new', 'contacted', 'qualified', 'unqualified', 'converted', 'lost')),
  notes                  text CHECK (char_length(notes) <= 20000),
  custom                 jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(custom) = 'object'),
  owner_id               uuid,
  import_id              uuid REFERENCES public.imports (id) ON DELETE SET NULL,
  quality_score          smallint CHECK (quality_score BETWEEN 0 AND 100),
  conversion_probability double precision CHECK (conversion_probability BETWEEN 0 AND 1),
  scored_at              timestamptz,
  version                bigint NOT NULL DEFAULT 1,
  created_by             uuid,
  created_at             timestamptz NOT NULL DEFAULT now(),
  updated_at             timestamptz NOT NULL DEFAULT now(),
  deleted_at             timestamptz,
  -- What lists search and sort by. Columns, because behind row-level security an index serves only
  -- leakproof conditions, and an expression such as lower(email) is none.
  email_key              text GENERATED ALWAYS AS (lower(email)) STORED,
  score_rank             smallint GENERATED ALWAYS AS (coalesce(quality_score, -1)) STORED,
  CONSTRAINT score_is_whole
    CHECK ((quality_score IS NULL) = (scored_at IS NULL)
       AND (conversion_probability IS NULL) = (scored_at IS NULL))
);
CREATE TRIGGER leads_touch BEFORE UPDATE ON public.leads FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE UNIQUE INDEX leads_external_id_key ON public.leads (agency_id, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX leads_created_idx ON public.leads (agency_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX leads_updated_idx ON public.leads (agency_id, updated_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX leads_score_idx ON public.leads (agency_id, score_rank DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX leads_status_idx ON public.leads (agency_id, status, created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX leads_email_idx ON public.leads (agency_id, email_key) WHERE email_key IS NOT NULL;

ALTER TABLE public.imports ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.imports FORCE ROW LEVEL SECURITY;
CREATE POLICY imports_select ON public.imports FOR SELECT TO authenticated USING (agency_id = (SELECT app.agency_id()));
CREATE POLICY imports_insert ON public.imports FOR INSERT TO authenticated
  WITH CHECK (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_write()));
CREATE POLICY imports_update ON public.imports FOR UPDATE TO authenticated
  USING (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_write()))
  WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY imports_delete ON public.imports FOR DELETE TO authenticated USING (false);
GRANT SELECT, INSERT, UPDATE ON public.imports TO authenticated;

ALTER TABLE public.leads ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.leads FORCE ROW LEVEL SECURITY;
CREATE POLICY leads_select ON public.leads FOR SELECT TO authenticated, gardenos_agent
  USING (agency_id = (SELECT app.agency_id()));
CREATE POLICY leads_insert ON public.leads FOR INSERT TO authenticated
  WITH CHECK (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_write()));
CREATE POLICY leads_update ON public.leads FOR UPDATE TO authenticated, gardenos_agent
  USING (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_write()))
  WITH CHECK (agency_id = (SELECT app.agency_id()));
-- Deleting marks a lead; nothing but retention removes the row.
CREATE POLICY leads_delete ON public.leads FOR DELETE TO authenticated USING (false);
GRANT SELECT, INSERT, UPDATE ON public.leads TO authenticated;
GRANT SELECT, UPDATE (quality_score, conversion_probability, scored_at) ON public.leads TO gardenos_agent;

-- One row per answered POST with an Idempotency-Key, written in the same transaction as its effect.
CREATE TABLE public.idempotency_keys (
  agency_id   uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  key         text NOT NULL CHECK (char_length(key) BETWEEN 1 AND 255),
  fingerprint bytea NOT NULL,
  status      smallint,
  headers     jsonb,
  body        bytea,
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (agency_id, key)
);
CREATE INDEX idempotency_keys_age_idx ON public.idempotency_keys (created_at);
ALTER TABLE public.idempotency_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.idempotency_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY idempotency_keys_select ON public.idempotency_keys FOR SELECT TO authenticated
  USING (agency_id = (SELECT app.agency_id()));
CREATE POLICY idempotency_keys_insert ON public.idempotency_keys FOR INSERT TO authenticated
  WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY idempotency_keys_update ON public.idempotency_keys FOR UPDATE TO authenticated
  USING (agency_id = (SELECT app.agency_id())) WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY idempotency_keys_delete ON public.idempotency_keys FOR DELETE TO authenticated USING (false);
CREATE POLICY idempotency_keys_prune ON public.idempotency_keys FOR DELETE TO gardenos_worker USING (true);
CREATE POLICY idempotency_keys_age ON public.idempotency_keys FOR SELECT TO gardenos_worker USING (true);
GRANT SELECT, INSERT, UPDATE ON public.idempotency_keys TO authenticated;
GRANT SELECT (created_at), DELETE ON public.idempotency_keys TO gardenos_worker;
