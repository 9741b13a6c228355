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
