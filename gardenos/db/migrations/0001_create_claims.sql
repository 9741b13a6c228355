-- Who is asking, read from the claims of the transaction. PostgREST sets the same setting, so the
-- policies below bind PostgREST, Studio's SQL and GardenOS alike.

GRANT USAGE ON SCHEMA app TO anon, authenticated, service_role, gardenos_agent, gardenos_worker, gardenos_auth;
-- Readiness compares what was applied with what this version ships.
GRANT SELECT ON app.migrations TO gardenos_worker;

CREATE FUNCTION app.claims() RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('request.jwt.claims', true), '')::jsonb;

CREATE FUNCTION app.agency_id() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(app.claims() ->> 'agency_id', app.claims() -> 'app_metadata' ->> 'agency_id')::uuid;

CREATE FUNCTION app.user_id() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (app.claims() ->> 'sub')::uuid;

CREATE FUNCTION app.user_role() RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(app.claims() ->> 'user_role', app.claims() -> 'app_metadata' ->> 'user_role');

CREATE FUNCTION app.can_write() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(app.user_role() IN ('owner', 'admin', 'manager', 'agent'), false);

CREATE FUNCTION app.can_administer() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(app.user_role() IN ('owner', 'admin'), false);

-- One trigger for every versioned record: the version is what ETag and If-Match compare.
CREATE FUNCTION app.touch() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at := now();
  NEW.version := OLD.version + 1;
  RETURN NEW;
END
$$;
