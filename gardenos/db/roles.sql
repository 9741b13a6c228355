-- The roles, idempotent: run before every migration by a login that may create roles.
-- Names and meanings of anon, authenticated, service_role and supabase_auth_admin are Supabase's.
DO $$
DECLARE
  wanted text;
BEGIN
  FOREACH wanted IN ARRAY ARRAY[
    'anon', 'authenticated', 'service_role', 'supabase_auth_admin',
    'gardenos_owner', 'gardenos_agent', 'gardenos_worker', 'gardenos_auth', 'gardenos_search'
  ] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
      EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT', wanted);
    END IF;
  END LOOP;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gardenos_app') THEN
    CREATE ROLE gardenos_app LOGIN NOINHERIT;
  END IF;
END
$$;

-- The login that migrates acts as the owners without being one itself.
DO $$
BEGIN
  IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
    EXECUTE format('GRANT gardenos_owner, supabase_auth_admin TO %I', current_user);
  END IF;
  EXECUTE format('GRANT CREATE ON DATABASE %I TO gardenos_owner', current_database());
END
$$;

-- NOINHERIT and SET: the login alone sees nothing; a transaction takes on one of these roles.
GRANT anon, authenticated, gardenos_agent, gardenos_worker, gardenos_auth TO gardenos_app;

ALTER ROLE gardenos_app SET statement_timeout = '60s';
ALTER ROLE gardenos_app SET lock_timeout = '10s';
ALTER ROLE gardenos_app SET idle_in_transaction_session_timeout = '60s';
GRANT USAGE, CREATE ON SCHEMA public TO gardenos_owner;

-- Whoever the function that looks into the search's index runs as, and nobody else: no login takes it on.
GRANT gardenos_search TO gardenos_owner WITH INHERIT FALSE, SET TRUE;
