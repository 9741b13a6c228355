-- What the migrations make; written by `python -m gardenos.db.snapshot`, never run.

CREATE SCHEMA app;

ALTER SCHEMA app OWNER TO gardenos_owner;

CREATE SCHEMA auth;

ALTER SCHEMA auth OWNER TO supabase_auth_admin;

CREATE FUNCTION app.claims() RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (NULLIF(current_setting('request.jwt.claims'::text, true), ''::text))::jsonb;

ALTER FUNCTION app.claims() OWNER TO gardenos_owner;

CREATE FUNCTION app.agency_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (COALESCE((app.claims() ->> 'agency_id'::text), ((app.claims() -> 'app_metadata'::text) ->> 'agency_id'::text)))::uuid;

ALTER FUNCTION app.agency_id() OWNER TO gardenos_owner;

CREATE FUNCTION app.user_role() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN COALESCE((app.claims() ->> 'user_role'::text), ((app.claims() -> 'app_metadata'::text) ->> 'user_role'::text));

ALTER FUNCTION app.user_role() OWNER TO gardenos_owner;

CREATE FUNCTION app.can_administer() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN COALESCE((app.user_role() = ANY (ARRAY['owner'::text, 'admin'::text])), false);

ALTER FUNCTION app.can_administer() OWNER TO gardenos_owner;

CREATE FUNCTION app.can_write() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN COALESCE((app.user_role() = ANY (ARRAY['owner'::text, 'admin'::text, 'manager'::text, 'agent'::text])), false);

ALTER FUNCTION app.can_write() OWNER TO gardenos_owner;

CREATE FUNCTION app.end_cancelled_task() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  NEW.state := 'cancelled';
  NEW.finished_at := now();
  NEW.lease_until := NULL;
  NEW.leased_by := NULL;
  NEW.error := '{"code": "cancelled", "detail": "A member of the agency cancelled it."}';
  RETURN NEW;
END
$$;

ALTER FUNCTION app.end_cancelled_task() OWNER TO gardenos_owner;

CREATE FUNCTION app.is_key() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN COALESCE((app.claims() ? 'key_id'::text), false);

ALTER FUNCTION app.is_key() OWNER TO gardenos_owner;

CREATE FUNCTION app.keep_old_secret() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  NEW.old_secret := OLD.secret;
  NEW.old_secret_until := now() + interval '24 hours';
  RETURN NEW;
END
$$;

ALTER FUNCTION app.keep_old_secret() OWNER TO gardenos_owner;

CREATE FUNCTION app.lease_tokens(subjects text[], quotas double precision[], rates double precision[], spent double precision[], wanted double precision[]) RETURNS TABLE(subject text, granted double precision, tokens double precision)
    LANGUAGE plpgsql
    AS $$
DECLARE
  w record;
  bucket record;
BEGIN
  FOR w IN SELECT u.subject, u.quota, u.rate, u.spent, u.wanted
             FROM unnest(subjects, quotas, rates, spent, wanted) AS u(subject, quota, rate, spent, wanted)
            ORDER BY u.subject LOOP
    INSERT INTO app.rate_buckets VALUES (w.subject, w.quota, clock_timestamp()) ON CONFLICT DO NOTHING;
    SELECT b.tokens, extract(epoch FROM clock_timestamp() - b.at)::float8 AS age_s INTO bucket
      FROM app.rate_buckets b WHERE b.subject = w.subject FOR UPDATE;
    tokens := greatest(-w.quota, least(w.quota, bucket.tokens + w.rate * greatest(0, bucket.age_s)) - w.spent);
    granted := greatest(0, least(w.wanted, floor(tokens)));
    tokens := tokens - granted;
    subject := w.subject;
    UPDATE app.rate_buckets b SET tokens = lease_tokens.tokens, at = clock_timestamp() WHERE b.subject = w.subject;
    RETURN NEXT;
  END LOOP;
END
$$;

ALTER FUNCTION app.lease_tokens(subjects text[], quotas double precision[], rates double precision[], spent double precision[], wanted double precision[]) OWNER TO gardenos_owner;

CREATE FUNCTION app.readable(entities text[], ids text[]) RETURNS SETOF bigint
    LANGUAGE plpgsql STABLE
    AS $_$
DECLARE
  w record;
  relation regclass;
BEGIN
  FOR w IN SELECT u.entity, array_agg(u.id::uuid) AS ids, array_agg(u.n) AS places
             FROM unnest(entities, ids) WITH ORDINALITY AS u(entity, id, n)
            WHERE u.id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
            GROUP BY u.entity LOOP
    relation := to_regclass(format('public.%I', w.entity));
    IF relation IS NOT NULL
       AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = relation AND attname = 'id' AND atttypid = 'uuid'::regtype) THEN
      IF has_column_privilege(relation, 'id', 'SELECT') THEN
        RETURN QUERY EXECUTE format(
          'SELECT u.n FROM unnest($1, $2) AS u(id, n) JOIN public.%I r ON r.id = u.id', w.entity)
          USING w.ids, w.places;
      END IF;
    END IF;
  END LOOP;
END
$_$;

ALTER FUNCTION app.readable(entities text[], ids text[]) OWNER TO gardenos_owner;

CREATE FUNCTION app.reads_all(entity text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ((app.agency_id() IS NOT NULL) AND (entity = 'leads'::text));

ALTER FUNCTION app.reads_all(entity text) OWNER TO gardenos_owner;

CREATE FUNCTION app.record_changes() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO public.outbox (agency_id, entity, record_id, verb)
    SELECT n.agency_id, TG_TABLE_NAME, n.id, 'create' FROM new_rows n;
  ELSE
    INSERT INTO public.outbox (agency_id, entity, record_id, verb)
    SELECT n.agency_id, TG_TABLE_NAME, n.id,
           CASE WHEN o.deleted_at IS NULL AND n.deleted_at IS NOT NULL THEN 'delete'
                WHEN o.deleted_at IS NOT NULL AND n.deleted_at IS NULL THEN 'restore' ELSE 'update' END
      FROM new_rows n JOIN old_rows o ON o.id = n.id;
  END IF;
  IF FOUND THEN
    PERFORM pg_notify('gardenos_changes', '');
  END IF;
  RETURN NULL;
END
$$;

ALTER FUNCTION app.record_changes() OWNER TO gardenos_owner;

CREATE FUNCTION app.touch() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  NEW.updated_at := now();
  NEW.version := OLD.version + 1;
  RETURN NEW;
END
$$;

ALTER FUNCTION app.touch() OWNER TO gardenos_owner;

CREATE FUNCTION app.user_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ((app.claims() ->> 'sub'::text))::uuid;

ALTER FUNCTION app.user_id() OWNER TO gardenos_owner;

CREATE FUNCTION auth.jwt() RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (NULLIF(current_setting('request.jwt.claims'::text, true), ''::text))::jsonb;

ALTER FUNCTION auth.jwt() OWNER TO supabase_auth_admin;

CREATE FUNCTION auth.role() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (auth.jwt() ->> 'role'::text);

ALTER FUNCTION auth.role() OWNER TO supabase_auth_admin;

CREATE FUNCTION auth.uid() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ((auth.jwt() ->> 'sub'::text))::uuid;

ALTER FUNCTION auth.uid() OWNER TO supabase_auth_admin;

CREATE FUNCTION public.custom_access_token_hook(event jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
  membership record;
BEGIN
  SELECT m.agency_id, m.role INTO membership
    FROM public.members m
   WHERE m.user_id = (event ->> 'user_id')::uuid
   ORDER BY m.created_at, m.agency_id
   LIMIT 1;
  IF NOT FOUND THEN
    RETURN event;
  END IF;
  RETURN jsonb_set(
    event, '{claims}',
    coalesce(event -> 'claims', '{}') || jsonb_build_object(
      'agency_id', membership.agency_id,
      'user_role', membership.role,
      'operator', coalesce((SELECT u.is_super_admin FROM auth.users u
                             WHERE u.id = (event ->> 'user_id')::uuid), false)));
END
$$;

ALTER FUNCTION public.custom_access_token_hook(event jsonb) OWNER TO gardenos_owner;

CREATE TABLE app.feed (
    only_row boolean DEFAULT true NOT NULL,
    txid xid8 DEFAULT '0'::xid8 NOT NULL,
    seq bigint DEFAULT 0 NOT NULL,
    CONSTRAINT feed_only_row_check CHECK (only_row)
);

ALTER TABLE app.feed OWNER TO gardenos_owner;

CREATE TABLE app.migrations (
    number integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE app.migrations OWNER TO gardenos_owner;

CREATE UNLOGGED TABLE app.rate_buckets (
    subject text NOT NULL,
    tokens double precision NOT NULL,
    at timestamp with time zone NOT NULL,
    CONSTRAINT rate_buckets_subject_check CHECK ((char_length(subject) <= 100))
);

ALTER TABLE app.rate_buckets OWNER TO gardenos_owner;

CREATE TABLE app.sign_in_attempts (
    subject bytea NOT NULL,
    attempts integer NOT NULL,
    until timestamp with time zone NOT NULL,
    CONSTRAINT sign_in_attempts_attempts_check CHECK ((attempts > 0)),
    CONSTRAINT sign_in_attempts_subject_check CHECK ((octet_length(subject) = 32))
);

ALTER TABLE app.sign_in_attempts OWNER TO gardenos_owner;

CREATE TABLE app.webhook_cursor (
    only_row boolean DEFAULT true NOT NULL,
    txid xid8 DEFAULT '0'::xid8 NOT NULL,
    seq bigint DEFAULT 0 NOT NULL,
    CONSTRAINT webhook_cursor_only_row_check CHECK (only_row)
);

ALTER TABLE app.webhook_cursor OWNER TO gardenos_owner;

CREATE TABLE auth.identities (
    id uuid DEFAULT uuidv7() NOT NULL,
    provider_id text NOT NULL,
    user_id uuid NOT NULL,
    identity_data jsonb NOT NULL,
    provider text NOT NULL,
    email text GENERATED ALWAYS AS (lower((identity_data ->> 'email'::text))) STORED,
    last_sign_in_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE auth.identities OWNER TO supabase_auth_admin;

CREATE TABLE auth.refresh_tokens (
    id bigint NOT NULL,
    token character varying(255) NOT NULL,
    user_id character varying(255) NOT NULL,
    session_id uuid NOT NULL,
    parent character varying(255),
    revoked boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE auth.refresh_tokens OWNER TO supabase_auth_admin;

COMMENT ON COLUMN auth.refresh_tokens.token IS 'SHA-256 of the token, hex; never the token itself.';

ALTER TABLE auth.refresh_tokens ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME auth.refresh_tokens_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE auth.sessions (
    id uuid DEFAULT uuidv7() NOT NULL,
    user_id uuid NOT NULL,
    aal text DEFAULT 'aal1'::text NOT NULL,
    not_after timestamp with time zone,
    refreshed_at timestamp with time zone,
    user_agent text,
    ip inet,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE auth.sessions OWNER TO supabase_auth_admin;

CREATE TABLE auth.users (
    instance_id uuid,
    id uuid DEFAULT uuidv7() NOT NULL,
    aud character varying(255),
    role character varying(255),
    email character varying(255),
    encrypted_password character varying(255),
    email_confirmed_at timestamp with time zone,
    invited_at timestamp with time zone,
    confirmation_token character varying(255) DEFAULT ''::character varying NOT NULL,
    confirmation_sent_at timestamp with time zone,
    recovery_token character varying(255) DEFAULT ''::character varying NOT NULL,
    recovery_sent_at timestamp with time zone,
    email_change_token_new character varying(255) DEFAULT ''::character varying NOT NULL,
    email_change character varying(255) DEFAULT ''::character varying NOT NULL,
    email_change_sent_at timestamp with time zone,
    last_sign_in_at timestamp with time zone,
    raw_app_meta_data jsonb DEFAULT '{}'::jsonb NOT NULL,
    raw_user_meta_data jsonb DEFAULT '{}'::jsonb NOT NULL,
    is_super_admin boolean DEFAULT false NOT NULL,
    phone text,
    phone_confirmed_at timestamp with time zone,
    banned_until timestamp with time zone,
    deleted_at timestamp with time zone,
    is_sso_user boolean DEFAULT false NOT NULL,
    is_anonymous boolean DEFAULT false NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE auth.users OWNER TO supabase_auth_admin;

CREATE TABLE public.agencies (
    id uuid DEFAULT uuidv7() NOT NULL,
    name text NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT agencies_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 200)))
);

ALTER TABLE ONLY public.agencies FORCE ROW LEVEL SECURITY;

ALTER TABLE public.agencies OWNER TO gardenos_owner;

CREATE TABLE public.agent_overrides (
    agent_type text NOT NULL,
    replicas smallint NOT NULL,
    set_by uuid,
    set_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    CONSTRAINT agent_overrides_replicas_check CHECK ((replicas >= 0))
);

ALTER TABLE ONLY public.agent_overrides FORCE ROW LEVEL SECURITY;

ALTER TABLE public.agent_overrides OWNER TO gardenos_owner;

CREATE TABLE public.agent_tasks (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    agent_type text NOT NULL,
    state text DEFAULT 'queued'::text NOT NULL,
    priority smallint DEFAULT 5 NOT NULL,
    payload jsonb DEFAULT '{}'::jsonb NOT NULL,
    idempotency_key text,
    awaited boolean DEFAULT false NOT NULL,
    max_retries smallint DEFAULT 3 NOT NULL,
    attempt smallint DEFAULT 0 NOT NULL,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    fence bigint DEFAULT 0 NOT NULL,
    lease_until timestamp with time zone,
    leased_by text,
    result jsonb,
    error jsonb,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    cancel_requested_at timestamp with time zone,
    cancelled_by uuid,
    CONSTRAINT a_canceller_cancels CHECK (((cancelled_by IS NULL) OR (cancel_requested_at IS NOT NULL))),
    CONSTRAINT a_lease_raises_the_fence CHECK (((fence >= 0) AND ((fence > 0) = (started_at IS NOT NULL)))),
    CONSTRAINT agent_tasks_agent_type_check CHECK ((agent_type ~ '^[a-z][a-z0-9_]{0,62}$'::text)),
    CONSTRAINT agent_tasks_attempt_check CHECK ((attempt >= 0)),
    CONSTRAINT agent_tasks_idempotency_key_check CHECK (((char_length(idempotency_key) >= 1) AND (char_length(idempotency_key) <= 255))),
    CONSTRAINT agent_tasks_max_retries_check CHECK (((max_retries >= 0) AND (max_retries <= 100))),
    CONSTRAINT agent_tasks_priority_check CHECK (((priority >= 1) AND (priority <= 9))),
    CONSTRAINT agent_tasks_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'running'::text, 'succeeded'::text, 'dead'::text, 'cancelled'::text]))),
    CONSTRAINT attempts_are_bounded CHECK ((attempt <= (max_retries + 1))),
    CONSTRAINT death_has_an_error CHECK (((state <> 'dead'::text) OR (error IS NOT NULL))),
    CONSTRAINT marked_tasks_do_not_wait CHECK (((state <> 'queued'::text) OR (cancel_requested_at IS NULL))),
    CONSTRAINT only_success_has_a_result CHECK (((result IS NULL) OR (state = 'succeeded'::text))),
    CONSTRAINT running_has_a_lease CHECK (((state = 'running'::text) = ((lease_until IS NOT NULL) AND (leased_by IS NOT NULL)))),
    CONSTRAINT running_was_started CHECK (((state <> ALL (ARRAY['running'::text, 'succeeded'::text])) OR ((started_at IS NOT NULL) AND (fence > 0)))),
    CONSTRAINT terminal_has_an_end CHECK (((state = ANY (ARRAY['succeeded'::text, 'dead'::text, 'cancelled'::text])) = (finished_at IS NOT NULL)))
);

ALTER TABLE ONLY public.agent_tasks FORCE ROW LEVEL SECURITY;

ALTER TABLE public.agent_tasks OWNER TO gardenos_owner;

COMMENT ON COLUMN public.agent_tasks.awaited IS 'Somebody waits for the end: finishing notifies.';

COMMENT ON COLUMN public.agent_tasks.attempt IS 'Runs that began and did not succeed; past max_retries the task is dead.';

COMMENT ON COLUMN public.agent_tasks.fence IS 'Raised by every lease; a result counts only with the current one.';

CREATE TABLE public.api_keys (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    user_id uuid NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    scopes text[] NOT NULL,
    digest bytea NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    expires_at timestamp with time zone,
    last_used_at timestamp with time zone,
    revoked_at timestamp with time zone,
    CONSTRAINT api_keys_check CHECK ((expires_at > created_at)),
    CONSTRAINT api_keys_digest_check CHECK ((octet_length(digest) = 32)),
    CONSTRAINT api_keys_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 100))),
    CONSTRAINT api_keys_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'admin'::text, 'manager'::text, 'agent'::text, 'read_only'::text]))),
    CONSTRAINT api_keys_scopes_check CHECK (((cardinality(scopes) >= 1) AND (cardinality(scopes) <= 50)))
);

ALTER TABLE ONLY public.api_keys FORCE ROW LEVEL SECURITY;

ALTER TABLE public.api_keys OWNER TO gardenos_owner;

COMMENT ON COLUMN public.api_keys.digest IS 'SHA-256 of the secret; never the secret itself.';

COMMENT ON COLUMN public.api_keys.last_used_at IS 'To the minute.';

CREATE TABLE public.dispatch_limits (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid,
    agent_type text,
    weight smallint DEFAULT 1 NOT NULL,
    max_running integer,
    requests_per_minute integer,
    tokens_per_minute integer,
    monthly_usd numeric(12,2),
    set_by uuid,
    set_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT an_agency_has_one_budget CHECK (((monthly_usd IS NULL) OR ((agency_id IS NOT NULL) AND (agent_type IS NULL)))),
    CONSTRAINT an_agency_has_one_weight CHECK (((weight = 1) OR ((agency_id IS NOT NULL) AND (agent_type IS NULL)))),
    CONSTRAINT dispatch_limits_agent_type_check CHECK ((agent_type ~ '^[a-z][a-z0-9_]{0,62}$'::text)),
    CONSTRAINT dispatch_limits_max_running_check CHECK ((max_running > 0)),
    CONSTRAINT dispatch_limits_monthly_usd_check CHECK ((monthly_usd >= (0)::numeric)),
    CONSTRAINT dispatch_limits_requests_per_minute_check CHECK ((requests_per_minute > 0)),
    CONSTRAINT dispatch_limits_tokens_per_minute_check CHECK ((tokens_per_minute > 0)),
    CONSTRAINT dispatch_limits_weight_check CHECK (((weight >= 1) AND (weight <= 100))),
    CONSTRAINT limits_something CHECK (((agency_id IS NOT NULL) OR (agent_type IS NOT NULL)))
);

ALTER TABLE ONLY public.dispatch_limits FORCE ROW LEVEL SECURITY;

ALTER TABLE public.dispatch_limits OWNER TO gardenos_owner;

COMMENT ON COLUMN public.dispatch_limits.monthly_usd IS 'US dollars that models may cost the agency in a calendar month (UTC).';

CREATE TABLE public.dispatch_pauses (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid,
    agent_type text,
    reason text DEFAULT ''::text NOT NULL,
    set_by uuid,
    set_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT dispatch_pauses_agent_type_check CHECK ((agent_type ~ '^[a-z][a-z0-9_]{0,62}$'::text)),
    CONSTRAINT dispatch_pauses_reason_check CHECK ((char_length(reason) <= 500)),
    CONSTRAINT pauses_something CHECK (((agency_id IS NOT NULL) OR (agent_type IS NOT NULL)))
);

ALTER TABLE ONLY public.dispatch_pauses FORCE ROW LEVEL SECURITY;

ALTER TABLE public.dispatch_pauses OWNER TO gardenos_owner;

CREATE TABLE public.follow_ups (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    task_id uuid NOT NULL,
    lead_id uuid,
    state text DEFAULT 'draft'::text NOT NULL,
    subject text NOT NULL,
    body text NOT NULL,
    full_message text NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT follow_ups_state_check CHECK ((state = ANY (ARRAY['draft'::text, 'approved'::text, 'discarded'::text])))
);

ALTER TABLE ONLY public.follow_ups FORCE ROW LEVEL SECURITY;

ALTER TABLE public.follow_ups OWNER TO gardenos_owner;

CREATE TABLE public.idempotency_keys (
    agency_id uuid NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status smallint,
    headers jsonb,
    body bytea,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT idempotency_keys_key_check CHECK (((char_length(key) >= 1) AND (char_length(key) <= 255)))
);

ALTER TABLE ONLY public.idempotency_keys FORCE ROW LEVEL SECURITY;

ALTER TABLE public.idempotency_keys OWNER TO gardenos_owner;

CREATE TABLE public.imports (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    filename text,
    rows_read integer DEFAULT 0 NOT NULL,
    imported integer DEFAULT 0 NOT NULL,
    duplicates integer DEFAULT 0 NOT NULL,
    rejected integer DEFAULT 0 NOT NULL,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT every_row_is_accounted_for CHECK ((rows_read = ((imported + duplicates) + rejected))),
    CONSTRAINT imports_duplicates_check CHECK ((duplicates >= 0)),
    CONSTRAINT imports_imported_check CHECK ((imported >= 0)),
    CONSTRAINT imports_rejected_check CHECK ((rejected >= 0)),
    CONSTRAINT imports_rows_read_check CHECK ((rows_read >= 0))
);

ALTER TABLE ONLY public.imports FORCE ROW LEVEL SECURITY;

ALTER TABLE public.imports OWNER TO gardenos_owner;

CREATE TABLE public.lead_scores (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    task_id uuid NOT NULL,
    lead_id uuid,
    quality_score smallint NOT NULL,
    conversion_probability double precision NOT NULL,
    reasons jsonb DEFAULT '[]'::jsonb NOT NULL,
    next_actions jsonb DEFAULT '[]'::jsonb NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT lead_scores_conversion_probability_check CHECK (((conversion_probability >= (0)::double precision) AND (conversion_probability <= (1)::double precision))),
    CONSTRAINT lead_scores_quality_score_check CHECK (((quality_score >= 0) AND (quality_score <= 100)))
);

ALTER TABLE ONLY public.lead_scores FORCE ROW LEVEL SECURITY;

ALTER TABLE public.lead_scores OWNER TO gardenos_owner;

CREATE TABLE public.leads (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    external_id text,
    first_name text,
    last_name text,
    email text,
    phone text,
    company text,
    job_title text,
    website text,
    city text,
    country text,
    source text,
    status text DEFAULT 'new'::text NOT NULL,
    notes text,
    custom jsonb DEFAULT '{}'::jsonb NOT NULL,
    owner_id uuid,
    import_id uuid,
    quality_score smallint,
    conversion_probability double precision,
    scored_at timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    email_key text GENERATED ALWAYS AS (lower(email)) STORED,
    score_rank smallint GENERATED ALWAYS AS (COALESCE((quality_score)::integer, '-1'::integer)) STORED,
    CONSTRAINT leads_city_check CHECK ((char_length(city) <= 200)),
    CONSTRAINT leads_company_check CHECK ((char_length(company) <= 200)),
    CONSTRAINT leads_conversion_probability_check CHECK (((conversion_probability >= (0)::double precision) AND (conversion_probability <= (1)::double precision))),
    CONSTRAINT leads_country_check CHECK ((char_length(country) <= 100)),
    CONSTRAINT leads_custom_check CHECK ((jsonb_typeof(custom) = 'object'::text)),
    CONSTRAINT leads_email_check CHECK ((char_length(email) <= 320)),
    CONSTRAINT leads_external_id_check CHECK (((char_length(external_id) >= 1) AND (char_length(external_id) <= 200))),
    CONSTRAINT leads_first_name_check CHECK ((char_length(first_name) <= 200)),
    CONSTRAINT leads_job_title_check CHECK ((char_length(job_title) <= 200)),
    CONSTRAINT leads_last_name_check CHECK ((char_length(last_name) <= 200)),
    CONSTRAINT leads_notes_check CHECK ((char_length(notes) <= 20000)),
    CONSTRAINT leads_phone_check CHECK ((char_length(phone) <= 50)),
    CONSTRAINT leads_quality_score_check CHECK (((quality_score >= 0) AND (quality_score <= 100))),
    CONSTRAINT leads_source_check CHECK ((char_length(source) <= 100)),
    CONSTRAINT leads_status_check CHECK ((status = ANY (ARRAY['new'::text, 'contacted'::text, 'qualified'::text, 'unqualified'::text, 'converted'::text, 'lost'::text]))),
    CONSTRAINT leads_website_check CHECK ((char_length(website) <= 500)),
    CONSTRAINT score_is_whole CHECK ((((quality_score IS NULL) = (scored_at IS NULL)) AND ((conversion_probability IS NULL) = (scored_at IS NULL))))
);

ALTER TABLE ONLY public.leads FORCE ROW LEVEL SECURITY;

ALTER TABLE public.leads OWNER TO gardenos_owner;

CREATE TABLE public.llm_calls (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    task_id uuid NOT NULL,
    agent_type text NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    mode text,
    outcome text NOT NULL,
    input_tokens integer,
    output_tokens integer,
    cost_usd numeric(18,9),
    latency_ms integer NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT llm_calls_cost_usd_check CHECK ((cost_usd >= (0)::numeric)),
    CONSTRAINT llm_calls_input_tokens_check CHECK ((input_tokens >= 0)),
    CONSTRAINT llm_calls_latency_ms_check CHECK ((latency_ms >= 0)),
    CONSTRAINT llm_calls_output_tokens_check CHECK ((output_tokens >= 0))
);

ALTER TABLE ONLY public.llm_calls FORCE ROW LEVEL SECURITY;

ALTER TABLE public.llm_calls OWNER TO gardenos_owner;

COMMENT ON COLUMN public.llm_calls.cost_usd IS 'US dollars; null where the price is unknown, never zero for it.';

CREATE TABLE public.llm_spend (
    agency_id uuid NOT NULL,
    month date NOT NULL,
    calls bigint DEFAULT 0 NOT NULL,
    input_tokens bigint DEFAULT 0 NOT NULL,
    output_tokens bigint DEFAULT 0 NOT NULL,
    cost_usd numeric(18,9) DEFAULT 0 NOT NULL,
    CONSTRAINT llm_spend_month_check CHECK ((EXTRACT(day FROM month) = (1)::numeric))
);

ALTER TABLE ONLY public.llm_spend FORCE ROW LEVEL SECURITY;

ALTER TABLE public.llm_spend OWNER TO gardenos_owner;

CREATE TABLE public.members (
    agency_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT members_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'admin'::text, 'manager'::text, 'agent'::text, 'read_only'::text])))
);

ALTER TABLE ONLY public.members FORCE ROW LEVEL SECURITY;

ALTER TABLE public.members OWNER TO gardenos_owner;

CREATE TABLE public.operator_actions (
    id uuid DEFAULT uuidv7() NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    actor uuid NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT operator_actions_action_check CHECK ((action ~ '^[a-z_]{1,40}$'::text)),
    CONSTRAINT operator_actions_target_check CHECK ((char_length(target) <= 200))
);

ALTER TABLE ONLY public.operator_actions FORCE ROW LEVEL SECURITY;

ALTER TABLE public.operator_actions OWNER TO gardenos_owner;

CREATE TABLE public.orchestrator_lease (
    only_row boolean DEFAULT true NOT NULL,
    epoch bigint DEFAULT 0 NOT NULL,
    holder text,
    expires_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    CONSTRAINT orchestrator_lease_only_row_check CHECK (only_row)
);

ALTER TABLE ONLY public.orchestrator_lease FORCE ROW LEVEL SECURITY;

ALTER TABLE public.orchestrator_lease OWNER TO gardenos_owner;

CREATE TABLE public.outbox (
    seq bigint NOT NULL,
    txid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    agency_id uuid NOT NULL,
    entity text NOT NULL,
    record_id text NOT NULL,
    verb text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY public.outbox FORCE ROW LEVEL SECURITY;

ALTER TABLE public.outbox OWNER TO gardenos_owner;

ALTER TABLE public.outbox ALTER COLUMN seq ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.outbox_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.task_schedules (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    name text NOT NULL,
    agent_type text NOT NULL,
    payload jsonb DEFAULT '{}'::jsonb NOT NULL,
    priority smallint DEFAULT 5 NOT NULL,
    max_retries smallint DEFAULT 3 NOT NULL,
    cron text NOT NULL,
    time_zone text DEFAULT 'UTC'::text NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    next_run_at timestamp with time zone NOT NULL,
    last_run_at timestamp with time zone,
    last_task_id uuid,
    created_by uuid,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT task_schedules_agent_type_check CHECK ((agent_type ~ '^[a-z][a-z0-9_]{0,62}$'::text)),
    CONSTRAINT task_schedules_cron_check CHECK (((char_length(cron) >= 1) AND (char_length(cron) <= 200))),
    CONSTRAINT task_schedules_max_retries_check CHECK (((max_retries >= 0) AND (max_retries <= 100))),
    CONSTRAINT task_schedules_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 200))),
    CONSTRAINT task_schedules_priority_check CHECK (((priority >= 1) AND (priority <= 9))),
    CONSTRAINT task_schedules_time_zone_check CHECK (((char_length(time_zone) >= 1) AND (char_length(time_zone) <= 100)))
);

ALTER TABLE ONLY public.task_schedules FORCE ROW LEVEL SECURITY;

ALTER TABLE public.task_schedules OWNER TO gardenos_owner;

CREATE TABLE public.webhook_deliveries (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    webhook_id uuid NOT NULL,
    seq bigint,
    entity text NOT NULL,
    record_id text NOT NULL,
    verb text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    tries integer DEFAULT 0 NOT NULL,
    status smallint,
    took_ms integer,
    answer text,
    error text,
    tried_at timestamp with time zone,
    next_try_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT only_pending_tries_again CHECK (((state = 'pending'::text) OR (next_try_at IS NULL))),
    CONSTRAINT webhook_deliveries_answer_check CHECK ((char_length(answer) <= 1024)),
    CONSTRAINT webhook_deliveries_error_check CHECK ((char_length(error) <= 1000)),
    CONSTRAINT webhook_deliveries_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'delivered'::text, 'failed'::text]))),
    CONSTRAINT webhook_deliveries_tries_check CHECK ((tries >= 0))
);

ALTER TABLE ONLY public.webhook_deliveries FORCE ROW LEVEL SECURITY;

ALTER TABLE public.webhook_deliveries OWNER TO gardenos_owner;

COMMENT ON COLUMN public.webhook_deliveries.seq IS 'Of the change in the outbox; null for a test.';

CREATE TABLE public.webhooks (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    url text NOT NULL,
    description text,
    entities text[],
    verbs text[],
    active boolean DEFAULT true NOT NULL,
    secret text NOT NULL,
    old_secret text,
    old_secret_until timestamp with time zone,
    version bigint DEFAULT 1 NOT NULL,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT an_old_secret_ends CHECK (((old_secret IS NULL) = (old_secret_until IS NULL))),
    CONSTRAINT webhooks_description_check CHECK ((char_length(description) <= 500)),
    CONSTRAINT webhooks_entities_check CHECK (((cardinality(entities) >= 1) AND (cardinality(entities) <= 50))),
    CONSTRAINT webhooks_secret_check CHECK ((secret ~ '^whsec_'::text)),
    CONSTRAINT webhooks_url_check CHECK ((char_length(url) <= 2000)),
    CONSTRAINT webhooks_verbs_check CHECK (((cardinality(verbs) >= 1) AND (cardinality(verbs) <= 10)))
);

ALTER TABLE ONLY public.webhooks FORCE ROW LEVEL SECURITY;

ALTER TABLE public.webhooks OWNER TO gardenos_owner;

COMMENT ON COLUMN public.webhooks.entities IS 'Null for every kind of record; so for verbs.';

ALTER TABLE ONLY app.feed
    ADD CONSTRAINT feed_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY app.migrations
    ADD CONSTRAINT migrations_pkey PRIMARY KEY (number);

ALTER TABLE ONLY app.rate_buckets
    ADD CONSTRAINT rate_buckets_pkey PRIMARY KEY (subject);

ALTER TABLE ONLY app.sign_in_attempts
    ADD CONSTRAINT sign_in_attempts_pkey PRIMARY KEY (subject);

ALTER TABLE ONLY app.webhook_cursor
    ADD CONSTRAINT webhook_cursor_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY auth.identities
    ADD CONSTRAINT identities_pkey PRIMARY KEY (id);

ALTER TABLE ONLY auth.identities
    ADD CONSTRAINT identities_provider_id_provider_key UNIQUE (provider_id, provider);

ALTER TABLE ONLY auth.refresh_tokens
    ADD CONSTRAINT refresh_tokens_pkey PRIMARY KEY (id);

ALTER TABLE ONLY auth.refresh_tokens
    ADD CONSTRAINT refresh_tokens_token_key UNIQUE (token);

ALTER TABLE ONLY auth.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY auth.users
    ADD CONSTRAINT users_phone_key UNIQUE (phone);

ALTER TABLE ONLY auth.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.agencies
    ADD CONSTRAINT agencies_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.agent_overrides
    ADD CONSTRAINT agent_overrides_pkey PRIMARY KEY (agent_type);

ALTER TABLE ONLY public.agent_tasks
    ADD CONSTRAINT agent_tasks_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.dispatch_limits
    ADD CONSTRAINT dispatch_limits_agency_id_agent_type_key UNIQUE NULLS NOT DISTINCT (agency_id, agent_type);

ALTER TABLE ONLY public.dispatch_limits
    ADD CONSTRAINT dispatch_limits_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.dispatch_pauses
    ADD CONSTRAINT dispatch_pauses_agency_id_agent_type_key UNIQUE NULLS NOT DISTINCT (agency_id, agent_type);

ALTER TABLE ONLY public.dispatch_pauses
    ADD CONSTRAINT dispatch_pauses_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.follow_ups
    ADD CONSTRAINT follow_ups_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.follow_ups
    ADD CONSTRAINT follow_ups_task_id_key UNIQUE (task_id);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (agency_id, key);

ALTER TABLE ONLY public.imports
    ADD CONSTRAINT imports_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.lead_scores
    ADD CONSTRAINT lead_scores_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.lead_scores
    ADD CONSTRAINT lead_scores_task_id_key UNIQUE (task_id);

ALTER TABLE ONLY public.leads
    ADD CONSTRAINT leads_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.llm_calls
    ADD CONSTRAINT llm_calls_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.llm_spend
    ADD CONSTRAINT llm_spend_pkey PRIMARY KEY (agency_id, month);

ALTER TABLE ONLY public.members
    ADD CONSTRAINT members_pkey PRIMARY KEY (agency_id, user_id);

ALTER TABLE ONLY public.operator_actions
    ADD CONSTRAINT operator_actions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.orchestrator_lease
    ADD CONSTRAINT orchestrator_lease_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (seq);

ALTER TABLE ONLY public.task_schedules
    ADD CONSTRAINT task_schedules_agency_id_name_key UNIQUE (agency_id, name);

ALTER TABLE ONLY public.task_schedules
    ADD CONSTRAINT task_schedules_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_webhook_id_seq_key UNIQUE (webhook_id, seq);

ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT webhooks_agency_id_id_key UNIQUE (agency_id, id);

ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT webhooks_pkey PRIMARY KEY (id);

CREATE INDEX rate_buckets_at_idx ON app.rate_buckets USING btree (at);

CREATE INDEX sign_in_attempts_until_idx ON app.sign_in_attempts USING btree (until);

CREATE INDEX identities_user_id_idx ON auth.identities USING btree (user_id);

CREATE INDEX refresh_tokens_parent_idx ON auth.refresh_tokens USING btree (parent);

CREATE INDEX refresh_tokens_session_id_revoked_idx ON auth.refresh_tokens USING btree (session_id, revoked);

CREATE INDEX sessions_user_id_idx ON auth.sessions USING btree (user_id);

CREATE UNIQUE INDEX users_email_partial_key ON auth.users USING btree (email) WHERE (is_sso_user = false);

CREATE INDEX agent_tasks_agency_idx ON public.agent_tasks USING btree (agency_id, id DESC);

CREATE INDEX agent_tasks_dead_idx ON public.agent_tasks USING btree (finished_at) WHERE (state = 'dead'::text);

CREATE INDEX agent_tasks_finished_idx ON public.agent_tasks USING btree (finished_at) WHERE (state = ANY (ARRAY['succeeded'::text, 'cancelled'::text]));

CREATE UNIQUE INDEX agent_tasks_idempotency_key ON public.agent_tasks USING btree (agency_id, idempotency_key) WHERE (idempotency_key IS NOT NULL);

CREATE INDEX agent_tasks_lane_idx ON public.agent_tasks USING btree (agent_type, priority, agency_id, run_at, id) WHERE (state = 'queued'::text);

CREATE INDEX agent_tasks_retried_idx ON public.agent_tasks USING btree (started_at) WHERE ((state = 'queued'::text) AND (started_at IS NOT NULL));

CREATE INDEX agent_tasks_running_idx ON public.agent_tasks USING btree (agent_type, agency_id) INCLUDE (leased_by) WHERE (state = 'running'::text);

CREATE INDEX agent_tasks_state_idx ON public.agent_tasks USING btree (agency_id, state, id DESC) INCLUDE (agent_type);

CREATE INDEX api_keys_agency_idx ON public.api_keys USING btree (agency_id, id DESC);

CREATE INDEX api_keys_user_idx ON public.api_keys USING btree (agency_id, user_id);

CREATE INDEX follow_ups_lead_idx ON public.follow_ups USING btree (agency_id, lead_id, id DESC);

CREATE INDEX idempotency_keys_age_idx ON public.idempotency_keys USING btree (created_at);

CREATE INDEX imports_agency_idx ON public.imports USING btree (agency_id, id DESC);

CREATE INDEX lead_scores_lead_idx ON public.lead_scores USING btree (agency_id, lead_id, id DESC);

CREATE INDEX leads_created_idx ON public.leads USING btree (agency_id, created_at DESC, id DESC) WHERE (deleted_at IS NULL);

CREATE INDEX leads_email_idx ON public.leads USING btree (agency_id, email_key) WHERE (email_key IS NOT NULL);

CREATE UNIQUE INDEX leads_external_id_key ON public.leads USING btree (agency_id, external_id) WHERE (external_id IS NOT NULL);

CREATE INDEX leads_score_idx ON public.leads USING btree (agency_id, score_rank DESC, id DESC) WHERE (deleted_at IS NULL);

CREATE INDEX leads_status_idx ON public.leads USING btree (agency_id, status, created_at DESC, id DESC) WHERE (deleted_at IS NULL);

CREATE INDEX leads_updated_idx ON public.leads USING btree (agency_id, updated_at DESC, id DESC) WHERE (deleted_at IS NULL);

CREATE INDEX llm_calls_agency_idx ON public.llm_calls USING btree (agency_id, id DESC);

CREATE INDEX llm_calls_recent_idx ON public.llm_calls USING btree (agency_id, created_at) INCLUDE (agent_type, input_tokens, output_tokens);

CREATE INDEX members_user_id_idx ON public.members USING btree (user_id);

CREATE INDEX outbox_agency_idx ON public.outbox USING btree (agency_id, txid, seq);

CREATE INDEX outbox_at_idx ON public.outbox USING brin (at);

CREATE INDEX outbox_txid_idx ON public.outbox USING btree (txid, seq);

CREATE INDEX task_schedules_due_idx ON public.task_schedules USING btree (next_run_at) WHERE enabled;

CREATE INDEX webhook_deliveries_age_idx ON public.webhook_deliveries USING brin (created_at);

CREATE INDEX webhook_deliveries_agency_idx ON public.webhook_deliveries USING btree (agency_id, webhook_id, id DESC);

CREATE INDEX webhooks_agency_idx ON public.webhooks USING btree (agency_id, id DESC);

CREATE TRIGGER agencies_touch BEFORE UPDATE ON public.agencies FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER agent_tasks_cancel BEFORE UPDATE ON public.agent_tasks FOR EACH ROW WHEN (((new.state = 'queued'::text) AND (new.cancel_requested_at IS NOT NULL))) EXECUTE FUNCTION app.end_cancelled_task();

CREATE TRIGGER leads_record_inserts AFTER INSERT ON public.leads REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes();

CREATE TRIGGER leads_record_updates AFTER UPDATE ON public.leads REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes();

CREATE TRIGGER leads_touch BEFORE UPDATE ON public.leads FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER task_schedules_touch BEFORE UPDATE OF name, agent_type, payload, priority, max_retries, cron, time_zone, enabled ON public.task_schedules FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER webhooks_rotate BEFORE UPDATE OF secret ON public.webhooks FOR EACH ROW WHEN ((old.secret IS DISTINCT FROM new.secret)) EXECUTE FUNCTION app.keep_old_secret();

CREATE TRIGGER webhooks_touch BEFORE UPDATE ON public.webhooks FOR EACH ROW EXECUTE FUNCTION app.touch();

ALTER TABLE ONLY auth.identities
    ADD CONSTRAINT identities_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY auth.refresh_tokens
    ADD CONSTRAINT refresh_tokens_session_id_fkey FOREIGN KEY (session_id) REFERENCES auth.sessions(id) ON DELETE CASCADE;

ALTER TABLE ONLY auth.sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.agent_tasks
    ADD CONSTRAINT agent_tasks_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_agency_id_user_id_fkey FOREIGN KEY (agency_id, user_id) REFERENCES public.members(agency_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.dispatch_limits
    ADD CONSTRAINT dispatch_limits_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.dispatch_pauses
    ADD CONSTRAINT dispatch_pauses_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.follow_ups
    ADD CONSTRAINT follow_ups_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.follow_ups
    ADD CONSTRAINT follow_ups_lead_id_fkey FOREIGN KEY (lead_id) REFERENCES public.leads(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.imports
    ADD CONSTRAINT imports_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.lead_scores
    ADD CONSTRAINT lead_scores_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.lead_scores
    ADD CONSTRAINT lead_scores_lead_id_fkey FOREIGN KEY (lead_id) REFERENCES public.leads(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.leads
    ADD CONSTRAINT leads_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.leads
    ADD CONSTRAINT leads_import_id_fkey FOREIGN KEY (import_id) REFERENCES public.imports(id) ON DELETE SET NULL;

ALTER TABLE ONLY public.llm_calls
    ADD CONSTRAINT llm_calls_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.llm_spend
    ADD CONSTRAINT llm_spend_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.members
    ADD CONSTRAINT members_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.members
    ADD CONSTRAINT members_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.task_schedules
    ADD CONSTRAINT task_schedules_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_agency_id_webhook_id_fkey FOREIGN KEY (agency_id, webhook_id) REFERENCES public.webhooks(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT webhooks_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE public.agencies ENABLE ROW LEVEL SECURITY;

CREATE POLICY agencies_delete ON public.agencies FOR DELETE TO authenticated USING (false);

CREATE POLICY agencies_insert ON public.agencies FOR INSERT TO gardenos_auth WITH CHECK (true);

CREATE POLICY agencies_select ON public.agencies FOR SELECT TO authenticated, gardenos_agent USING ((id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY agencies_sign_in ON public.agencies FOR SELECT TO gardenos_auth USING (true);

CREATE POLICY agencies_update ON public.agencies FOR UPDATE TO authenticated USING (((id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer))) WITH CHECK ((id = ( SELECT app.agency_id() AS agency_id)));

ALTER TABLE public.agent_overrides ENABLE ROW LEVEL SECURITY;

CREATE POLICY agent_overrides_worker ON public.agent_overrides TO gardenos_worker USING (true) WITH CHECK (true);

ALTER TABLE public.agent_tasks ENABLE ROW LEVEL SECURITY;

CREATE POLICY agent_tasks_delete ON public.agent_tasks FOR DELETE TO authenticated, gardenos_agent USING (false);

CREATE POLICY agent_tasks_insert ON public.agent_tasks FOR INSERT TO authenticated, gardenos_agent WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_write() AS can_write)));

CREATE POLICY agent_tasks_select ON public.agent_tasks FOR SELECT TO authenticated, gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY agent_tasks_update ON public.agent_tasks FOR UPDATE TO authenticated, gardenos_agent USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_write() AS can_write))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY agent_tasks_worker ON public.agent_tasks TO gardenos_worker USING (true) WITH CHECK (true);

ALTER TABLE public.api_keys ENABLE ROW LEVEL SECURITY;

CREATE POLICY api_keys_delete ON public.api_keys FOR DELETE TO authenticated USING (false);

CREATE POLICY api_keys_insert ON public.api_keys FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND (user_id = ( SELECT app.user_id() AS user_id)) AND (NOT ( SELECT app.is_key() AS is_key)) AND (array_position(ARRAY['read_only'::text, 'agent'::text, 'manager'::text, 'admin'::text, 'owner'::text], role) <= array_position(ARRAY['read_only'::text, 'agent'::text, 'manager'::text, 'admin'::text, 'owner'::text], ( SELECT app.user_role() AS user_role)))));

CREATE POLICY api_keys_select ON public.api_keys FOR SELECT TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE
    WHEN ( SELECT app.can_administer() AS can_administer) THEN true
    ELSE (user_id = ( SELECT app.user_id() AS user_id))
END));

CREATE POLICY api_keys_sign_in ON public.api_keys FOR SELECT TO gardenos_auth USING (true);

CREATE POLICY api_keys_update ON public.api_keys FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND (NOT ( SELECT app.is_key() AS is_key)) AND
CASE
    WHEN ( SELECT app.can_administer() AS can_administer) THEN true
    ELSE (user_id = ( SELECT app.user_id() AS user_id))
END)) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY api_keys_use ON public.api_keys FOR UPDATE TO gardenos_auth USING (true) WITH CHECK (true);

ALTER TABLE public.dispatch_limits ENABLE ROW LEVEL SECURITY;

CREATE POLICY dispatch_limits_delete ON public.dispatch_limits FOR DELETE TO authenticated USING (false);

CREATE POLICY dispatch_limits_insert ON public.dispatch_limits FOR INSERT TO authenticated WITH CHECK (false);

CREATE POLICY dispatch_limits_select ON public.dispatch_limits FOR SELECT TO authenticated, gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY dispatch_limits_update ON public.dispatch_limits FOR UPDATE TO authenticated USING (false);

CREATE POLICY dispatch_limits_worker ON public.dispatch_limits TO gardenos_worker USING (true) WITH CHECK (true);

ALTER TABLE public.dispatch_pauses ENABLE ROW LEVEL SECURITY;

CREATE POLICY dispatch_pauses_delete ON public.dispatch_pauses FOR DELETE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer)));

CREATE POLICY dispatch_pauses_insert ON public.dispatch_pauses FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer)));

CREATE POLICY dispatch_pauses_select ON public.dispatch_pauses FOR SELECT TO authenticated USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY dispatch_pauses_update ON public.dispatch_pauses FOR UPDATE TO authenticated USING (false);

CREATE POLICY dispatch_pauses_worker ON public.dispatch_pauses TO gardenos_worker USING (true) WITH CHECK (true);

ALTER TABLE public.follow_ups ENABLE ROW LEVEL SECURITY;

CREATE POLICY follow_ups_delete ON public.follow_ups FOR DELETE TO authenticated, gardenos_agent USING (false);

CREATE POLICY follow_ups_insert ON public.follow_ups FOR INSERT TO gardenos_agent WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY follow_ups_select ON public.follow_ups FOR SELECT TO authenticated, gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY follow_ups_update ON public.follow_ups FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_write() AS can_write))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY follow_ups_worker ON public.follow_ups FOR SELECT TO gardenos_worker USING (true);

ALTER TABLE public.idempotency_keys ENABLE ROW LEVEL SECURITY;

CREATE POLICY idempotency_keys_age ON public.idempotency_keys FOR SELECT TO gardenos_worker USING (true);

CREATE POLICY idempotency_keys_delete ON public.idempotency_keys FOR DELETE TO authenticated USING (false);

CREATE POLICY idempotency_keys_insert ON public.idempotency_keys FOR INSERT TO authenticated WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY idempotency_keys_prune ON public.idempotency_keys FOR DELETE TO gardenos_worker USING (true);

CREATE POLICY idempotency_keys_select ON public.idempotency_keys FOR SELECT TO authenticated USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY idempotency_keys_update ON public.idempotency_keys FOR UPDATE TO authenticated USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

ALTER TABLE public.imports ENABLE ROW LEVEL SECURITY;

CREATE POLICY imports_delete ON public.imports FOR DELETE TO authenticated USING (false);

CREATE POLICY imports_insert ON public.imports FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_write() AS can_write)));

CREATE POLICY imports_select ON public.imports FOR SELECT TO authenticated USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY imports_update ON public.imports FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_write() AS can_write))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

ALTER TABLE public.lead_scores ENABLE ROW LEVEL SECURITY;

CREATE POLICY lead_scores_delete ON public.lead_scores FOR DELETE TO authenticated, gardenos_agent USING (false);

CREATE POLICY lead_scores_insert ON public.lead_scores FOR INSERT TO gardenos_agent WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY lead_scores_select ON public.lead_scores FOR SELECT TO authenticated, gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY lead_scores_update ON public.lead_scores FOR UPDATE TO authenticated, gardenos_agent USING (false);

CREATE POLICY lead_scores_worker ON public.lead_scores FOR SELECT TO gardenos_worker USING (true);

ALTER TABLE public.leads ENABLE ROW LEVEL SECURITY;

CREATE POLICY leads_delete ON public.leads FOR DELETE TO authenticated USING (false);

CREATE POLICY leads_insert ON public.leads FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_write() AS can_write)));

CREATE POLICY leads_select ON public.leads FOR SELECT TO authenticated, gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY leads_update ON public.leads FOR UPDATE TO authenticated, gardenos_agent USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_write() AS can_write))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY leads_worker ON public.leads FOR SELECT TO gardenos_worker USING (true);

ALTER TABLE public.llm_calls ENABLE ROW LEVEL SECURITY;

CREATE POLICY llm_calls_delete ON public.llm_calls FOR DELETE TO authenticated, gardenos_agent USING (false);

CREATE POLICY llm_calls_insert ON public.llm_calls FOR INSERT TO gardenos_agent WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY llm_calls_select ON public.llm_calls FOR SELECT TO authenticated, gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY llm_calls_update ON public.llm_calls FOR UPDATE TO authenticated, gardenos_agent USING (false);

CREATE POLICY llm_calls_worker ON public.llm_calls FOR SELECT TO gardenos_worker USING (true);

ALTER TABLE public.llm_spend ENABLE ROW LEVEL SECURITY;

CREATE POLICY llm_spend_delete ON public.llm_spend FOR DELETE TO authenticated, gardenos_agent USING (false);

CREATE POLICY llm_spend_insert ON public.llm_spend FOR INSERT TO gardenos_agent WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY llm_spend_select ON public.llm_spend FOR SELECT TO authenticated, gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY llm_spend_update ON public.llm_spend FOR UPDATE TO gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY llm_spend_worker ON public.llm_spend FOR SELECT TO gardenos_worker USING (true);

ALTER TABLE public.members ENABLE ROW LEVEL SECURITY;

CREATE POLICY members_delete ON public.members FOR DELETE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer)));

CREATE POLICY members_insert ON public.members FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer)));

CREATE POLICY members_select ON public.members FOR SELECT TO authenticated, gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY members_sign_in ON public.members FOR SELECT TO supabase_auth_admin, gardenos_auth USING (true);

CREATE POLICY members_sign_up ON public.members FOR INSERT TO gardenos_auth WITH CHECK (true);

CREATE POLICY members_update ON public.members FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

ALTER TABLE public.operator_actions ENABLE ROW LEVEL SECURITY;

CREATE POLICY operator_actions_insert ON public.operator_actions FOR INSERT TO gardenos_worker WITH CHECK (true);

CREATE POLICY operator_actions_select ON public.operator_actions FOR SELECT TO gardenos_worker USING (true);

ALTER TABLE public.orchestrator_lease ENABLE ROW LEVEL SECURITY;

CREATE POLICY orchestrator_lease_worker ON public.orchestrator_lease TO gardenos_worker USING (true) WITH CHECK (true);

ALTER TABLE public.outbox ENABLE ROW LEVEL SECURITY;

CREATE POLICY outbox_delete ON public.outbox FOR DELETE TO authenticated USING (false);

CREATE POLICY outbox_insert ON public.outbox FOR INSERT TO authenticated WITH CHECK (false);

CREATE POLICY outbox_prune ON public.outbox FOR DELETE TO gardenos_worker USING (true);

CREATE POLICY outbox_read ON public.outbox FOR SELECT TO gardenos_worker USING (true);

CREATE POLICY outbox_record ON public.outbox FOR INSERT TO gardenos_owner WITH CHECK (true);

CREATE POLICY outbox_select ON public.outbox FOR SELECT TO authenticated USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY outbox_update ON public.outbox FOR UPDATE TO authenticated USING (false);

ALTER TABLE public.task_schedules ENABLE ROW LEVEL SECURITY;

CREATE POLICY task_schedules_delete ON public.task_schedules FOR DELETE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_write() AS can_write)));

CREATE POLICY task_schedules_insert ON public.task_schedules FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_write() AS can_write)));

CREATE POLICY task_schedules_select ON public.task_schedules FOR SELECT TO authenticated USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY task_schedules_update ON public.task_schedules FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_write() AS can_write))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY task_schedules_worker ON public.task_schedules TO gardenos_worker USING (true) WITH CHECK (true);

ALTER TABLE public.webhook_deliveries ENABLE ROW LEVEL SECURITY;

CREATE POLICY webhook_deliveries_delete ON public.webhook_deliveries FOR DELETE TO authenticated USING (false);

CREATE POLICY webhook_deliveries_deliver ON public.webhook_deliveries FOR SELECT TO gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY webhook_deliveries_fan_out ON public.webhook_deliveries TO gardenos_worker USING (true) WITH CHECK (true);

CREATE POLICY webhook_deliveries_insert ON public.webhook_deliveries FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer)));

CREATE POLICY webhook_deliveries_note ON public.webhook_deliveries FOR UPDATE TO gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY webhook_deliveries_select ON public.webhook_deliveries FOR SELECT TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer)));

CREATE POLICY webhook_deliveries_update ON public.webhook_deliveries FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

ALTER TABLE public.webhooks ENABLE ROW LEVEL SECURITY;

CREATE POLICY webhooks_delete ON public.webhooks FOR DELETE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer)));

CREATE POLICY webhooks_deliver ON public.webhooks FOR SELECT TO gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY webhooks_fan_out ON public.webhooks FOR SELECT TO gardenos_worker USING (true);

CREATE POLICY webhooks_gone ON public.webhooks FOR UPDATE TO gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY webhooks_insert ON public.webhooks FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer)));

CREATE POLICY webhooks_select ON public.webhooks FOR SELECT TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer)));

CREATE POLICY webhooks_update ON public.webhooks FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

GRANT USAGE ON SCHEMA app TO anon;
GRANT USAGE ON SCHEMA app TO authenticated;
GRANT USAGE ON SCHEMA app TO service_role;
GRANT USAGE ON SCHEMA app TO gardenos_agent;
GRANT USAGE ON SCHEMA app TO gardenos_worker;
GRANT USAGE ON SCHEMA app TO gardenos_auth;

GRANT USAGE ON SCHEMA auth TO anon;
GRANT USAGE ON SCHEMA auth TO authenticated;
GRANT USAGE ON SCHEMA auth TO service_role;
GRANT USAGE ON SCHEMA auth TO gardenos_agent;
GRANT USAGE ON SCHEMA auth TO gardenos_auth;
GRANT USAGE ON SCHEMA auth TO gardenos_owner;

GRANT ALL ON SCHEMA public TO gardenos_owner;

REVOKE ALL ON FUNCTION public.custom_access_token_hook(event jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.custom_access_token_hook(event jsonb) TO gardenos_auth;
GRANT ALL ON FUNCTION public.custom_access_token_hook(event jsonb) TO supabase_auth_admin;

GRANT SELECT,UPDATE ON TABLE app.feed TO gardenos_worker;

GRANT SELECT ON TABLE app.migrations TO gardenos_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE app.rate_buckets TO gardenos_auth;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE app.sign_in_attempts TO gardenos_auth;

GRANT SELECT,UPDATE ON TABLE app.webhook_cursor TO gardenos_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.identities TO gardenos_auth;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.refresh_tokens TO gardenos_auth;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.sessions TO gardenos_auth;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.users TO gardenos_auth;
GRANT REFERENCES ON TABLE auth.users TO gardenos_owner;

GRANT SELECT,UPDATE ON TABLE public.agencies TO authenticated;
GRANT SELECT ON TABLE public.agencies TO gardenos_agent;
GRANT SELECT,INSERT ON TABLE public.agencies TO gardenos_auth;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.agent_overrides TO gardenos_worker;

GRANT SELECT ON TABLE public.agent_tasks TO authenticated;
GRANT SELECT,INSERT,UPDATE ON TABLE public.agent_tasks TO gardenos_agent;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.agent_tasks TO gardenos_worker;

GRANT INSERT(id) ON TABLE public.agent_tasks TO authenticated;

GRANT INSERT(agency_id) ON TABLE public.agent_tasks TO authenticated;

GRANT INSERT(agent_type) ON TABLE public.agent_tasks TO authenticated;

GRANT INSERT(priority) ON TABLE public.agent_tasks TO authenticated;

GRANT INSERT(payload) ON TABLE public.agent_tasks TO authenticated;

GRANT INSERT(idempotency_key) ON TABLE public.agent_tasks TO authenticated;

GRANT INSERT(awaited),UPDATE(awaited) ON TABLE public.agent_tasks TO authenticated;

GRANT INSERT(max_retries) ON TABLE public.agent_tasks TO authenticated;

GRANT INSERT(run_at) ON TABLE public.agent_tasks TO authenticated;

GRANT INSERT(created_by) ON TABLE public.agent_tasks TO authenticated;

GRANT UPDATE(cancel_requested_at) ON TABLE public.agent_tasks TO authenticated;

GRANT UPDATE(cancelled_by) ON TABLE public.agent_tasks TO authenticated;

GRANT SELECT ON TABLE public.api_keys TO gardenos_auth;

GRANT SELECT(id) ON TABLE public.api_keys TO authenticated;

GRANT SELECT(agency_id),INSERT(agency_id) ON TABLE public.api_keys TO authenticated;

GRANT SELECT(user_id),INSERT(user_id) ON TABLE public.api_keys TO authenticated;

GRANT SELECT(name),INSERT(name) ON TABLE public.api_keys TO authenticated;

GRANT SELECT(role),INSERT(role) ON TABLE public.api_keys TO authenticated;

GRANT SELECT(scopes),INSERT(scopes) ON TABLE public.api_keys TO authenticated;

GRANT INSERT(digest) ON TABLE public.api_keys TO authenticated;

GRANT SELECT(created_at) ON TABLE public.api_keys TO authenticated;

GRANT SELECT(expires_at),INSERT(expires_at) ON TABLE public.api_keys TO authenticated;

GRANT SELECT(last_used_at) ON TABLE public.api_keys TO authenticated;
GRANT UPDATE(last_used_at) ON TABLE public.api_keys TO gardenos_auth;

GRANT SELECT(revoked_at),UPDATE(revoked_at) ON TABLE public.api_keys TO authenticated;

GRANT SELECT ON TABLE public.dispatch_limits TO authenticated;
GRANT SELECT ON TABLE public.dispatch_limits TO gardenos_agent;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.dispatch_limits TO gardenos_worker;

GRANT SELECT,INSERT,DELETE ON TABLE public.dispatch_pauses TO authenticated;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.dispatch_pauses TO gardenos_worker;

GRANT SELECT ON TABLE public.follow_ups TO authenticated;
GRANT SELECT,INSERT ON TABLE public.follow_ups TO gardenos_agent;

GRANT SELECT(id) ON TABLE public.follow_ups TO gardenos_worker;

GRANT SELECT(agency_id) ON TABLE public.follow_ups TO gardenos_worker;

GRANT SELECT(task_id) ON TABLE public.follow_ups TO gardenos_worker;

GRANT UPDATE(state) ON TABLE public.follow_ups TO authenticated;

GRANT SELECT,INSERT,UPDATE ON TABLE public.idempotency_keys TO authenticated;
GRANT DELETE ON TABLE public.idempotency_keys TO gardenos_worker;

GRANT SELECT(created_at) ON TABLE public.idempotency_keys TO gardenos_worker;

GRANT SELECT,INSERT,UPDATE ON TABLE public.imports TO authenticated;

GRANT SELECT ON TABLE public.lead_scores TO authenticated;
GRANT SELECT,INSERT ON TABLE public.lead_scores TO gardenos_agent;

GRANT SELECT(id) ON TABLE public.lead_scores TO gardenos_worker;

GRANT SELECT(agency_id) ON TABLE public.lead_scores TO gardenos_worker;

GRANT SELECT(task_id) ON TABLE public.lead_scores TO gardenos_worker;

GRANT SELECT,INSERT,UPDATE ON TABLE public.leads TO authenticated;
GRANT SELECT ON TABLE public.leads TO gardenos_agent;

GRANT SELECT(id) ON TABLE public.leads TO gardenos_worker;

GRANT SELECT(agency_id) ON TABLE public.leads TO gardenos_worker;

GRANT UPDATE(quality_score) ON TABLE public.leads TO gardenos_agent;

GRANT UPDATE(conversion_probability) ON TABLE public.leads TO gardenos_agent;

GRANT UPDATE(scored_at) ON TABLE public.leads TO gardenos_agent;

GRANT SELECT ON TABLE public.llm_calls TO authenticated;
GRANT SELECT,INSERT ON TABLE public.llm_calls TO gardenos_agent;
GRANT SELECT ON TABLE public.llm_calls TO gardenos_worker;

GRANT SELECT ON TABLE public.llm_spend TO authenticated;
GRANT SELECT ON TABLE public.llm_spend TO gardenos_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.llm_spend TO gardenos_agent;

GRANT SELECT,INSERT ON TABLE public.members TO gardenos_auth;
GRANT SELECT ON TABLE public.members TO authenticated;
GRANT SELECT ON TABLE public.members TO gardenos_agent;
GRANT SELECT ON TABLE public.members TO supabase_auth_admin;

GRANT SELECT,INSERT ON TABLE public.operator_actions TO gardenos_worker;

GRANT SELECT,UPDATE ON TABLE public.orchestrator_lease TO gardenos_worker;

GRANT SELECT,DELETE ON TABLE public.outbox TO gardenos_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.task_schedules TO authenticated;
GRANT SELECT,UPDATE ON TABLE public.task_schedules TO gardenos_worker;

GRANT SELECT ON TABLE public.webhook_deliveries TO authenticated;
GRANT SELECT ON TABLE public.webhook_deliveries TO gardenos_agent;
GRANT INSERT,DELETE ON TABLE public.webhook_deliveries TO gardenos_worker;

GRANT SELECT(id) ON TABLE public.webhook_deliveries TO gardenos_worker;

GRANT INSERT(agency_id) ON TABLE public.webhook_deliveries TO authenticated;
GRANT SELECT(agency_id) ON TABLE public.webhook_deliveries TO gardenos_worker;

GRANT INSERT(webhook_id) ON TABLE public.webhook_deliveries TO authenticated;
GRANT SELECT(webhook_id) ON TABLE public.webhook_deliveries TO gardenos_worker;

GRANT SELECT(seq) ON TABLE public.webhook_deliveries TO gardenos_worker;

GRANT INSERT(entity) ON TABLE public.webhook_deliveries TO authenticated;

GRANT INSERT(record_id) ON TABLE public.webhook_deliveries TO authenticated;

GRANT INSERT(verb) ON TABLE public.webhook_deliveries TO authenticated;

GRANT UPDATE(state) ON TABLE public.webhook_deliveries TO authenticated;
GRANT UPDATE(state) ON TABLE public.webhook_deliveries TO gardenos_agent;

GRANT UPDATE(tries) ON TABLE public.webhook_deliveries TO authenticated;
GRANT UPDATE(tries) ON TABLE public.webhook_deliveries TO gardenos_agent;

GRANT UPDATE(status) ON TABLE public.webhook_deliveries TO gardenos_agent;

GRANT UPDATE(took_ms) ON TABLE public.webhook_deliveries TO gardenos_agent;

GRANT UPDATE(answer) ON TABLE public.webhook_deliveries TO gardenos_agent;

GRANT UPDATE(error) ON TABLE public.webhook_deliveries TO gardenos_agent;

GRANT UPDATE(tried_at) ON TABLE public.webhook_deliveries TO gardenos_agent;

GRANT UPDATE(next_try_at) ON TABLE public.webhook_deliveries TO authenticated;
GRANT UPDATE(next_try_at) ON TABLE public.webhook_deliveries TO gardenos_agent;

GRANT SELECT(created_at) ON TABLE public.webhook_deliveries TO gardenos_worker;

GRANT DELETE ON TABLE public.webhooks TO authenticated;
GRANT SELECT ON TABLE public.webhooks TO gardenos_agent;

GRANT SELECT(id) ON TABLE public.webhooks TO authenticated;
GRANT SELECT(id) ON TABLE public.webhooks TO gardenos_worker;

GRANT SELECT(agency_id),INSERT(agency_id) ON TABLE public.webhooks TO authenticated;
GRANT SELECT(agency_id) ON TABLE public.webhooks TO gardenos_worker;

GRANT SELECT(url),INSERT(url),UPDATE(url) ON TABLE public.webhooks TO authenticated;

GRANT SELECT(description),INSERT(description),UPDATE(description) ON TABLE public.webhooks TO authenticated;

GRANT SELECT(entities),INSERT(entities),UPDATE(entities) ON TABLE public.webhooks TO authenticated;
GRANT SELECT(entities) ON TABLE public.webhooks TO gardenos_worker;

GRANT SELECT(verbs),INSERT(verbs),UPDATE(verbs) ON TABLE public.webhooks TO authenticated;
GRANT SELECT(verbs) ON TABLE public.webhooks TO gardenos_worker;

GRANT SELECT(active),INSERT(active),UPDATE(active) ON TABLE public.webhooks TO authenticated;
GRANT UPDATE(active) ON TABLE public.webhooks TO gardenos_agent;
GRANT SELECT(active) ON TABLE public.webhooks TO gardenos_worker;

GRANT INSERT(secret),UPDATE(secret) ON TABLE public.webhooks TO authenticated;

GRANT SELECT(old_secret_until) ON TABLE public.webhooks TO authenticated;

GRANT SELECT(version) ON TABLE public.webhooks TO authenticated;

GRANT SELECT(created_by),INSERT(created_by) ON TABLE public.webhooks TO authenticated;

GRANT SELECT(created_at) ON TABLE public.webhooks TO authenticated;
GRANT SELECT(created_at) ON TABLE public.webhooks TO gardenos_worker;

GRANT SELECT(updated_at) ON TABLE public.webhooks TO authenticated;
