-- What programs are answered by: keys of their own.

-- A key acts for the member who made it, and goes with the membership.
CREATE TABLE public.api_keys (
  id           uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id    uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  user_id      uuid NOT NULL,
  name         text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 100),
  role         text NOT NULL CHECK (role IN ('owner', 'admin', 'manager', 'agent', 'read_only')),
  scopes       text[] NOT NULL CHECK (cardinality(scopes) BETWEEN 1 AND 50),
  digest       bytea NOT NULL CHECK (octet_length(digest) = 32),
  created_at   timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz CHECK (expires_at > created_at),
  last_used_at timestamptz,
  revoked_at   timestamptz,
  FOREIGN KEY (agency_id, user_id) REFERENCES public.members (agency_id, user_id) ON DELETE CASCADE
);
COMMENT ON COLUMN public.api_keys.digest IS 'SHA-256 of the secret; never the secret itself.';
COMMENT ON COLUMN public.api_keys.last_used_at IS 'To the minute.';
CREATE INDEX api_keys_agency_idx ON public.api_keys (agency_id, id DESC);
CREATE INDEX api_keys_user_idx ON public.api_keys (agency_id, user_id);

-- Whether a key asks, and not a person.
CREATE FUNCTION app.is_key() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(app.claims() ? 'key_id', false);

ALTER TABLE public.api_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.api_keys FORCE ROW LEVEL SECURITY;
-- One's own keys; for those who run the agency everybody's.
CREATE POLICY api_keys_select ON public.api_keys FOR SELECT TO authenticated
  USING (agency_id = (SELECT app.agency_id())
         AND CASE WHEN (SELECT app.can_administer()) THEN true ELSE user_id = (SELECT app.user_id()) END);
-- A key makes no keys, and nobody makes one that may do more than themselves.
CREATE POLICY api_keys_insert ON public.api_keys FOR INSERT TO authenticated
  WITH CHECK (agency_id = (SELECT app.agency_id()) AND user_id = (SELECT app.user_id()) AND NOT (SELECT app.is_key())
         AND array_position(ARRAY['read_only', 'agent', 'manager', 'admin', 'owner'], role)
             <= array_position(ARRAY['read_only', 'agent', 'manager', 'admin', 'owner'], (SELECT app.user_role())));
CREATE POLICY api_keys_update ON public.api_keys FOR UPDATE TO authenticated
  USING (agency_id = (SELECT app.agency_id()) AND NOT (SELECT app.is_key())
         AND CASE WHEN (SELECT app.can_administer()) THEN true ELSE user_id = (SELECT app.user_id()) END)
  WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY api_keys_delete ON public.api_keys FOR DELETE TO authenticated USING (false);
CREATE POLICY api_keys_sign_in ON public.api_keys FOR SELECT TO gardenos_auth USING (true);
CREATE POLICY api_keys_use ON public.api_keys FOR UPDATE TO gardenos_auth USING (true) WITH CHECK (true);
GRANT SELECT (id, agency_id, user_id, name, role, scopes, created_at, expires_at, last_used_at, revoked_at),
      INSERT (agency_id, user_id, name, role, scopes, digest, expires_at), UPDATE (revoked_at)
  ON public.api_keys TO authenticated;
GRANT SELECT, UPDATE (last_used_at) ON public.api_keys TO gardenos_auth;

-- Rate limits, shared by all gateways: token buckets of agencies, members, keys and addresses. A crash
-- of the server empties the table, which fills every bucket: that is why nothing of it is logged.
CREATE UNLOGGED TABLE app.rate_buckets (
  subject text PRIMARY KEY CHECK (char_length(subject) <= 100),
  tokens  double precision NOT NULL,
  at      timestamptz NOT NULL
);
CREATE INDEX rate_buckets_at_idx ON app.rate_buckets (at);
GRANT SELECT, INSERT, UPDATE, DELETE ON app.rate_buckets TO gardenos_auth;

-- For each subject: fills its bucket up for the time that has passed, charges what was spent in
-- advance, and grants of the rest what is wanted. In one order, so that no two callers can wait for
-- each other.
CREATE FUNCTION app.lease_tokens(subjects text[], quotas double precision[], rates double precision[],
                                 spent double precision[], wanted double precision[])
RETURNS TABLE (subject text, granted double precision, tokens double precision)
LANGUAGE plpgsql AS $$
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

-- Whether a role may be told of any record of an entity, whosever it is.
CREATE FUNCTION app.reads_all(entity text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN app.scope(entity, 'read') = 'agency';

-- Up to where the feed of changes was let go: whoever comes back from before that has missed something.
CREATE TABLE app.feed (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  txid     xid8 NOT NULL DEFAULT '0',
  seq      bigint NOT NULL DEFAULT 0
);
INSERT INTO app.feed DEFAULT VALUES;
GRANT SELECT, UPDATE ON app.feed TO gardenos_worker;

-- Which of these records whoever asks can read, by their place in the lists. Their own policies say it.
CREATE FUNCTION app.readable(entities text[], ids text[]) RETURNS SETOF bigint
LANGUAGE plpgsql STABLE AS $$
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
$$;

-- Where an agency's programs are told of changes, by Standard Webhooks.
CREATE TABLE public.webhooks (
  id               uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id        uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  url              text NOT NULL CHECK (char_length(url) <= 2000),
  description      text CHECK (char_length(description) <= 500),
  entities         text[] CHECK (cardinality(entities) BETWEEN 1 AND 50),
  verbs            text[] CHECK (cardinality(verbs) BETWEEN 1 AND 10),
  active           boolean NOT NULL DEFAULT true,
  secret           text NOT NULL CHECK (secret ~ '^whsec_'),
  old_secret       text,
  old_secret_until timestamptz,
  version          bigint NOT NULL DEFAULT 1,
  created_by       uuid,
  created_at       timestamptz NOT NULL DEFAULT now(),
  updated_at       timestamptz NOT NULL DEFAULT now(),
  UNIQUE (agency_id, id),
  CONSTRAINT an_old_secret_ends CHECK ((old_secret IS NULL) = (old_secret_until IS NULL))
);
COMMENT ON COLUMN public.webhooks.entities IS 'Null for every kind of record; so for verbs.';
CREATE INDEX webhooks_agency_idx ON public.webhooks (agency_id, id DESC);
CREATE TRIGGER webhooks_touch BEFORE UPDATE ON public.webhooks FOR EACH ROW EXECUTE FUNCTION app.touch();

-- A secret that is replaced goes on for a day, so that no delivery fails while receivers change over.
CREATE FUNCTION app.keep_old_secret() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  NEW.old_secret := OLD.secret;
  NEW.old_secret_until := now() + interval '24 hours';
  RETURN NEW;
END
$$;
CREATE TRIGGER webhooks_rotate BEFORE UPDATE OF secret ON public.webhooks FOR EACH ROW
  WHEN (OLD.secret IS DISTINCT FROM NEW.secret) EXECUTE FUNCTION app.keep_old_secret();

-- One row for each change that a webhook is told of, and how telling it went.
CREATE TABLE public.webhook_deliveries (
  id          uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id   uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  webhook_id  uuid NOT NULL,
  seq         bigint,
  entity      text NOT NULL,
  record_id   text NOT NULL,
  verb        text NOT NULL,
  at          timestamptz NOT NULL DEFAULT now(),
  state       text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
  tries       integer NOT NULL DEFAULT 0 CHECK (tries >= 0),
  status      smallint,
  took_ms     integer,
  answer      text CHECK (char_length(answer) <= 1024),
  error       text CHECK (char_length(error) <= 1000),
  tried_at    timestamptz,
  next_try_at timestamptz,
  created_at  timestamptz NOT NULL DEFAULT now(),
  UNIQUE (webhook_id, seq),
  FOREIGN KEY (agency_id, webhook_id) REFERENCES public.webhooks (agency_id, id) ON DELETE CASCADE,
  CONSTRAINT only_pending_tries_again CHECK (state = 'pending' OR next_try_at IS NULL)
);
COMMENT ON COLUMN public.webhook_deliveries.seq IS 'Of the change in the outbox; null for a test.';
CREATE INDEX webhook_deliveries_agency_idx ON public.webhook_deliveries (agency_id, webhook_id, id DESC);
CREATE INDEX webhook_deliveries_age_idx ON public.webhook_deliveries USING brin (created_at);

-- Up to where changes were handed to webhooks: moved in the transaction that makes their deliveries.
CREATE TABLE app.webhook_cursor (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  txid     xid8 NOT NULL DEFAULT '0',
  seq      bigint NOT NULL DEFAULT 0
);
INSERT INTO app.webhook_cursor DEFAULT VALUES;
GRANT SELECT, UPDATE ON app.webhook_cursor TO gardenos_worker;

ALTER TABLE public.webhooks ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.webhooks FORCE ROW LEVEL SECURITY;
ALTER TABLE public.webhook_deliveries ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.webhook_deliveries FORCE ROW LEVEL SECURITY;
CREATE POLICY webhooks_select ON public.webhooks FOR SELECT TO authenticated
  USING (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_administer()));
CREATE POLICY webhooks_insert ON public.webhooks FOR INSERT TO authenticated
  WITH CHECK (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_administer()));
CREATE POLICY webhooks_update ON public.webhooks FOR UPDATE TO authenticated
  USING (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_administer()))
  WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY webhooks_delete ON public.webhooks FOR DELETE TO authenticated
  USING (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_administer()));
CREATE POLICY webhooks_deliver ON public.webhooks FOR SELECT TO gardenos_agent USING (agency_id = (SELECT app.agency_id()));
CREATE POLICY webhooks_gone ON public.webhooks FOR UPDATE TO gardenos_agent
  USING (agency_id = (SELECT app.agency_id())) WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY webhooks_fan_out ON public.webhooks FOR SELECT TO gardenos_worker USING (true);
CREATE POLICY webhook_deliveries_select ON public.webhook_deliveries FOR SELECT TO authenticated
  USING (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_administer()));
CREATE POLICY webhook_deliveries_insert ON public.webhook_deliveries FOR INSERT TO authenticated
  WITH CHECK (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_administer()));
CREATE POLICY webhook_deliveries_update ON public.webhook_deliveries FOR UPDATE TO authenticated
  USING (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_administer()))
  WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY webhook_deliveries_delete ON public.webhook_deliveries FOR DELETE TO authenticated USING (false);
CREATE POLICY webhook_deliveries_deliver ON public.webhook_deliveries FOR SELECT TO gardenos_agent
  USING (agency_id = (SELECT app.agency_id()));
CREATE POLICY webhook_deliveries_note ON public.webhook_deliveries FOR UPDATE TO gardenos_agent
  USING (agency_id = (SELECT app.agency_id())) WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY webhook_deliveries_fan_out ON public.webhook_deliveries FOR ALL TO gardenos_worker USING (true) WITH CHECK (true);
GRANT SELECT (id, agency_id, url, description, entities, verbs, active, old_secret_until, version, created_by, created_at, updated_at),
      INSERT (agency_id, url, description, entities, verbs, active, secret, created_by),
      UPDATE (url, description, entities, verbs, active, secret), DELETE
  ON public.webhooks TO authenticated;
GRANT SELECT, UPDATE (active) ON public.webhooks TO gardenos_agent;
GRANT SELECT (id, agency_id, entities, verbs, active, created_at) ON public.webhooks TO gardenos_worker;
GRANT SELECT, INSERT (agency_id, webhook_id, entity, record_id, verb), UPDATE (state, tries, next_try_at)
  ON public.webhook_deliveries TO authenticated;
GRANT SELECT, UPDATE (state, tries, status, took_ms, answer, error, tried_at, next_try_at) ON public.webhook_deliveries TO gardenos_agent;
GRANT SELECT (id, agency_id, webhook_id, seq, created_at), INSERT, DELETE ON public.webhook_deliveries TO gardenos_worker;

SELECT app.record('public.api_keys', ARRAY['digest', 'last_used_at']);
SELECT app.record('public.webhooks', ARRAY['secret', 'old_secret', 'old_secret_until']);
