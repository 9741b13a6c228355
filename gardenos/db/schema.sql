-- What the migrations make; written by `python -m gardenos.db.snapshot`, never run.

CREATE SCHEMA app;

ALTER SCHEMA app OWNER TO gardenos_owner;

CREATE SCHEMA auth;

ALTER SCHEMA auth OWNER TO supabase_auth_admin;

CREATE EXTENSION IF NOT EXISTS btree_gin WITH SCHEMA app;

COMMENT ON EXTENSION btree_gin IS 'support for indexing common datatypes in GIN';

CREATE EXTENSION IF NOT EXISTS fuzzystrmatch WITH SCHEMA app;

COMMENT ON EXTENSION fuzzystrmatch IS 'determine similarities and distance between strings';

CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA app;

COMMENT ON EXTENSION pg_trgm IS 'text similarity measurement and index searching based on trigrams';

CREATE EXTENSION IF NOT EXISTS unaccent WITH SCHEMA app;

COMMENT ON EXTENSION unaccent IS 'text search dictionary that removes accents';

CREATE FUNCTION app.activities_search_delete() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
      BEGIN
        DELETE FROM app.search_documents d USING old_rows o
         WHERE d.agency_id = o.agency_id AND d.entity = 'activities' AND d.record_id = o.id;
        -- Of an agency that goes as a whole, everything goes.
        INSERT INTO app.search_words_gone
        SELECT DISTINCT r.agency_id, w FROM old_rows r JOIN public.agencies g ON g.id = r.agency_id, unnest(app.plain_words(concat_ws(' ', r.subject, NULL))) AS w;
        RETURN NULL;
      END $$;

ALTER FUNCTION app.activities_search_delete() OWNER TO gardenos_owner;

CREATE FUNCTION app.activities_search_fill() RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog'
    AS $$
        DELETE FROM app.search_documents WHERE entity = 'activities';
        INSERT INTO app.search_documents
      SELECT r.agency_id, 'activities', r.id, r.created_by, app.search_vector(app.search_prefix(r.agency_id, 'activities'), r.subject, NULL, r.outcome, r.body) FROM public.activities r ;
        INSERT INTO app.search_words
        SELECT DISTINCT r.agency_id, w FROM public.activities r, unnest(app.plain_words(concat_ws(' ', r.subject, NULL))) AS w
         WHERE length(w) BETWEEN 3 AND 64 AND w !~ '[0-9]'
           AND NOT EXISTS (SELECT FROM app.search_words k WHERE k.agency_id = r.agency_id AND k.word = w);
      $$;

ALTER FUNCTION app.activities_search_fill() OWNER TO gardenos_owner;

CREATE FUNCTION app.activities_search_insert() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
      BEGIN
        INSERT INTO app.search_documents
      SELECT r.agency_id, 'activities', r.id, r.created_by, app.search_vector(app.search_prefix(r.agency_id, 'activities'), r.subject, NULL, r.outcome, r.body) FROM new_rows r  ON CONFLICT DO NOTHING;
        INSERT INTO app.search_words
        SELECT DISTINCT r.agency_id, w FROM new_rows r, unnest(app.plain_words(concat_ws(' ', r.subject, NULL))) AS w
         WHERE length(w) BETWEEN 3 AND 64 AND w !~ '[0-9]'
           AND NOT EXISTS (SELECT FROM app.search_words k WHERE k.agency_id = r.agency_id AND k.word = w);
        RETURN NULL;
      END $$;

ALTER FUNCTION app.activities_search_insert() OWNER TO gardenos_owner;

CREATE FUNCTION app.activities_search_update() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
      BEGIN
        DELETE FROM app.search_documents d WHERE d.agency_id = OLD.agency_id AND d.entity = 'activities' AND d.record_id = OLD.id;
        INSERT INTO app.search_words_gone
        SELECT DISTINCT r.agency_id, w FROM (SELECT OLD.*) AS r, unnest(app.plain_words(concat_ws(' ', r.subject, NULL))) AS w;
        INSERT INTO app.search_documents
      SELECT r.agency_id, 'activities', r.id, r.created_by, app.search_vector(app.search_prefix(r.agency_id, 'activities'), r.subject, NULL, r.outcome, r.body) FROM (SELECT NEW.*) AS r  ON CONFLICT DO NOTHING;
        PERFORM app.learn_words(r.agency_id, concat_ws(' ', r.subject, NULL)) FROM (SELECT NEW.*) AS r ;
        RETURN NULL;
      END $$;

ALTER FUNCTION app.activities_search_update() OWNER TO gardenos_owner;

CREATE FUNCTION app.claims() RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (NULLIF(current_setting('request.jwt.claims'::text, true), ''::text))::jsonb;

ALTER FUNCTION app.claims() OWNER TO gardenos_owner;

CREATE FUNCTION app.agency_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (COALESCE((app.claims() ->> 'agency_id'::text), ((app.claims() -> 'app_metadata'::text) ->> 'agency_id'::text)))::uuid;

ALTER FUNCTION app.agency_id() OWNER TO gardenos_owner;

CREATE TABLE app.likeness_keys (
    agency_id uuid NOT NULL,
    entity text NOT NULL,
    key text NOT NULL,
    record_id uuid NOT NULL,
    CONSTRAINT likeness_keys_entity_check CHECK ((entity = ANY (ARRAY['leads'::text, 'contacts'::text, 'companies'::text]))),
    CONSTRAINT likeness_keys_key_check CHECK ((key ~ '^(email|phone|domain|name):'::text))
);

ALTER TABLE ONLY app.likeness_keys FORCE ROW LEVEL SECURITY;

ALTER TABLE app.likeness_keys OWNER TO gardenos_owner;

CREATE FUNCTION app.alike(kind text, keys text[], most integer) RETURNS TABLE(record_id uuid, key text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 SELECT f.record_id,
     f.key
    FROM unnest(alike.keys) w(key),
     LATERAL ( SELECT k.record_id,
             k.key
            FROM app.likeness_keys k
           WHERE ((k.agency_id = ( SELECT app.agency_id() AS agency_id)) AND (k.entity = alike.kind) AND (k.key = w.key))
          LIMIT alike.most) f;
END;

ALTER FUNCTION app.alike(kind text, keys text[], most integer) OWNER TO gardenos_owner;

CREATE FUNCTION app.begin_merge(kind text, kept uuid, gone uuid) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
  was jsonb[];
  made uuid;
BEGIN
  IF NOT app.can_write() THEN
    RAISE insufficient_privilege USING MESSAGE = 'Your role only reads.';
  END IF;
  -- Locked in one order, so that two who merge the same take turns.
  EXECUTE format('SELECT array_agg(to_jsonb(r) ORDER BY r.id = $2) FROM (SELECT * FROM public.%I r WHERE r.id IN ($1, $2) AND r.deleted_at IS NULL ORDER BY r.id FOR UPDATE) r', kind)
    INTO was USING kept, gone;
  IF cardinality(was) IS DISTINCT FROM 2 THEN
    RETURN NULL;
  END IF;
  INSERT INTO public.merges (agency_id, entity, kept_id, gone_id, kept_before, gone_before, merged_by)
  VALUES (app.agency_id(), kind, kept, gone, was[1], was[2], app.user_id())
  RETURNING id INTO made;
  RETURN made;
END
$_$;

ALTER FUNCTION app.begin_merge(kind text, kept uuid, gone uuid) OWNER TO gardenos_owner;

CREATE FUNCTION app.key_allows(entity text, verb text) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ((NOT COALESCE((app.claims() ? 'scopes'::text), false)) OR ((app.claims() -> 'scopes'::text) ?| CASE verb WHEN 'read'::text THEN ARRAY['read'::text, 'write'::text, (entity || ':read'::text), (entity || ':write'::text)] ELSE ARRAY['write'::text, (entity || ':write'::text)] END));

ALTER FUNCTION app.key_allows(entity text, verb text) OWNER TO gardenos_owner;

CREATE FUNCTION app.user_role() RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN COALESCE((app.claims() ->> 'user_role'::text), ((app.claims() -> 'app_metadata'::text) ->> 'user_role'::text));

ALTER FUNCTION app.user_role() OWNER TO gardenos_owner;

CREATE FUNCTION app.can_administer() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (COALESCE((app.user_role() = ANY (ARRAY['owner'::text, 'admin'::text])), false) AND app.key_allows(''::text, 'write'::text));

ALTER FUNCTION app.can_administer() OWNER TO gardenos_owner;

CREATE FUNCTION app.can_write() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (COALESCE((app.user_role() = ANY (ARRAY['owner'::text, 'admin'::text, 'manager'::text, 'agent'::text])), false) AND app.key_allows(''::text, 'write'::text));

ALTER FUNCTION app.can_write() OWNER TO gardenos_owner;

CREATE TABLE app.default_permissions (
    role text NOT NULL,
    entity text NOT NULL,
    verb text NOT NULL,
    scope text NOT NULL,
    CONSTRAINT default_permissions_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'admin'::text, 'manager'::text, 'agent'::text, 'read_only'::text]))),
    CONSTRAINT default_permissions_scope_check CHECK ((scope = ANY (ARRAY['none'::text, 'own'::text, 'team'::text, 'agency'::text]))),
    CONSTRAINT default_permissions_verb_check CHECK ((verb = ANY (ARRAY['read'::text, 'create'::text, 'update'::text, 'delete'::text])))
);

ALTER TABLE app.default_permissions OWNER TO gardenos_owner;

CREATE TABLE public.permissions (
    agency_id uuid NOT NULL,
    role text NOT NULL,
    entity text NOT NULL,
    verb text NOT NULL,
    scope text NOT NULL,
    CONSTRAINT permissions_role_check CHECK ((role = ANY (ARRAY['admin'::text, 'manager'::text, 'agent'::text, 'read_only'::text]))),
    CONSTRAINT permissions_scope_check CHECK ((scope = ANY (ARRAY['none'::text, 'own'::text, 'team'::text, 'agency'::text]))),
    CONSTRAINT permissions_verb_check CHECK ((verb = ANY (ARRAY['read'::text, 'create'::text, 'update'::text, 'delete'::text])))
);

ALTER TABLE ONLY public.permissions FORCE ROW LEVEL SECURITY;

ALTER TABLE public.permissions OWNER TO gardenos_owner;

CREATE FUNCTION app.scope(entity text, verb text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE WHEN app.key_allows(entity, verb) THEN COALESCE((SELECT p.scope FROM public.permissions p WHERE ((p.agency_id = app.agency_id()) AND (p.role = app.user_role()) AND (p.entity = scope.entity) AND (p.verb = scope.verb))), (SELECT d.scope FROM app.default_permissions d WHERE ((d.role = app.user_role()) AND (d.entity = scope.entity) AND (d.verb = scope.verb))), 'none'::text) ELSE 'none'::text END;

ALTER FUNCTION app.scope(entity text, verb text) OWNER TO gardenos_owner;

CREATE FUNCTION app.change_scope(entity text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN (SELECT w.s FROM unnest(ARRAY['agency'::text, 'team'::text, 'own'::text, 'none'::text]) WITH ORDINALITY w(s, n) WHERE (w.s = ANY (ARRAY[app.scope(change_scope.entity, 'update'::text), app.scope(change_scope.entity, 'delete'::text)])) ORDER BY w.n LIMIT 1);

ALTER FUNCTION app.change_scope(entity text) OWNER TO gardenos_owner;

CREATE FUNCTION app.user_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ((app.claims() ->> 'sub'::text))::uuid;

ALTER FUNCTION app.user_id() OWNER TO gardenos_owner;

CREATE TABLE public.team_members (
    agency_id uuid NOT NULL,
    team_id uuid NOT NULL,
    user_id uuid NOT NULL
);

ALTER TABLE ONLY public.team_members FORCE ROW LEVEL SECURITY;

ALTER TABLE public.team_members OWNER TO gardenos_owner;

CREATE FUNCTION app.owners(scope text) RETURNS uuid[]
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE scope WHEN 'own'::text THEN ARRAY[app.user_id()] WHEN 'team'::text THEN (ARRAY[app.user_id()] || ARRAY(SELECT mate.user_id FROM (public.team_members mine JOIN public.team_members mate ON (((mate.agency_id = mine.agency_id) AND (mate.team_id = mine.team_id)))) WHERE ((mine.agency_id = app.agency_id()) AND (mine.user_id = app.user_id())))) ELSE '{}'::uuid[] END;

ALTER FUNCTION app.owners(scope text) OWNER TO gardenos_owner;

CREATE FUNCTION app.change_owners(entity text) RETURNS uuid[]
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN app.owners(app.change_scope(entity));

ALTER FUNCTION app.change_owners(entity text) OWNER TO gardenos_owner;

CREATE FUNCTION app.changed(before jsonb, after jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
DECLARE
  found jsonb := (
    SELECT jsonb_object_agg(f.key, jsonb_build_array(f.value, after -> f.key))
      FROM jsonb_each(before) AS f
     WHERE f.value <> after -> f.key);
  was jsonb;
  is_now jsonb;
BEGIN
  IF found ? 'custom' THEN
    was := app.flat(before);
    is_now := app.flat(after);
    found := (found - 'custom') || (
      SELECT jsonb_object_agg(f, jsonb_build_array(was -> f, is_now -> f))
        FROM jsonb_object_keys(was || is_now) AS f
       WHERE (was -> f) IS DISTINCT FROM (is_now -> f));
  END IF;
  RETURN coalesce(found, '{}');
END
$$;

ALTER FUNCTION app.changed(before jsonb, after jsonb) OWNER TO gardenos_owner;

CREATE FUNCTION app.companies_search_delete() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
      BEGIN
        DELETE FROM app.search_documents d USING old_rows o
         WHERE d.agency_id = o.agency_id AND d.entity = 'companies' AND d.record_id = o.id;
        -- Of an agency that goes as a whole, everything goes.
        INSERT INTO app.search_words_gone
        SELECT DISTINCT r.agency_id, w FROM old_rows r JOIN public.agencies g ON g.id = r.agency_id, unnest(app.plain_words(concat_ws(' ', r.name, NULL))) AS w;
        RETURN NULL;
      END $$;

ALTER FUNCTION app.companies_search_delete() OWNER TO gardenos_owner;

CREATE FUNCTION app.companies_search_fill() RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog'
    AS $$
        DELETE FROM app.search_documents WHERE entity = 'companies';
        INSERT INTO app.search_documents
      SELECT r.agency_id, 'companies', r.id, coalesce(r.owner_id, r.created_by), app.search_vector(app.search_prefix(r.agency_id, 'companies'), r.name, concat_ws(' ', r.domain, r.external_id, r.phone, app.dialled(r.phone)), concat_ws(' ', r.industry, r.street, r.postal_code, r.city, r.region, r.country, r.website), concat_ws(' ', r.notes, (SELECT string_agg(x.value #>> '{}', ' ') FROM jsonb_each(r.custom) AS x))) FROM public.companies r WHERE r.deleted_at IS NULL;
        INSERT INTO app.search_words
        SELECT DISTINCT r.agency_id, w FROM public.companies r, unnest(app.plain_words(concat_ws(' ', r.name, NULL))) AS w
         WHERE length(w) BETWEEN 3 AND 64 AND w !~ '[0-9]'
           AND NOT EXISTS (SELECT FROM app.search_words k WHERE k.agency_id = r.agency_id AND k.word = w);
      $$;

ALTER FUNCTION app.companies_search_fill() OWNER TO gardenos_owner;

CREATE FUNCTION app.companies_search_insert() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
      BEGIN
        INSERT INTO app.search_documents
      SELECT r.agency_id, 'companies', r.id, coalesce(r.owner_id, r.created_by), app.search_vector(app.search_prefix(r.agency_id, 'companies'), r.name, concat_ws(' ', r.domain, r.external_id, r.phone, app.dialled(r.phone)), concat_ws(' ', r.industry, r.street, r.postal_code, r.city, r.region, r.country, r.website), concat_ws(' ', r.notes, (SELECT string_agg(x.value #>> '{}', ' ') FROM jsonb_each(r.custom) AS x))) FROM new_rows r WHERE r.deleted_at IS NULL ON CONFLICT DO NOTHING;
        INSERT INTO app.search_words
        SELECT DISTINCT r.agency_id, w FROM new_rows r, unnest(app.plain_words(concat_ws(' ', r.name, NULL))) AS w
         WHERE length(w) BETWEEN 3 AND 64 AND w !~ '[0-9]'
           AND NOT EXISTS (SELECT FROM app.search_words k WHERE k.agency_id = r.agency_id AND k.word = w);
        RETURN NULL;
      END $$;

ALTER FUNCTION app.companies_search_insert() OWNER TO gardenos_owner;

CREATE FUNCTION app.companies_search_update() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
      BEGIN
        DELETE FROM app.search_documents d WHERE d.agency_id = OLD.agency_id AND d.entity = 'companies' AND d.record_id = OLD.id;
        INSERT INTO app.search_words_gone
        SELECT DISTINCT r.agency_id, w FROM (SELECT OLD.*) AS r, unnest(app.plain_words(concat_ws(' ', r.name, NULL))) AS w;
        INSERT INTO app.search_documents
      SELECT r.agency_id, 'companies', r.id, coalesce(r.owner_id, r.created_by), app.search_vector(app.search_prefix(r.agency_id, 'companies'), r.name, concat_ws(' ', r.domain, r.external_id, r.phone, app.dialled(r.phone)), concat_ws(' ', r.industry, r.street, r.postal_code, r.city, r.region, r.country, r.website), concat_ws(' ', r.notes, (SELECT string_agg(x.value #>> '{}', ' ') FROM jsonb_each(r.custom) AS x))) FROM (SELECT NEW.*) AS r WHERE r.deleted_at IS NULL ON CONFLICT DO NOTHING;
        PERFORM app.learn_words(r.agency_id, concat_ws(' ', r.name, NULL)) FROM (SELECT NEW.*) AS r WHERE r.deleted_at IS NULL;
        RETURN NULL;
      END $$;

ALTER FUNCTION app.companies_search_update() OWNER TO gardenos_owner;

CREATE FUNCTION app.complete_task() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  NEW.completed_at := CASE WHEN NEW.status = 'done' THEN coalesce(NEW.completed_at, now()) END;
  RETURN NEW;
END
$$;

ALTER FUNCTION app.complete_task() OWNER TO gardenos_owner;

CREATE FUNCTION app.contacts_search_delete() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
      BEGIN
        DELETE FROM app.search_documents d USING old_rows o
         WHERE d.agency_id = o.agency_id AND d.entity = 'contacts' AND d.record_id = o.id;
        -- Of an agency that goes as a whole, everything goes.
        INSERT INTO app.search_words_gone
        SELECT DISTINCT r.agency_id, w FROM old_rows r JOIN public.agencies g ON g.id = r.agency_id, unnest(app.plain_words(concat_ws(' ', concat_ws(' ', r.first_name, r.last_name), NULL))) AS w;
        RETURN NULL;
      END $$;

ALTER FUNCTION app.contacts_search_delete() OWNER TO gardenos_owner;

CREATE FUNCTION app.contacts_search_fill() RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog'
    AS $$
        DELETE FROM app.search_documents WHERE entity = 'contacts';
        INSERT INTO app.search_documents
      SELECT r.agency_id, 'contacts', r.id, coalesce(r.owner_id, r.created_by), app.search_vector(app.search_prefix(r.agency_id, 'contacts'), concat_ws(' ', r.first_name, r.last_name), concat_ws(' ', r.email, r.external_id, r.phone, r.mobile, app.dialled(r.phone), app.dialled(r.mobile)), concat_ws(' ', r.job_title, r.street, r.postal_code, r.city, r.region, r.country, r.website, r.source), concat_ws(' ', r.notes, (SELECT string_agg(x.value #>> '{}', ' ') FROM jsonb_each(r.custom) AS x))) FROM public.contacts r WHERE r.deleted_at IS NULL;
        INSERT INTO app.search_words
        SELECT DISTINCT r.agency_id, w FROM public.contacts r, unnest(app.plain_words(concat_ws(' ', concat_ws(' ', r.first_name, r.last_name), NULL))) AS w
         WHERE length(w) BETWEEN 3 AND 64 AND w !~ '[0-9]'
           AND NOT EXISTS (SELECT FROM app.search_words k WHERE k.agency_id = r.agency_id AND k.word = w);
      $$;

ALTER FUNCTION app.contacts_search_fill() OWNER TO gardenos_owner;

CREATE FUNCTION app.contacts_search_insert() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
      BEGIN
        INSERT INTO app.search_documents
      SELECT r.agency_id, 'contacts', r.id, coalesce(r.owner_id, r.created_by), app.search_vector(app.search_prefix(r.agency_id, 'contacts'), concat_ws(' ', r.first_name, r.last_name), concat_ws(' ', r.email, r.external_id, r.phone, r.mobile, app.dialled(r.phone), app.dialled(r.mobile)), concat_ws(' ', r.job_title, r.street, r.postal_code, r.city, r.region, r.country, r.website, r.source), concat_ws(' ', r.notes, (SELECT string_agg(x.value #>> '{}', ' ') FROM jsonb_each(r.custom) AS x))) FROM new_rows r WHERE r.deleted_at IS NULL ON CONFLICT DO NOTHING;
        INSERT INTO app.search_words
        SELECT DISTINCT r.agency_id, w FROM new_rows r, unnest(app.plain_words(concat_ws(' ', concat_ws(' ', r.first_name, r.last_name), NULL))) AS w
         WHERE length(w) BETWEEN 3 AND 64 AND w !~ '[0-9]'
           AND NOT EXISTS (SELECT FROM app.search_words k WHERE k.agency_id = r.agency_id AND k.word = w);
        RETURN NULL;
      END $$;

ALTER FUNCTION app.contacts_search_insert() OWNER TO gardenos_owner;

CREATE FUNCTION app.contacts_search_update() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
      BEGIN
        DELETE FROM app.search_documents d WHERE d.agency_id = OLD.agency_id AND d.entity = 'contacts' AND d.record_id = OLD.id;
        INSERT INTO app.search_words_gone
        SELECT DISTINCT r.agency_id, w FROM (SELECT OLD.*) AS r, unnest(app.plain_words(concat_ws(' ', concat_ws(' ', r.first_name, r.last_name), NULL))) AS w;
        INSERT INTO app.search_documents
      SELECT r.agency_id, 'contacts', r.id, coalesce(r.owner_id, r.created_by), app.search_vector(app.search_prefix(r.agency_id, 'contacts'), concat_ws(' ', r.first_name, r.last_name), concat_ws(' ', r.email, r.external_id, r.phone, r.mobile, app.dialled(r.phone), app.dialled(r.mobile)), concat_ws(' ', r.job_title, r.street, r.postal_code, r.city, r.region, r.country, r.website, r.source), concat_ws(' ', r.notes, (SELECT string_agg(x.value #>> '{}', ' ') FROM jsonb_each(r.custom) AS x))) FROM (SELECT NEW.*) AS r WHERE r.deleted_at IS NULL ON CONFLICT DO NOTHING;
        PERFORM app.learn_words(r.agency_id, concat_ws(' ', concat_ws(' ', r.first_name, r.last_name), NULL)) FROM (SELECT NEW.*) AS r WHERE r.deleted_at IS NULL;
        RETURN NULL;
      END $$;

ALTER FUNCTION app.contacts_search_update() OWNER TO gardenos_owner;

CREATE FUNCTION app.conversion_state(lead uuid) RETURNS TABLE(noun text, record_id uuid, state text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
  WITH c AS (SELECT * FROM public.lead_conversions WHERE lead_id = lead AND undone_at IS NULL)
  SELECT 'deals', r.id, CASE
           WHEN r.deleted_at IS NOT NULL THEN 'gone' WHEN r.version <> c.deal_version THEN 'changed'
           WHEN EXISTS (SELECT FROM public.activities x WHERE x.deal_id = r.id)
             OR EXISTS (SELECT FROM public.tasks x WHERE x.deal_id = r.id)
             OR EXISTS (SELECT FROM public.attachments x WHERE x.deal_id = r.id)
             OR EXISTS (SELECT FROM public.taggings x WHERE x.deal_id = r.id) THEN 'used'
           ELSE 'untouched' END
    FROM c JOIN public.deals r ON r.id = c.deal_id WHERE c.deal_version IS NOT NULL
  UNION ALL
  SELECT 'contacts', r.id, CASE
           WHEN r.deleted_at IS NOT NULL THEN 'gone' WHEN r.version <> c.contact_version THEN 'changed'
           WHEN EXISTS (SELECT FROM public.activities x WHERE x.contact_id = r.id)
             OR EXISTS (SELECT FROM public.tasks x WHERE x.contact_id = r.id)
             OR EXISTS (SELECT FROM public.attachments x WHERE x.contact_id = r.id)
             OR EXISTS (SELECT FROM public.taggings x WHERE x.contact_id = r.id)
             OR EXISTS (SELECT FROM public.deals x WHERE x.contact_id = r.id AND x.id IS DISTINCT FROM c.deal_id)
             OR EXISTS (SELECT FROM public.leads x WHERE x.converted_contact_id = r.id AND x.id <> c.lead_id) THEN 'used'
           ELSE 'untouched' END
    FROM c JOIN public.contacts r ON r.id = c.contact_id WHERE c.contact_version IS NOT NULL
  UNION ALL
  SELECT 'companies', r.id, CASE
           WHEN r.deleted_at IS NOT NULL THEN 'gone' WHEN r.version <> c.company_version THEN 'changed'
           WHEN EXISTS (SELECT FROM public.activities x WHERE x.company_id = r.id)
             OR EXISTS (SELECT FROM public.tasks x WHERE x.company_id = r.id)
             OR EXISTS (SELECT FROM public.attachments x WHERE x.company_id = r.id)
             OR EXISTS (SELECT FROM public.taggings x WHERE x.company_id = r.id)
             OR EXISTS (SELECT FROM public.contacts x WHERE x.company_id = r.id AND x.id IS DISTINCT FROM c.contact_id)
             OR EXISTS (SELECT FROM public.deals x WHERE x.company_id = r.id AND x.id IS DISTINCT FROM c.deal_id)
             OR EXISTS (SELECT FROM public.leads x WHERE x.converted_company_id = r.id AND x.id <> c.lead_id) THEN 'used'
           ELSE 'untouched' END
    FROM c JOIN public.companies r ON r.id = c.company_id WHERE c.company_version IS NOT NULL
$$;

ALTER FUNCTION app.conversion_state(lead uuid) OWNER TO gardenos_owner;

CREATE FUNCTION app.count_activities(since timestamp with time zone) RETURNS TABLE(kind text, n bigint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
  SELECT a.kind, count(*)
    FROM public.activities a
   WHERE a.agency_id = (SELECT app.agency_id()) AND (SELECT app.scope('activities', 'read')) = 'agency'
     AND a.occurred_at >= since AND a.occurred_at <= now()
   GROUP BY a.kind
$$;

ALTER FUNCTION app.count_activities(since timestamp with time zone) OWNER TO gardenos_owner;

CREATE FUNCTION app.count_custom_values(entity text, key text, kind text, options jsonb, OUT total bigint, OUT fitting bigint, OUT convertible bigint) RETURNS record
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $_$
DECLARE
  target CONSTANT text := CASE kind WHEN 'relation' THEN options ->> 'entity' END;
BEGIN
  IF app.change_scope('custom_fields') <> 'agency' AND app.scope('custom_fields', 'create') <> 'agency' THEN
    RAISE insufficient_privilege USING MESSAGE = 'Your role does not change these custom_fields.';
  END IF;
  IF entity NOT IN ('leads', 'contacts', 'companies', 'deals', 'tasks') OR NOT app.custom_options_fit(kind, options) THEN
    RETURN;
  END IF;
  EXECUTE format('SELECT count(*), count(*) FILTER (WHERE known AND app.custom_fault($2, $3, value) IS NULL),
      count(*) FILTER (WHERE known AND app.custom_converted($2, $3, value) IS NOT NULL)
      FROM (SELECT r.custom -> $1 AS value, %s AS known FROM public.%I r
             WHERE r.agency_id = app.agency_id() AND r.custom ->> $1 IS NOT NULL) v',
      CASE WHEN target IS NULL THEN 'true' ELSE format(
        'EXISTS (SELECT FROM public.%I t WHERE t.agency_id = r.agency_id AND t.id::text = lower(r.custom ->> $1))', target) END,
      entity)
    INTO total, fitting, convertible USING key, kind, options;
END
$_$;

ALTER FUNCTION app.count_custom_values(entity text, key text, kind text, options jsonb, OUT total bigint, OUT fitting bigint, OUT convertible bigint) OWNER TO gardenos_owner;

CREATE FUNCTION app.count_deletes() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
BEGIN
  IF TG_TABLE_NAME = 'leads' THEN
    INSERT INTO app.record_count_changes
    SELECT agency_id, 'leads', coalesce(owner_id, created_by), status, -count(*)
      FROM old_rows WHERE deleted_at IS NULL GROUP BY 1, 3, 4;
  ELSE
    INSERT INTO app.record_count_changes
    SELECT agency_id, TG_TABLE_NAME, coalesce(owner_id, created_by), '', -count(*)
      FROM old_rows WHERE deleted_at IS NULL GROUP BY 1, 3;
  END IF;
  RETURN NULL;
END
$$;

ALTER FUNCTION app.count_deletes() OWNER TO gardenos_owner;

CREATE FUNCTION app.count_inserts() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
BEGIN
  IF TG_TABLE_NAME = 'leads' THEN
    INSERT INTO app.record_count_changes
    SELECT agency_id, 'leads', coalesce(owner_id, created_by), status, count(*)
      FROM new_rows WHERE deleted_at IS NULL GROUP BY 1, 3, 4;
  ELSE
    INSERT INTO app.record_count_changes
    SELECT agency_id, TG_TABLE_NAME, coalesce(owner_id, created_by), '', count(*)
      FROM new_rows WHERE deleted_at IS NULL GROUP BY 1, 3;
  END IF;
  RETURN NULL;
END
$$;

ALTER FUNCTION app.count_inserts() OWNER TO gardenos_owner;

CREATE FUNCTION app.count_readable(entity text) RETURNS TABLE(status text, n bigint)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
  WITH reach AS MATERIALIZED (
    SELECT app.scope(count_readable.entity, 'read') AS scope, app.owners(count_readable.entity, 'read') AS owners
  )
  SELECT c.status, sum(c.n)::bigint
    FROM (SELECT agency_id, entity, owner_id, status, n FROM app.record_counts
          UNION ALL SELECT agency_id, entity, owner_id, status, n FROM app.record_count_changes) c, reach r
   WHERE c.agency_id = (SELECT app.agency_id()) AND c.entity = count_readable.entity
     AND (r.scope = 'agency' OR r.scope <> 'none' AND c.owner_id = ANY (r.owners))
   GROUP BY c.status
  HAVING sum(c.n) > 0
$$;

ALTER FUNCTION app.count_readable(entity text) OWNER TO gardenos_owner;

CREATE FUNCTION app.count_references(kind text, id uuid) RETURNS jsonb
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
  counted jsonb := '{}';
  r record;
  n bigint;
BEGIN
  FOR r IN SELECT * FROM app.references_to(kind) LOOP
    EXECUTE format('SELECT count(*) FROM public.%I WHERE agency_id = $1 AND %I = $2', r.relation, r.field) INTO n USING app.agency_id(), id;
    IF n > 0 THEN
      counted := counted || jsonb_build_object(r.relation || '.' || r.field, n);
    END IF;
  END LOOP;
  RETURN counted;
END
$_$;

ALTER FUNCTION app.count_references(kind text, id uuid) OWNER TO gardenos_owner;

CREATE FUNCTION app.count_update() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
DECLARE
  was text := '';
  is_now text := '';
BEGIN
  IF TG_TABLE_NAME = 'leads' THEN
    was := OLD.status;
    is_now := NEW.status;
  END IF;
  INSERT INTO app.record_count_changes
  SELECT c.* FROM (VALUES
    (OLD.agency_id, TG_TABLE_NAME::text, coalesce(OLD.owner_id, OLD.created_by), was, -1),
    (NEW.agency_id, TG_TABLE_NAME::text, coalesce(NEW.owner_id, NEW.created_by), is_now, 1)) AS c (agency_id, entity, owner_id, status, n)
   WHERE CASE c.n WHEN 1 THEN NEW.deleted_at ELSE OLD.deleted_at END IS NULL;
  RETURN NULL;
END
$$;

ALTER FUNCTION app.count_update() OWNER TO gardenos_owner;

CREATE FUNCTION app.custom_converted(kind text, options jsonb, value jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    AS $_$
DECLARE
  given CONSTANT text := jsonb_typeof(value);
  said CONSTANT text := CASE WHEN given IN ('string', 'number', 'boolean') THEN btrim(value #>> '{}') END;
  made jsonb;
BEGIN
  IF app.custom_fault(kind, options, value) IS NULL THEN
    RETURN value;
  END IF;
  IF given = 'array' AND kind <> 'multi_choice' AND jsonb_array_length(value) = 1 THEN
    RETURN app.custom_converted(kind, options, value -> 0);
  END IF;
  IF given = 'object' AND kind = 'text' AND app.custom_fault('money', '{}', value) IS NULL THEN
    RETURN to_jsonb((value ->> 'amount') || ' ' || (value ->> 'currency'));
  END IF;
  IF said IS NULL THEN
    RETURN NULL;
  END IF;
  made := CASE kind
    WHEN 'number' THEN CASE WHEN given = 'string' AND said ~ '^[+-]?[0-9]{1,15}(\.[0-9]{1,15})?$' THEN to_jsonb(said::numeric) END
    WHEN 'boolean' THEN CASE WHEN lower(said) IN ('true', 'yes', '1') THEN to_jsonb(true)
                             WHEN lower(said) IN ('false', 'no', '0') THEN to_jsonb(false) END
    WHEN 'money' THEN CASE WHEN said ~ '^[0-9.-]+ [A-Z]{3}$'
                           THEN jsonb_build_object('amount', split_part(said, ' ', 1), 'currency', split_part(said, ' ', 2))
                           WHEN options ? 'currency' THEN jsonb_build_object('amount', said, 'currency', options ->> 'currency') END
    WHEN 'choice' THEN (SELECT c FROM jsonb_array_elements(options -> 'choices') AS c WHERE lower(c #>> '{}') = lower(said) LIMIT 1)
    WHEN 'multi_choice' THEN (SELECT jsonb_build_array(c) FROM jsonb_array_elements(options -> 'choices') AS c
                               WHERE lower(c #>> '{}') = lower(said) LIMIT 1)
    ELSE to_jsonb(said)
  END;
  RETURN CASE WHEN app.custom_fault(kind, options, made) IS NULL THEN made END;
END
$_$;

ALTER FUNCTION app.custom_converted(kind text, options jsonb, value jsonb) OWNER TO gardenos_owner;

CREATE FUNCTION app.custom_date(kind text, value jsonb) RETURNS date
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE kind WHEN 'date'::text THEN ((value #>> '{}'::text[]))::date ELSE NULL::date END;

ALTER FUNCTION app.custom_date(kind text, value jsonb) OWNER TO gardenos_owner;

CREATE FUNCTION app.custom_fault(kind text, options jsonb, value jsonb) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    AS $_$
DECLARE
  given CONSTANT text := jsonb_typeof(value);
  said CONSTANT text := CASE WHEN given = 'string' THEN value #>> '{}' END;
BEGIN
  IF value IS NULL OR given = 'null' THEN
    RETURN NULL;
  END IF;
  CASE kind
    WHEN 'number' THEN
      RETURN CASE WHEN given <> 'number' THEN 'is no number' END;
    WHEN 'boolean' THEN
      RETURN CASE WHEN given <> 'boolean' THEN 'is neither true nor false' END;
    WHEN 'money' THEN
      RETURN CASE WHEN given <> 'object' OR value - ARRAY['amount', 'currency'] <> '{}'
                    OR jsonb_typeof(value -> 'amount') IS DISTINCT FROM 'string'
                    OR value ->> 'amount' !~ '^-?[0-9]{1,14}(\.[0-9]{1,4})?$'
                    OR coalesce(value ->> 'currency', '') !~ '^[A-Z]{3}$'
                  THEN 'is no amount of money; send {"amount": "12.50", "currency": "EUR"}' END;
    WHEN 'date' THEN
      RETURN CASE WHEN coalesce(said, '') !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' OR NOT pg_input_is_valid(said, 'date')
                  THEN 'is no date; send one such as "2026-11-30"' END;
    WHEN 'choice' THEN
      RETURN CASE WHEN said IS NULL OR NOT options -> 'choices' ? said THEN 'is none of the choices' END;
    WHEN 'multi_choice' THEN
      IF given <> 'array' THEN
        RETURN 'is no list of choices';
      END IF;
      RETURN CASE WHEN EXISTS (SELECT FROM jsonb_array_elements(value) AS one
                                WHERE jsonb_typeof(one) <> 'string' OR NOT options -> 'choices' ? (one #>> '{}'))
                  THEN 'holds something that is none of the choices'
                  WHEN (SELECT count(DISTINCT one) FROM jsonb_array_elements(value) AS one) < jsonb_array_length(value)
                  THEN 'holds a choice twice' END;
    WHEN 'relation' THEN
      RETURN CASE WHEN said IS NULL OR NOT pg_input_is_valid(said, 'uuid') THEN 'is no id of a record' END;
    ELSE
      IF said IS NULL OR said ~ '^\s*$' OR char_length(said) > 2000 THEN
        RETURN 'is no text of 1 to 2,000 characters';
      END IF;
  END CASE;
  RETURN CASE kind
    WHEN 'url' THEN CASE WHEN said !~ '^https?://[^\s/]+\S*$' THEN 'is no address that begins with https:// or http://' END
    WHEN 'email' THEN CASE WHEN said !~ '^[^@\s]+@[^@\s]+$' OR char_length(said) > 320 THEN 'is not an e-mail address' END
    WHEN 'phone' THEN CASE WHEN said !~ '^[0-9+() ./x-]*[0-9][0-9+() ./x-]*$' OR char_length(said) > 50 THEN 'is no telephone number' END
  END;
END
$_$;

ALTER FUNCTION app.custom_fault(kind text, options jsonb, value jsonb) OWNER TO gardenos_owner;

CREATE FUNCTION app.custom_fitted(entity text, numbers integer[], customs text[]) RETURNS TABLE(number integer, custom text, key text, fault text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM public.custom_fields f WHERE f.entity = custom_fitted.entity AND f.deleted_at IS NULL) THEN
    RETURN;
  END IF;
  RETURN QUERY
  WITH given AS (
    SELECT w.n, w.c::jsonb AS c FROM unnest(numbers, customs) AS w(n, c)
  ), checked AS MATERIALIZED (
    SELECT v.n, v.k, v.value, app.custom_refusal(v.f, v.value) AS fault
      FROM (SELECT g.n, f.key AS k, f AS f, coalesce(app.custom_converted(f.kind, f.options, g.c -> f.key), g.c -> f.key) AS value
              FROM given g, public.custom_fields f
             WHERE f.entity = custom_fitted.entity AND f.deleted_at IS NULL OFFSET 0) v
  )
  SELECT g.n, (g.c || coalesce(jsonb_object_agg(c.k, c.value) FILTER (WHERE c.value IS NOT NULL), '{}'))::text,
         min(c.k) FILTER (WHERE c.fault IS NOT NULL),
         (array_agg(c.fault ORDER BY c.k) FILTER (WHERE c.fault IS NOT NULL))[1]
    FROM given g LEFT JOIN checked c ON c.n = g.n
   GROUP BY g.n, g.c;
END
$$;

ALTER FUNCTION app.custom_fitted(entity text, numbers integer[], customs text[]) OWNER TO gardenos_owner;

CREATE FUNCTION app.custom_lock(agency_id uuid, entity text) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN hashtextextended(((('custom_fields:'::text || entity) || ':'::text) || agency_id), (0)::bigint);

ALTER FUNCTION app.custom_lock(agency_id uuid, entity text) OWNER TO gardenos_owner;

CREATE FUNCTION app.custom_number(kind text, value jsonb) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE kind WHEN 'number'::text THEN ((value #>> '{}'::text[]))::double precision WHEN 'money'::text THEN ((value ->> 'amount'::text))::double precision WHEN 'boolean'::text THEN (CASE (value #>> '{}'::text[]) WHEN 'true'::text THEN 1 WHEN 'false'::text THEN 0 ELSE NULL::integer END)::double precision ELSE NULL::double precision END;

ALTER FUNCTION app.custom_number(kind text, value jsonb) OWNER TO gardenos_owner;

CREATE FUNCTION app.custom_options_fit(kind text, options jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (jsonb_typeof(options) <> 'object'::text) THEN false WHEN (kind = ANY (ARRAY['choice'::text, 'multi_choice'::text])) THEN (((options - 'choices'::text) = '{}'::jsonb) AND CASE WHEN (jsonb_typeof((options -> 'choices'::text)) = 'array'::text) THEN (((jsonb_array_length((options -> 'choices'::text)) >= 1) AND (jsonb_array_length((options -> 'choices'::text)) <= 200)) AND (NOT jsonb_path_exists(options, 'strict $."choices"[*]?(@.type() != "string" || @ == "")'::jsonpath)) AND (jsonb_array_length((options -> 'choices'::text)) = (SELECT count(DISTINCT c.value) AS count FROM jsonb_array_elements((custom_options_fit.options -> 'choices'::text)) c(value)))) ELSE false END) WHEN (kind = 'relation'::text) THEN (((options - 'entity'::text) = '{}'::jsonb) AND (COALESCE((options ->> 'entity'::text), ''::text) = ANY (ARRAY['leads'::text, 'contacts'::text, 'companies'::text, 'deals'::text, 'tasks'::text]))) WHEN (kind = 'money'::text) THEN (((options - 'currency'::text) = '{}'::jsonb) AND (COALESCE((options ->> 'currency'::text), 'EUR'::text) ~ '^[A-Z]{3}$'::text)) ELSE (options = '{}'::jsonb) END;

ALTER FUNCTION app.custom_options_fit(kind text, options jsonb) OWNER TO gardenos_owner;

CREATE FUNCTION app.custom_parts(kind text, value jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN ((kind = 'multi_choice'::text) AND (jsonb_typeof(value) = 'array'::text) AND (value <> '[]'::jsonb)) THEN value ELSE jsonb_build_array(NULLIF(value, '[]'::jsonb)) END;

ALTER FUNCTION app.custom_parts(kind text, value jsonb) OWNER TO gardenos_owner;

CREATE TABLE public.custom_fields (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    entity text NOT NULL,
    key text NOT NULL,
    label text NOT NULL,
    kind text NOT NULL,
    options jsonb DEFAULT '{}'::jsonb NOT NULL,
    required boolean DEFAULT false NOT NULL,
    "position" integer DEFAULT 0 NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT custom_fields_entity_check CHECK ((entity = ANY (ARRAY['leads'::text, 'contacts'::text, 'companies'::text, 'deals'::text, 'tasks'::text]))),
    CONSTRAINT custom_fields_key_check CHECK ((key ~ '^[a-z][a-z0-9_]{0,62}$'::text)),
    CONSTRAINT custom_fields_kind_check CHECK ((kind = ANY (ARRAY['text'::text, 'number'::text, 'money'::text, 'date'::text, 'boolean'::text, 'choice'::text, 'multi_choice'::text, 'url'::text, 'email'::text, 'phone'::text, 'relation'::text]))),
    CONSTRAINT custom_fields_label_check CHECK (((char_length(label) >= 1) AND (char_length(label) <= 200))),
    CONSTRAINT custom_fields_options CHECK (app.custom_options_fit(kind, options)),
    CONSTRAINT custom_fields_position_check CHECK ((("position" >= 0) AND ("position" <= 10000)))
);

ALTER TABLE ONLY public.custom_fields FORCE ROW LEVEL SECURITY;

ALTER TABLE public.custom_fields OWNER TO gardenos_owner;

COMMENT ON COLUMN public.custom_fields.deleted_at IS 'Archived: its values stay, as free ones.';

CREATE FUNCTION app.custom_refusal(field public.custom_fields, value jsonb) RETURNS text
    LANGUAGE plpgsql STABLE
    AS $_$
DECLARE
  fault CONSTANT text := app.custom_fault(field.kind, field.options, value);
  known boolean := true;
BEGIN
  IF fault IS NOT NULL OR value IS NULL OR value = 'null' THEN
    RETURN coalesce(fault, CASE WHEN field.required THEN 'is required' END);
  END IF;
  IF field.kind = 'relation' THEN
    EXECUTE format('SELECT EXISTS (SELECT FROM public.%I r WHERE r.agency_id = $1 AND r.id = $2)', field.options ->> 'entity')
      INTO known USING field.agency_id, (value #>> '{}')::uuid;
  END IF;
  RETURN CASE WHEN NOT known THEN format('names none of your %s', field.options ->> 'entity') END;
END
$_$;

ALTER FUNCTION app.custom_refusal(field public.custom_fields, value jsonb) OWNER TO gardenos_owner;

CREATE FUNCTION app.custom_slot(kind text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (kind = ANY (ARRAY['number'::text, 'money'::text, 'boolean'::text])) THEN 'number'::text WHEN (kind = 'date'::text) THEN 'date'::text ELSE 'text'::text END;

ALTER FUNCTION app.custom_slot(kind text) OWNER TO gardenos_owner;

CREATE FUNCTION app.custom_text(kind text, value jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE kind WHEN 'number'::text THEN NULL::text WHEN 'money'::text THEN NULL::text WHEN 'boolean'::text THEN NULL::text WHEN 'date'::text THEN NULL::text WHEN 'email'::text THEN "left"(lower((value #>> '{}'::text[])), 320) WHEN 'relation'::text THEN lower((value #>> '{}'::text[])) ELSE "left"((value #>> '{}'::text[]), 320) END;

ALTER FUNCTION app.custom_text(kind text, value jsonb) OWNER TO gardenos_owner;

CREATE FUNCTION app.deals_search_delete() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
      BEGIN
        DELETE FROM app.search_documents d USING old_rows o
         WHERE d.agency_id = o.agency_id AND d.entity = 'deals' AND d.record_id = o.id;
        -- Of an agency that goes as a whole, everything goes.
        INSERT INTO app.search_words_gone
        SELECT DISTINCT r.agency_id, w FROM old_rows r JOIN public.agencies g ON g.id = r.agency_id, unnest(app.plain_words(concat_ws(' ', r.name, NULL))) AS w;
        RETURN NULL;
      END $$;

ALTER FUNCTION app.deals_search_delete() OWNER TO gardenos_owner;

CREATE FUNCTION app.deals_search_fill() RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog'
    AS $$
        DELETE FROM app.search_documents WHERE entity = 'deals';
        INSERT INTO app.search_documents
      SELECT r.agency_id, 'deals', r.id, coalesce(r.owner_id, r.created_by), app.search_vector(app.search_prefix(r.agency_id, 'deals'), r.name, r.external_id, r.close_reason, concat_ws(' ', r.notes, (SELECT string_agg(x.value #>> '{}', ' ') FROM jsonb_each(r.custom) AS x))) FROM public.deals r WHERE r.deleted_at IS NULL;
        INSERT INTO app.search_words
        SELECT DISTINCT r.agency_id, w FROM public.deals r, unnest(app.plain_words(concat_ws(' ', r.name, NULL))) AS w
         WHERE length(w) BETWEEN 3 AND 64 AND w !~ '[0-9]'
           AND NOT EXISTS (SELECT FROM app.search_words k WHERE k.agency_id = r.agency_id AND k.word = w);
      $$;

ALTER FUNCTION app.deals_search_fill() OWNER TO gardenos_owner;

CREATE FUNCTION app.deals_search_insert() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
      BEGIN
        INSERT INTO app.search_documents
      SELECT r.agency_id, 'deals', r.id, coalesce(r.owner_id, r.created_by), app.search_vector(app.search_prefix(r.agency_id, 'deals'), r.name, r.external_id, r.close_reason, concat_ws(' ', r.notes, (SELECT string_agg(x.value #>> '{}', ' ') FROM jsonb_each(r.custom) AS x))) FROM new_rows r WHERE r.deleted_at IS NULL ON CONFLICT DO NOTHING;
        INSERT INTO app.search_words
        SELECT DISTINCT r.agency_id, w FROM new_rows r, unnest(app.plain_words(concat_ws(' ', r.name, NULL))) AS w
         WHERE length(w) BETWEEN 3 AND 64 AND w !~ '[0-9]'
           AND NOT EXISTS (SELECT FROM app.search_words k WHERE k.agency_id = r.agency_id AND k.word = w);
        RETURN NULL;
      END $$;

ALTER FUNCTION app.deals_search_insert() OWNER TO gardenos_owner;

CREATE FUNCTION app.deals_search_update() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
      BEGIN
        DELETE FROM app.search_documents d WHERE d.agency_id = OLD.agency_id AND d.entity = 'deals' AND d.record_id = OLD.id;
        INSERT INTO app.search_words_gone
        SELECT DISTINCT r.agency_id, w FROM (SELECT OLD.*) AS r, unnest(app.plain_words(concat_ws(' ', r.name, NULL))) AS w;
        INSERT INTO app.search_documents
      SELECT r.agency_id, 'deals', r.id, coalesce(r.owner_id, r.created_by), app.search_vector(app.search_prefix(r.agency_id, 'deals'), r.name, r.external_id, r.close_reason, concat_ws(' ', r.notes, (SELECT string_agg(x.value #>> '{}', ' ') FROM jsonb_each(r.custom) AS x))) FROM (SELECT NEW.*) AS r WHERE r.deleted_at IS NULL ON CONFLICT DO NOTHING;
        PERFORM app.learn_words(r.agency_id, concat_ws(' ', r.name, NULL)) FROM (SELECT NEW.*) AS r WHERE r.deleted_at IS NULL;
        RETURN NULL;
      END $$;

ALTER FUNCTION app.deals_search_update() OWNER TO gardenos_owner;

CREATE FUNCTION app.default_of(relation oid, field text) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
  expression text;
  usual jsonb;
BEGIN
  SELECT pg_get_expr(d.adbin, d.adrelid) INTO expression
    FROM pg_attribute a JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
   WHERE a.attrelid = relation AND a.attname = field AND a.attgenerated = '';
  IF FOUND THEN
    EXECUTE 'SELECT to_jsonb(' || expression || ')' INTO usual;
  END IF;
  RETURN usual;
END
$$;

ALTER FUNCTION app.default_of(relation oid, field text) OWNER TO gardenos_owner;

CREATE FUNCTION app.define_custom_field() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $_$
DECLARE
  converts CONSTANT boolean := coalesce(current_setting('app.convert', true), '') = NEW.key;
  values_found record;
BEGIN
  PERFORM pg_advisory_xact_lock(app.custom_lock(NEW.agency_id, NEW.entity));
  IF TG_OP = 'UPDATE' THEN
    IF (NEW.key, NEW.entity) IS DISTINCT FROM (OLD.key, OLD.entity) THEN
      RAISE check_violation USING CONSTRAINT = 'custom_fields_stay',
        MESSAGE = 'A custom field keeps its key and its entity: values are stored under them.';
    END IF;
    IF (NEW.kind, NEW.options, NEW.deleted_at IS NULL) IS NOT DISTINCT FROM (OLD.kind, OLD.options, OLD.deleted_at IS NULL) THEN
      RETURN NULL;
    END IF;
  END IF;
  DELETE FROM public.custom_values v WHERE v.agency_id = NEW.agency_id AND v.field_id = NEW.id;
  IF NEW.deleted_at IS NOT NULL THEN
    RETURN NULL;
  END IF;
  SELECT c.total - CASE WHEN converts THEN c.convertible ELSE c.fitting END AS misfits, c.total - c.fitting AS others
    INTO values_found FROM app.count_custom_values(NEW.entity, NEW.key, NEW.kind, NEW.options) c;
  IF values_found.misfits > 0 THEN
    RAISE check_violation USING CONSTRAINT = 'custom_values_fit', DETAIL = values_found.misfits::text,
      MESSAGE = format('%s values stored under %s are not of the kind %s.', values_found.misfits, NEW.key, NEW.kind);
  END IF;
  IF values_found.others > 0 THEN
    EXECUTE format('UPDATE public.%I r SET custom = jsonb_set(r.custom, ARRAY[$1], app.custom_converted($2, $3, r.custom -> $1))
        WHERE r.agency_id = $4 AND r.custom ->> $1 IS NOT NULL AND app.custom_fault($2, $3, r.custom -> $1) IS NOT NULL', NEW.entity)
      USING NEW.key, NEW.kind, NEW.options, NEW.agency_id;
  END IF;
  EXECUTE format('INSERT INTO public.custom_values
      (agency_id, entity, field_id, record_id, ordinal, slot, text_value, number_value, date_value)
    SELECT r.agency_id, $1, $2, r.id, p.n - 1, app.custom_slot($3),
           app.custom_text($3, p.one), app.custom_number($3, p.one), app.custom_date($3, p.one)
      FROM public.%I r, jsonb_array_elements(app.custom_parts($3, r.custom -> $4)) WITH ORDINALITY AS p (one, n)
     WHERE r.agency_id = $5 ON CONFLICT DO NOTHING', NEW.entity)
    USING NEW.entity, NEW.id, NEW.kind, NEW.key, NEW.agency_id;
  RETURN NULL;
END
$_$;

ALTER FUNCTION app.define_custom_field() OWNER TO gardenos_owner;

CREATE FUNCTION app.dialled(said text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (SELECT concat_ws(' '::text, d.d, CASE WHEN (length(d.d) > 10) THEN "right"(d.d, 10) ELSE NULL::text END, CASE WHEN (length(d.d) > 7) THEN "right"(d.d, 7) ELSE NULL::text END) AS concat_ws FROM regexp_replace(dialled.said, '[^0-9]+'::text, ''::text, 'g'::text) d(d) WHERE (length(d.d) >= 5));

ALTER FUNCTION app.dialled(said text) OWNER TO gardenos_owner;

CREATE FUNCTION app.drop_custom_values() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
  DELETE FROM public.custom_values v USING old_rows o WHERE v.record_id = o.id;
  RETURN NULL;
END
$$;

ALTER FUNCTION app.drop_custom_values() OWNER TO gardenos_owner;

CREATE FUNCTION app.flat(record jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN COALESCE((SELECT jsonb_object_agg(('custom.'::text || v.key), v.value) AS jsonb_object_agg FROM jsonb_each((flat.record -> 'custom'::text)) v(key, value)), '{}'::jsonb);

ALTER FUNCTION app.flat(record jsonb) OWNER TO gardenos_owner;

CREATE FUNCTION app.emptied(verb text, changes jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN COALESCE((SELECT jsonb_object_agg(f.f, (CASE emptied.verb WHEN 'create'::text THEN 'null'::text ELSE '[null, null]'::text END)::jsonb) AS jsonb_object_agg FROM jsonb_object_keys(CASE emptied.verb WHEN 'create'::text THEN ((emptied.changes - 'custom'::text) || app.flat(emptied.changes)) ELSE emptied.changes END) f(f)), '{}'::jsonb);

ALTER FUNCTION app.emptied(verb text, changes jsonb) OWNER TO gardenos_owner;

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

CREATE FUNCTION app.end_merge(merge uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
  m public.merges;
BEGIN
  SELECT * INTO m FROM public.merges s WHERE s.id = merge AND s.merged_by = app.user_id() AND s.kept_after IS NULL;
  IF FOUND THEN
    EXECUTE format('UPDATE public.merges s SET kept_after = (SELECT to_jsonb(r) FROM public.%I r WHERE r.id = s.kept_id) WHERE s.id = $1', m.entity) USING merge;
    DELETE FROM public.duplicates d
     WHERE d.entity = m.entity AND (d.first_id = m.gone_id OR d.second_id = m.gone_id);
  END IF;
END
$_$;

ALTER FUNCTION app.end_merge(merge uuid) OWNER TO gardenos_owner;

CREATE FUNCTION app.enter_stage() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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

ALTER FUNCTION app.enter_stage() OWNER TO gardenos_owner;

CREATE FUNCTION app.erase(lead_ids uuid[], contact_ids uuid[], emails text[]) RETURNS TABLE(entity text, rows bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  IF NOT app.can_administer() THEN
    RAISE insufficient_privilege USING MESSAGE = 'Only an owner or admin of the agency erases people.';
  END IF;
  DELETE FROM app.likeness_keys k WHERE k.record_id = ANY (lead_ids || contact_ids);
  DELETE FROM public.duplicates d WHERE d.first_id = ANY (lead_ids || contact_ids) OR d.second_id = ANY (lead_ids || contact_ids);
  entity := 'merges';
  DELETE FROM public.merges m WHERE m.kept_id = ANY (lead_ids || contact_ids) OR m.gone_id = ANY (lead_ids || contact_ids);
  GET DIAGNOSTICS rows = ROW_COUNT;
  RETURN NEXT;
  RETURN QUERY SELECT r.entity, r.rows FROM app.erase_imports(lead_ids, contact_ids, emails) r;
END
$$;

ALTER FUNCTION app.erase(lead_ids uuid[], contact_ids uuid[], emails text[]) OWNER TO gardenos_owner;

CREATE FUNCTION app.erase_imports(lead_ids uuid[], contact_ids uuid[], emails text[]) RETURNS TABLE(entity text, rows bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  words text[];
BEGIN
  IF NOT app.can_administer() THEN
    RAISE insufficient_privilege USING MESSAGE = 'Only an owner or admin of the agency erases people.';
  END IF;
  words := ARRAY(
    SELECT lower(e) FROM unnest(emails) e WHERE char_length(e) > 2
    UNION SELECT l.email_key FROM public.leads l WHERE l.id = ANY (lead_ids) AND l.email_key IS NOT NULL
    UNION SELECT c.email_key FROM public.contacts c WHERE c.id = ANY (contact_ids) AND c.email_key IS NOT NULL
    -- As a cell of its own: it may be a number that is part of others.
    UNION SELECT lower(to_json(l.external_id)::text) FROM public.leads l WHERE l.id = ANY (lead_ids) AND l.external_id IS NOT NULL);
  words := ARRAY(SELECT w FROM unnest(words) w UNION SELECT btrim(to_json(w)::text, '"') FROM unnest(words) w WHERE w NOT LIKE '"%');
  entity := 'import_chunks';
  UPDATE public.import_chunks k
     SET data = app.unread(k.data, words), rejected = app.unexplained(k.rejected, words),
         undo = (SELECT coalesce(jsonb_agg(u.value), '[]') FROM jsonb_array_elements(k.undo) AS u
                  WHERE (u.value ->> 'id')::uuid <> ALL (lead_ids) AND NOT app.says(lower(u.value::text), words))
   WHERE app.may_say(k.data, words) AND k.data IS DISTINCT FROM app.unread(k.data, words)
      OR app.may_say(k.rejected, words) AND k.rejected IS DISTINCT FROM app.unexplained(k.rejected, words)
      OR EXISTS (SELECT FROM jsonb_array_elements(k.undo) AS u
                  WHERE (u.value ->> 'id')::uuid = ANY (lead_ids) OR app.says(lower(u.value::text), words));
  GET DIAGNOSTICS rows = ROW_COUNT;
  RETURN NEXT;
  RETURN QUERY SELECT r.entity, r.rows FROM app.erase_records(lead_ids, contact_ids, emails) r;
END
$$;

ALTER FUNCTION app.erase_imports(lead_ids uuid[], contact_ids uuid[], emails text[]) OWNER TO gardenos_owner;

CREATE FUNCTION app.erase_records(lead_ids uuid[], contact_ids uuid[], emails text[]) RETURNS TABLE(entity text, rows bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  gone CONSTANT text := '[erased]';
  leads uuid[];
  contacts uuid[];
  deals uuid[];
  activities uuid[];
  things uuid[];
  files uuid[];
  words text[];
  known text[];
  tasks_run uuid[];
  records text[];
  said bigint[];
BEGIN
  IF NOT app.can_administer() THEN
    RAISE insufficient_privilege USING MESSAGE = 'Only an owner or admin of the agency erases people.';
  END IF;
  -- Locked in one order, so that two who erase one person take turns.
  leads := ARRAY(SELECT l.id FROM public.leads l WHERE l.id = ANY (lead_ids) ORDER BY l.id FOR UPDATE);
  contacts := ARRAY(SELECT c.id FROM public.contacts c WHERE c.id = ANY (contact_ids) ORDER BY c.id FOR UPDATE);
  deals := ARRAY(SELECT d.id FROM public.deals d WHERE d.lead_id = ANY (leads) OR d.contact_id = ANY (contacts));
  activities := ARRAY(SELECT a.id FROM public.activities a WHERE a.lead_id = ANY (leads) OR a.contact_id = ANY (contacts));
  things := ARRAY(SELECT t.id FROM public.tasks t WHERE t.lead_id = ANY (leads) OR t.contact_id = ANY (contacts));
  files := ARRAY(SELECT a.id FROM public.attachments a
                  WHERE a.lead_id = ANY (leads) OR a.contact_id = ANY (contacts) OR a.deal_id = ANY (deals)
                     OR a.activity_id = ANY (activities));
  words := ARRAY(
    SELECT lower(e) FROM unnest(emails) e WHERE char_length(e) > 2
    UNION SELECT lower(l.email) FROM public.leads l WHERE l.id = ANY (leads) AND l.email IS NOT NULL
    UNION SELECT lower(c.email) FROM public.contacts c WHERE c.id = ANY (contacts) AND c.email IS NOT NULL);
  -- As they stand in JSON.
  words := ARRAY(SELECT w FROM unnest(words) w UNION SELECT btrim(to_json(w)::text, '"') FROM unnest(words) w);
  tasks_run := ARRAY(
    SELECT t.id FROM public.agent_tasks t
     WHERE (t.payload ->> 'lead_id') = ANY (leads::text[])
        OR app.says(lower(t.payload::text), words) OR app.says(lower(t.result::text), words)
        OR app.says(lower(t.idempotency_key), words)
    UNION SELECT s.task_id FROM public.lead_scores s WHERE s.lead_id = ANY (leads)
    UNION SELECT f.task_id FROM public.follow_ups f WHERE f.lead_id = ANY (leads));
  -- What the log says of them elsewhere, and of records of theirs that are gone.
  said := ARRAY(SELECT e.id FROM public.audit_log e
                 WHERE cardinality(words) > 0 AND e.erased_at IS NULL AND app.says(lower(e.changes::text), words));
  records := leads::text[] || contacts::text[] || deals::text[] || activities::text[] || things::text[] || files::text[]
    || ARRAY(SELECT f.id::text FROM public.follow_ups f WHERE f.lead_id = ANY (leads) OR f.task_id = ANY (tasks_run))
    || ARRAY(SELECT e.record_id FROM public.audit_log e
              WHERE e.id = ANY (said) AND e.entity IN ('leads', 'contacts')
                AND (lower(e.changes ->> 'email') = ANY (words) OR lower(e.changes -> 'email' ->> 0) = ANY (words)
                     OR lower(e.changes -> 'email' ->> 1) = ANY (words)));
  known := words || leads::text[] || contacts::text[] || activities::text[] || things::text[] || deals::text[]
    || ARRAY(SELECT 'the external_id ''' || lower(x.external_id) || ''''
               FROM (SELECT l.external_id FROM public.leads l WHERE l.id = ANY (leads)
                     UNION SELECT c.external_id FROM public.contacts c WHERE c.id = ANY (contacts)
                     UNION SELECT d.external_id FROM public.deals d WHERE d.id = ANY (deals)) x
              WHERE x.external_id IS NOT NULL);

  entity := 'leads';
  UPDATE public.leads l
     SET external_id = NULL, first_name = NULL, last_name = gone, email = NULL, phone = NULL, company = NULL,
         job_title = NULL, website = NULL, city = NULL, country = NULL, notes = NULL, custom = '{}'
   WHERE l.id = ANY (leads)
     AND (l.last_name IS DISTINCT FROM gone OR l.custom <> '{}'
          OR num_nonnulls(l.external_id, l.first_name, l.email, l.phone, l.company, l.job_title, l.website, l.city,
                          l.country, l.notes) > 0);
  GET DIAGNOSTICS rows = ROW_COUNT;
  RETURN NEXT;

  entity := 'contacts';
  UPDATE public.contacts c
     SET external_id = NULL, first_name = NULL, last_name = gone, email = NULL, phone = NULL, mobile = NULL,
         job_title = NULL, website = NULL, street = NULL, postal_code = NULL, city = NULL, region = NULL,
         country = NULL, notes = NULL, custom = '{}', do_not_contact = true
   WHERE c.id = ANY (contacts)
     AND (c.last_name IS DISTINCT FROM gone OR c.custom <> '{}' OR NOT c.do_not_contact
          OR num_nonnulls(c.external_id, c.first_name, c.email, c.phone, c.mobile, c.job_title, c.website, c.street,
                          c.postal_code, c.city, c.region, c.country, c.notes) > 0);
  GET DIAGNOSTICS rows = ROW_COUNT;
  RETURN NEXT;

  entity := 'deals';
  UPDATE public.deals d
     SET external_id = NULL, name = gone, close_reason = NULL, notes = NULL, custom = '{}'
   WHERE d.id = ANY (deals)
     AND (d.name <> gone OR d.custom <> '{}' OR num_nonnulls(d.external_id, d.close_reason, d.notes) > 0);
  GET DIAGNOSTICS rows = ROW_COUNT;
  RETURN NEXT;

  entity := 'activities';
  UPDATE public.activities a
     SET subject = NULL, body = NULL, outcome = NULL, details = '{}'
   WHERE a.id = ANY (activities) AND (a.details <> '{}' OR num_nonnulls(a.subject, a.body, a.outcome) > 0);
  GET DIAGNOSTICS rows = ROW_COUNT;
  RETURN NEXT;

  entity := 'tasks';
  UPDATE public.tasks t
     SET title = gone, description = NULL, custom = '{}'
   WHERE t.id = ANY (things) AND (t.title <> gone OR t.description IS NOT NULL OR t.custom <> '{}');
  GET DIAGNOSTICS rows = ROW_COUNT;
  RETURN NEXT;

  entity := 'attachments';
  WITH removed AS (
    DELETE FROM public.attachments a WHERE a.id = ANY (files) RETURNING a.storage_key
  )
  INSERT INTO app.erased_files (storage_key) SELECT r.storage_key FROM removed r;
  GET DIAGNOSTICS rows = ROW_COUNT;
  RETURN NEXT;

  entity := 'lead_scores';
  UPDATE public.lead_scores s
     SET reasons = '[]', next_actions = '[]'
   WHERE (s.lead_id = ANY (leads) OR s.task_id = ANY (tasks_run)) AND (s.reasons <> '[]' OR s.next_actions <> '[]');
  GET DIAGNOSTICS rows = ROW_COUNT;
  RETURN NEXT;

  entity := 'follow_ups';
  UPDATE public.follow_ups f
     SET subject = gone, body = gone, full_message = gone
   WHERE (f.lead_id = ANY (leads) OR f.task_id = ANY (tasks_run))
     AND (f.subject <> gone OR f.body <> gone OR f.full_message <> gone);
  GET DIAGNOSTICS rows = ROW_COUNT;
  RETURN NEXT;

  -- What has not ended is cancelled: its result would bring back what goes.
  entity := 'agent_tasks';
  UPDATE public.agent_tasks t
     SET payload = CASE WHEN t.payload ? 'lead_id' THEN jsonb_build_object('lead_id', t.payload -> 'lead_id') ELSE '{}' END,
         idempotency_key = CASE WHEN app.says(lower(t.idempotency_key), words) THEN 'erased:' || t.id ELSE t.idempotency_key END,
         result = CASE WHEN t.result IS NOT NULL THEN '{}'::jsonb END,
         error = CASE WHEN t.error IS NOT NULL THEN '{"code": "erased", "detail": "What went wrong was erased with a person."}'::jsonb END,
         cancel_requested_at = CASE WHEN t.finished_at IS NULL THEN coalesce(t.cancel_requested_at, now()) ELSE t.cancel_requested_at END
   WHERE t.id = ANY (tasks_run)
     AND (t.payload - 'lead_id' <> '{}' OR t.result <> '{}' OR t.error ->> 'code' NOT IN ('erased', 'cancelled')
          OR t.finished_at IS NULL OR app.says(lower(t.idempotency_key), words));
  GET DIAGNOSTICS rows = ROW_COUNT;
  RETURN NEXT;

  entity := 'task_schedules';
  UPDATE public.task_schedules s
     SET name = gone || ' ' || s.id, payload = '{}', enabled = false
   WHERE s.payload <> '{}' AND ((s.payload ->> 'lead_id') = ANY (leads::text[]) OR app.says(lower(s.payload::text), words))
      OR app.says(lower(s.name), words);
  GET DIAGNOSTICS rows = ROW_COUNT;
  RETURN NEXT;

  entity := 'bulk_chunks';
  UPDATE public.bulk_chunks b
     SET operations = app.unasked(b.operations, known), results = app.untold(b.results, known)
   WHERE app.may_say(coalesce(b.operations, b.results), known)
     AND (b.operations IS DISTINCT FROM app.unasked(b.operations, known)
          OR b.results IS DISTINCT FROM app.untold(b.results, known));
  GET DIAGNOSTICS rows = ROW_COUNT;
  RETURN NEXT;

  entity := 'views';
  UPDATE public.views v
     SET name = CASE WHEN app.says(lower(v.name), words) THEN gone ELSE v.name END,
         filters = coalesce((SELECT jsonb_object_agg(f.key, CASE WHEN app.says(lower(f.value #>> '{}'), words)
                                                                 THEN to_jsonb(gone) ELSE f.value END)
                               FROM jsonb_each(v.filters) f), '{}')
   WHERE app.says(lower(v.name), words) OR app.says(lower(v.filters::text), words);
  GET DIAGNOSTICS rows = ROW_COUNT;
  RETURN NEXT;

  entity := 'imports';
  UPDATE public.imports i SET filename = NULL WHERE app.says(lower(i.filename), words);
  GET DIAGNOSTICS rows = ROW_COUNT;
  RETURN NEXT;

  -- What a receiver answered may repeat what it looked up.
  entity := 'webhook_deliveries';
  UPDATE public.webhook_deliveries d
     SET answer = NULL, error = CASE WHEN d.error IS NOT NULL THEN gone END
   WHERE (d.answer IS NOT NULL OR d.error <> gone)
     AND (d.record_id = ANY (records) OR app.says(lower(d.answer), words) OR app.says(lower(d.error), words));
  GET DIAGNOSTICS rows = ROW_COUNT;
  RETURN NEXT;

  -- A repeated request must neither be answered with them nor make them anew.
  entity := 'idempotency_keys';
  UPDATE public.idempotency_keys k
     SET status = 410, headers = '{"content-type": "application/problem+json"}',
         body = convert_to('{"type":"urn:gardenos:problem:erased","title":"Erased","status":410,"detail":"'
           || 'The answer to this request was erased with a person. Send it with a new key to do it anew."}', 'UTF8')
   WHERE k.status IS DISTINCT FROM 410 AND k.body IS NOT NULL
     AND app.says(app.spoken(app.text_of(k.body)), known || files::text[]);
  GET DIAGNOSTICS rows = ROW_COUNT;
  RETURN NEXT;

  -- Last, so that what the statements above left in the log is emptied with the rest; that becomes the
  -- entry of the erasing.
  entity := 'audit_log';
  UPDATE public.audit_log e
     SET changes = app.emptied(e.verb, e.changes), erased_at = now(),
         verb = CASE WHEN e.verb IN ('update', 'purge') AND e.at = now() THEN 'erase' ELSE e.verb END
   WHERE e.erased_at IS NULL
     AND (e.record_id = ANY (records) OR e.id = ANY (said)
          OR e.at = now() AND e.entity IN ('views', 'imports'));
  GET DIAGNOSTICS rows = ROW_COUNT;
  RETURN NEXT;
END
$$;

ALTER FUNCTION app.erase_records(lead_ids uuid[], contact_ids uuid[], emails text[]) OWNER TO gardenos_owner;

CREATE FUNCTION app.field_of(record jsonb, field text) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN starts_with(field, 'custom.'::text) THEN ((record -> 'custom'::text) -> substr(field, 8)) ELSE (record -> field) END;

ALTER FUNCTION app.field_of(record jsonb, field text) OWNER TO gardenos_owner;

CREATE FUNCTION app.fold_counts() RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog'
    AS $$
DECLARE
  folded bigint;
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('gardenos.fold_counts', 0)) THEN
    RETURN 0;
  END IF;
  WITH changes AS (
    DELETE FROM app.record_count_changes RETURNING *
  ), sums AS (
    SELECT agency_id, entity, owner_id, status, sum(n)::bigint AS n, count(*) AS changes
      FROM changes GROUP BY 1, 2, 3, 4
  ), kept AS (
    INSERT INTO app.record_counts AS c
    SELECT agency_id, entity, owner_id, status, n FROM sums WHERE n <> 0
    ON CONFLICT (agency_id, entity, owner_id, status) DO UPDATE SET n = c.n + excluded.n
  )
  SELECT coalesce(sum(changes), 0)::bigint INTO folded FROM sums;
  -- Of owners and agencies that are gone, nothing stays.
  DELETE FROM app.record_counts WHERE n = 0;
  RETURN folded;
END
$$;

ALTER FUNCTION app.fold_counts() OWNER TO gardenos_owner;

CREATE FUNCTION app.forget_likeness() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  DELETE FROM app.likeness_keys k USING old_rows o
   WHERE k.agency_id = o.agency_id AND k.entity = TG_TABLE_NAME AND k.record_id = o.id;
  DELETE FROM public.duplicates d USING old_rows o
   WHERE d.agency_id = o.agency_id AND d.entity = TG_TABLE_NAME AND o.id IN (d.first_id, d.second_id);
  DELETE FROM public.merges m USING old_rows o
   WHERE m.agency_id = o.agency_id AND m.entity = TG_TABLE_NAME AND o.id IN (m.kept_id, m.gone_id);
  RETURN NULL;
END
$$;

ALTER FUNCTION app.forget_likeness() OWNER TO gardenos_owner;

CREATE FUNCTION app.forget_words() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$ SELECT app.sweep_words(1000000) $$;

ALTER FUNCTION app.forget_words() OWNER TO gardenos_owner;

CREATE FUNCTION app.guard_changes() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
  entity CONSTANT text := TG_ARGV[0];
  owner CONSTANT text := nullif(TG_ARGV[1], '');
  unwatched CONSTANT text[] := ARRAY['version', 'updated_at', 'deleted_at'];
  deletes text;
  updates text;
  masked text[];
  wrong text;
BEGIN
  IF current_user <> 'authenticated' THEN
    RETURN NULL;
  END IF;
  deletes := app.scope(entity, 'delete');
  updates := app.scope(entity, 'update');
  IF deletes <> 'agency' AND EXISTS (
       SELECT FROM old_rows o JOIN new_rows n ON n.id = o.id
        WHERE o.deleted_at IS DISTINCT FROM n.deleted_at
          AND NOT coalesce(owner IS NOT NULL
            AND coalesce(to_jsonb(o) ->> owner, to_jsonb(o) ->> 'created_by')::uuid = ANY (app.owners(deletes)), false)) THEN
    RAISE insufficient_privilege USING MESSAGE = format('Your role does not delete or restore these %s.', entity);
  END IF;
  IF updates <> 'agency' AND EXISTS (
       SELECT FROM old_rows o JOIN new_rows n ON n.id = o.id
        WHERE to_jsonb(o) - unwatched <> to_jsonb(n) - unwatched
          AND NOT coalesce(owner IS NOT NULL
            AND coalesce(to_jsonb(o) ->> owner, to_jsonb(o) ->> 'created_by')::uuid = ANY (app.owners(updates)), false)) THEN
    RAISE insufficient_privilege USING MESSAGE = format('Your role does not change these %s.', entity);
  END IF;
  masked := app.masked_fields(entity);
  IF masked <> '{}' THEN
    SELECT field INTO wrong
      FROM old_rows o JOIN new_rows n ON n.id = o.id, unnest(masked) AS field
     WHERE app.field_of(to_jsonb(o), field) IS DISTINCT FROM app.field_of(to_jsonb(n), field)
     LIMIT 1;
    IF FOUND THEN
      RAISE insufficient_privilege USING
        MESSAGE = format('Your role does not set %s of %s.', wrong, entity), DETAIL = ARRAY[wrong]::text;
    END IF;
  END IF;
  RETURN NULL;
END
$$;

ALTER FUNCTION app.guard_changes() OWNER TO gardenos_owner;

CREATE FUNCTION app.guard_inserts() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
  entity CONSTANT text := TG_ARGV[0];
  masked CONSTANT text[] := CASE WHEN current_user = 'authenticated' THEN app.masked_fields(entity) ELSE '{}' END;
  field text;
  usual jsonb;
  wrong boolean;
BEGIN
  FOREACH field IN ARRAY masked LOOP
    usual := app.default_of(TG_RELID, field);
    SELECT EXISTS (
      SELECT FROM new_rows n
       WHERE coalesce(nullif(app.field_of(to_jsonb(n), field), 'null'), 'null') <> coalesce(usual, 'null'))
      INTO wrong;
    IF wrong THEN
      RAISE insufficient_privilege USING
        MESSAGE = format('Your role does not set %s of %s.', field, entity), DETAIL = ARRAY[field]::text;
    END IF;
  END LOOP;
  RETURN NULL;
END
$$;

ALTER FUNCTION app.guard_inserts() OWNER TO gardenos_owner;

CREATE FUNCTION app.guard_members() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
  touched boolean := false;
BEGIN
  -- Nobody but a member comes here with rights of their own; the sign-in adds, and removes who is gone.
  IF current_user <> 'authenticated' THEN
    RETURN NULL;
  END IF;
  IF TG_OP = 'UPDATE' THEN
    touched := EXISTS (SELECT FROM old_rows o JOIN new_rows n USING (agency_id, user_id)
                        WHERE o.role <> n.role AND 'owner' IN (o.role, n.role));
  ELSE
    touched := EXISTS (SELECT FROM old_rows o WHERE o.role = 'owner');
  END IF;
  IF NOT touched THEN
    RETURN NULL;
  END IF;
  IF app.user_role() <> 'owner' THEN
    RAISE insufficient_privilege USING MESSAGE = 'Only an owner of the agency makes or unmakes owners.';
  END IF;
  -- Two owners who remove each other take turns, and the second one finds the first gone.
  PERFORM pg_advisory_xact_lock(hashtextextended('gardenos.owners:' || app.agency_id(), 0));
  IF NOT EXISTS (SELECT FROM public.members m WHERE m.agency_id = app.agency_id() AND m.role = 'owner') THEN
    RAISE check_violation USING
      MESSAGE = 'The last owner of the agency stays. Make another member an owner first.',
      CONSTRAINT = 'an_agency_has_an_owner', TABLE = 'members';
  END IF;
  RETURN NULL;
END
$$;

ALTER FUNCTION app.guard_members() OWNER TO gardenos_owner;

CREATE TABLE public.field_masks (
    agency_id uuid NOT NULL,
    role text NOT NULL,
    entity text NOT NULL,
    field text NOT NULL,
    access text NOT NULL,
    CONSTRAINT field_masks_access_check CHECK ((access = ANY (ARRAY['hidden'::text, 'read_only'::text]))),
    CONSTRAINT field_masks_field_check CHECK (((char_length(field) >= 1) AND (char_length(field) <= 100))),
    CONSTRAINT field_masks_role_check CHECK ((role = ANY (ARRAY['admin'::text, 'manager'::text, 'agent'::text, 'read_only'::text])))
);

ALTER TABLE ONLY public.field_masks FORCE ROW LEVEL SECURITY;

ALTER TABLE public.field_masks OWNER TO gardenos_owner;

CREATE FUNCTION app.hidden_fields(entity text) RETURNS text[]
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ARRAY(SELECT m.field FROM public.field_masks m WHERE ((m.agency_id = app.agency_id()) AND (m.role = app.user_role()) AND (m.entity = hidden_fields.entity) AND (m.access = 'hidden'::text)) ORDER BY m.field);

ALTER FUNCTION app.hidden_fields(entity text) OWNER TO gardenos_owner;

CREATE FUNCTION app.is_key() RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN COALESCE((app.claims() ? 'key_id'::text), false);

ALTER FUNCTION app.is_key() OWNER TO gardenos_owner;

CREATE FUNCTION app.keep_custom_values() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
DECLARE
  kind_of CONSTANT text := TG_TABLE_NAME;
  wrong record;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF NOT EXISTS (SELECT FROM old_rows o JOIN new_rows n ON n.id = o.id WHERE n.custom <> o.custom) THEN
      RETURN NULL;
    END IF;
  END IF;
  PERFORM pg_advisory_xact_lock_shared(app.custom_lock(a.agency_id, kind_of))
     FROM (SELECT DISTINCT agency_id FROM new_rows) a;
  IF NOT EXISTS (SELECT FROM public.custom_fields f WHERE f.entity = kind_of AND f.deleted_at IS NULL) THEN
    RETURN NULL;
  END IF;
  IF TG_OP = 'INSERT' THEN
    SELECT f.key, f.label, c.fault INTO wrong
      FROM new_rows n JOIN public.custom_fields f ON f.agency_id = n.agency_id,
           LATERAL (SELECT app.custom_refusal(f, n.custom -> f.key) OFFSET 0) AS c (fault)
     WHERE f.entity = kind_of AND f.deleted_at IS NULL AND c.fault IS NOT NULL
     ORDER BY f.position, f.key LIMIT 1;
  ELSE
    SELECT f.key, f.label, c.fault INTO wrong
      FROM old_rows o JOIN new_rows n ON n.id = o.id JOIN public.custom_fields f ON f.agency_id = n.agency_id,
           LATERAL (SELECT CASE WHEN n.custom -> f.key IS DISTINCT FROM o.custom -> f.key
                                THEN app.custom_refusal(f, n.custom -> f.key) END OFFSET 0) AS c (fault)
     WHERE f.entity = kind_of AND f.deleted_at IS NULL AND c.fault IS NOT NULL
     ORDER BY f.position, f.key LIMIT 1;
    DELETE FROM public.custom_values v
     USING old_rows o, new_rows n, public.custom_fields f
     WHERE o.id = n.id AND v.record_id = n.id AND v.agency_id = n.agency_id AND f.id = v.field_id
       AND n.custom -> f.key IS DISTINCT FROM o.custom -> f.key;
  END IF;
  IF wrong.key IS NOT NULL THEN
    RAISE check_violation USING MESSAGE = format('The custom field %s (%s) %s.', wrong.label, wrong.key, wrong.fault),
      CONSTRAINT = 'custom_fields', COLUMN = wrong.key, DETAIL = wrong.fault;
  END IF;
  INSERT INTO public.custom_values (agency_id, entity, field_id, record_id, ordinal, slot, text_value, number_value, date_value)
  SELECT n.agency_id, f.entity, f.id, n.id, p.n - 1, app.custom_slot(f.kind),
         app.custom_text(f.kind, p.one), app.custom_number(f.kind, p.one), app.custom_date(f.kind, p.one)
    FROM new_rows n JOIN public.custom_fields f ON f.agency_id = n.agency_id AND f.entity = kind_of AND f.deleted_at IS NULL,
         jsonb_array_elements(app.custom_parts(f.kind, n.custom -> f.key)) WITH ORDINALITY AS p (one, n)
      ON CONFLICT DO NOTHING;
  RETURN NULL;
END
$$;

ALTER FUNCTION app.keep_custom_values() OWNER TO gardenos_owner;

CREATE FUNCTION app.keep_keys(kind text, by_record jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  agency CONSTANT uuid := app.agency_id();
BEGIN
  DELETE FROM app.likeness_keys k
   WHERE k.agency_id = agency AND k.entity = kind AND k.record_id IN (SELECT f::uuid FROM jsonb_object_keys(by_record) f);
  INSERT INTO app.likeness_keys (agency_id, entity, key, record_id)
  SELECT agency, kind, e.value, f.key::uuid
    FROM jsonb_each(by_record) AS f, jsonb_array_elements_text(f.value) AS e (value)
      ON CONFLICT DO NOTHING;
END
$$;

ALTER FUNCTION app.keep_keys(kind text, by_record jsonb) OWNER TO gardenos_owner;

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

CREATE FUNCTION app.keep_pairs(kind text, ids uuid[], pairs jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  agency CONSTANT uuid := app.agency_id();
BEGIN
  IF NOT app.can_administer() THEN
    RAISE insufficient_privilege USING MESSAGE = 'Pairs are found by the sweep.';
  END IF;
  DELETE FROM public.duplicates d
   WHERE d.agency_id = agency AND d.entity = kind AND d.state = 'open'
     AND (d.first_id = ANY (ids) OR d.second_id = ANY (ids))
     AND NOT EXISTS (SELECT FROM jsonb_to_recordset(pairs) AS p (one uuid, other uuid)
                      WHERE d.first_id = least(p.one, p.other) AND d.second_id = greatest(p.one, p.other));
  INSERT INTO public.duplicates (agency_id, entity, first_id, second_id, score, reasons)
  SELECT DISTINCT ON (least(p.one, p.other), greatest(p.one, p.other))
         agency, kind, least(p.one, p.other), greatest(p.one, p.other), p.score,
         ARRAY(SELECT jsonb_array_elements_text(p.reasons))
    FROM jsonb_to_recordset(pairs) AS p (one uuid, other uuid, score double precision, reasons jsonb)
   ORDER BY least(p.one, p.other), greatest(p.one, p.other), p.score DESC
      ON CONFLICT (agency_id, entity, first_id, second_id) DO UPDATE
         SET score = EXCLUDED.score, reasons = EXCLUDED.reasons
       WHERE duplicates.score <> EXCLUDED.score OR duplicates.reasons <> EXCLUDED.reasons;
END
$$;

ALTER FUNCTION app.keep_pairs(kind text, ids uuid[], pairs jsonb) OWNER TO gardenos_owner;

CREATE FUNCTION app.key_of(record jsonb, keys text[]) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE cardinality(keys) WHEN 1 THEN (record ->> (keys)[1]) ELSE (SELECT string_agg((key_of.record ->> w.k), '/'::text ORDER BY w.n) AS string_agg FROM unnest(key_of.keys) WITH ORDINALITY w(k, n)) END;

ALTER FUNCTION app.key_of(record jsonb, keys text[]) OWNER TO gardenos_owner;

CREATE FUNCTION app.leads_search_delete() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
      BEGIN
        DELETE FROM app.search_documents d USING old_rows o
         WHERE d.agency_id = o.agency_id AND d.entity = 'leads' AND d.record_id = o.id;
        -- Of an agency that goes as a whole, everything goes.
        INSERT INTO app.search_words_gone
        SELECT DISTINCT r.agency_id, w FROM old_rows r JOIN public.agencies g ON g.id = r.agency_id, unnest(app.plain_words(concat_ws(' ', concat_ws(' ', r.first_name, r.last_name), r.company))) AS w;
        RETURN NULL;
      END $$;

ALTER FUNCTION app.leads_search_delete() OWNER TO gardenos_owner;

CREATE FUNCTION app.leads_search_fill() RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog'
    AS $$
        DELETE FROM app.search_documents WHERE entity = 'leads';
        INSERT INTO app.search_documents
      SELECT r.agency_id, 'leads', r.id, coalesce(r.owner_id, r.created_by), app.search_vector(app.search_prefix(r.agency_id, 'leads'), concat_ws(' ', r.first_name, r.last_name), concat_ws(' ', r.email, r.external_id, r.phone, app.dialled(r.phone)), concat_ws(' ', r.company, r.job_title, r.city, r.country, r.website, r.source), concat_ws(' ', r.notes, (SELECT string_agg(x.value #>> '{}', ' ') FROM jsonb_each(r.custom) AS x))) FROM public.leads r WHERE r.deleted_at IS NULL;
        INSERT INTO app.search_words
        SELECT DISTINCT r.agency_id, w FROM public.leads r, unnest(app.plain_words(concat_ws(' ', concat_ws(' ', r.first_name, r.last_name), r.company))) AS w
         WHERE length(w) BETWEEN 3 AND 64 AND w !~ '[0-9]'
           AND NOT EXISTS (SELECT FROM app.search_words k WHERE k.agency_id = r.agency_id AND k.word = w);
      $$;

ALTER FUNCTION app.leads_search_fill() OWNER TO gardenos_owner;

CREATE FUNCTION app.leads_search_insert() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
      BEGIN
        INSERT INTO app.search_documents
      SELECT r.agency_id, 'leads', r.id, coalesce(r.owner_id, r.created_by), app.search_vector(app.search_prefix(r.agency_id, 'leads'), concat_ws(' ', r.first_name, r.last_name), concat_ws(' ', r.email, r.external_id, r.phone, app.dialled(r.phone)), concat_ws(' ', r.company, r.job_title, r.city, r.country, r.website, r.source), concat_ws(' ', r.notes, (SELECT string_agg(x.value #>> '{}', ' ') FROM jsonb_each(r.custom) AS x))) FROM new_rows r WHERE r.deleted_at IS NULL ON CONFLICT DO NOTHING;
        INSERT INTO app.search_words
        SELECT DISTINCT r.agency_id, w FROM new_rows r, unnest(app.plain_words(concat_ws(' ', concat_ws(' ', r.first_name, r.last_name), r.company))) AS w
         WHERE length(w) BETWEEN 3 AND 64 AND w !~ '[0-9]'
           AND NOT EXISTS (SELECT FROM app.search_words k WHERE k.agency_id = r.agency_id AND k.word = w);
        RETURN NULL;
      END $$;

ALTER FUNCTION app.leads_search_insert() OWNER TO gardenos_owner;

CREATE FUNCTION app.leads_search_update() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
      BEGIN
        DELETE FROM app.search_documents d WHERE d.agency_id = OLD.agency_id AND d.entity = 'leads' AND d.record_id = OLD.id;
        INSERT INTO app.search_words_gone
        SELECT DISTINCT r.agency_id, w FROM (SELECT OLD.*) AS r, unnest(app.plain_words(concat_ws(' ', concat_ws(' ', r.first_name, r.last_name), r.company))) AS w;
        INSERT INTO app.search_documents
      SELECT r.agency_id, 'leads', r.id, coalesce(r.owner_id, r.created_by), app.search_vector(app.search_prefix(r.agency_id, 'leads'), concat_ws(' ', r.first_name, r.last_name), concat_ws(' ', r.email, r.external_id, r.phone, app.dialled(r.phone)), concat_ws(' ', r.company, r.job_title, r.city, r.country, r.website, r.source), concat_ws(' ', r.notes, (SELECT string_agg(x.value #>> '{}', ' ') FROM jsonb_each(r.custom) AS x))) FROM (SELECT NEW.*) AS r WHERE r.deleted_at IS NULL ON CONFLICT DO NOTHING;
        PERFORM app.learn_words(r.agency_id, concat_ws(' ', concat_ws(' ', r.first_name, r.last_name), r.company)) FROM (SELECT NEW.*) AS r WHERE r.deleted_at IS NULL;
        RETURN NULL;
      END $$;

ALTER FUNCTION app.leads_search_update() OWNER TO gardenos_owner;

CREATE FUNCTION app.learn_words(agency uuid, said text) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog'
    AS $$
  INSERT INTO app.search_words
  SELECT DISTINCT agency, w FROM unnest(app.plain_words(said)) AS w
   WHERE length(w) BETWEEN 3 AND 64 AND w !~ '[0-9]'
     AND NOT EXISTS (SELECT FROM app.search_words k WHERE k.agency_id = agency AND k.word = w)
$$;

ALTER FUNCTION app.learn_words(agency uuid, said text) OWNER TO gardenos_owner;

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

CREATE FUNCTION app.masked_fields(entity text) RETURNS text[]
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ARRAY(SELECT m.field FROM public.field_masks m WHERE ((m.agency_id = app.agency_id()) AND (m.role = app.user_role()) AND (m.entity = masked_fields.entity)) ORDER BY m.field);

ALTER FUNCTION app.masked_fields(entity text) OWNER TO gardenos_owner;

CREATE FUNCTION app.says(said text, words text[]) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (EXISTS (SELECT FROM unnest(says.words) w(w) WHERE (strpos(says.said, w.w) > 0)));

ALTER FUNCTION app.says(said text, words text[]) OWNER TO gardenos_owner;

CREATE FUNCTION app.text_of(said bytea) RETURNS text
    LANGUAGE plpgsql STABLE
    AS $$
BEGIN
  RETURN convert_from(said, 'UTF8');
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
  RETURN encode(said, 'escape');
END
$$;

ALTER FUNCTION app.text_of(said bytea) OWNER TO gardenos_owner;

CREATE FUNCTION app.may_say(chunk bytea, words text[]) RETURNS boolean
    LANGUAGE sql STABLE
    RETURN (app.says(lower(app.text_of(chunk)), words) OR (EXISTS (SELECT FROM unnest(may_say.words) w(w) WHERE (octet_length(w.w) > char_length(w.w)))));

ALTER FUNCTION app.may_say(chunk bytea, words text[]) OWNER TO gardenos_owner;

CREATE FUNCTION app.meant_words(agency uuid, said text) RETURNS text[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'app', 'extensions', 'public'
    SET "pg_trgm.similarity_threshold" TO '0.3'
    AS $$
BEGIN
  IF length(said) > 64 OR EXISTS (SELECT FROM app.search_words k WHERE k.agency_id = agency AND k.word = said) THEN
    RETURN ARRAY[said];
  END IF;
  IF length(said) <= 5 THEN
    -- Misspelling leaves a short word too few trigrams: all are compared that begin like it.
    RETURN ARRAY(
      SELECT n.word
        FROM (SELECT DISTINCT k.word, levenshtein_less_equal(k.word, said, 2) AS far
                FROM app.search_words k
               WHERE k.agency_id = agency AND k.word >= left(said, 1) AND k.word < left(said, 1) || chr(65535)
                 AND abs(length(k.word) - length(said)) <= 1) n
       WHERE n.far <= 1 OR n.far = 2 AND (SELECT array_agg(l ORDER BY l) FROM regexp_split_to_table(n.word, '') l)
                                       = (SELECT array_agg(l ORDER BY l) FROM regexp_split_to_table(said, '') l)
       ORDER BY n.far, n.word LIMIT 5);
  END IF;
  RETURN ARRAY(
    SELECT n.word
      FROM (SELECT DISTINCT k.word, levenshtein_less_equal(k.word, said, 2) AS far, similarity(k.word, said) AS near
              FROM app.search_words k WHERE k.agency_id = agency AND k.word % said) n
     WHERE n.far <= 2 OR n.near >= 0.5
     ORDER BY n.far, n.near DESC, n.word LIMIT 5);
END
$$;

ALTER FUNCTION app.meant_words(agency uuid, said text) OWNER TO gardenos_search;

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

CREATE TABLE public.members (
    agency_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT members_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'admin'::text, 'manager'::text, 'agent'::text, 'read_only'::text])))
);

ALTER TABLE ONLY public.members FORCE ROW LEVEL SECURITY;

ALTER TABLE public.members OWNER TO gardenos_owner;

CREATE FUNCTION app.member_names() RETURNS TABLE(user_id uuid, email text, name text, last_sign_in_at timestamp with time zone)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 SELECT u.id,
     (u.email)::text AS email,
     (u.raw_user_meta_data ->> 'name'::text),
     u.last_sign_in_at
    FROM (public.members m
      JOIN auth.users u ON ((u.id = m.user_id)))
   WHERE (m.agency_id = ( SELECT app.agency_id() AS agency_id));
END;

ALTER FUNCTION app.member_names() OWNER TO gardenos_owner;

CREATE FUNCTION app.move_references(merge uuid) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
  m public.merges;
  r record;
  ids jsonb;
  found_ids jsonb := '{}';
  gone_tags jsonb := '[]';
BEGIN
  SELECT * INTO m FROM public.merges s WHERE s.id = merge AND s.merged_by = app.user_id() AND s.kept_after IS NULL;
  IF NOT FOUND OR NOT app.can_write() THEN
    RAISE insufficient_privilege USING MESSAGE = 'This merge is another''s, or done.';
  END IF;
  FOR r IN SELECT * FROM app.references_to(m.entity) LOOP
    IF r.relation = 'taggings' THEN
      EXECUTE format('WITH doubled AS (DELETE FROM public.%I t WHERE t.%I = $1 AND EXISTS (SELECT FROM public.%1$I k WHERE k.%2$I = $2 AND k.tag_id = t.tag_id) RETURNING t.*)
        SELECT coalesce(jsonb_agg(to_jsonb(doubled)), ''[]'') FROM doubled', r.relation, r.field) INTO gone_tags USING m.gone_id, m.kept_id;
    END IF;
    EXECUTE format('WITH moved AS (UPDATE public.%I t SET %I = $2 WHERE t.%2$I = $1 AND t.agency_id = $3 RETURNING t.id) SELECT jsonb_agg(id) FROM moved', r.relation, r.field)
      INTO ids USING m.gone_id, m.kept_id, m.agency_id;
    IF ids IS NOT NULL THEN
      found_ids := found_ids || jsonb_build_object(r.relation || '.' || r.field, ids);
    END IF;
  END LOOP;
  UPDATE public.merges s SET moved = found_ids, dropped = gone_tags WHERE s.id = merge;
  RETURN found_ids;
END
$_$;

ALTER FUNCTION app.move_references(merge uuid) OWNER TO gardenos_owner;

CREATE FUNCTION app.note_stages() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
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

ALTER FUNCTION app.note_stages() OWNER TO gardenos_owner;

CREATE TABLE app.likeness_swept (
    agency_id uuid NOT NULL,
    entity text NOT NULL,
    at timestamp with time zone NOT NULL,
    record_id uuid NOT NULL,
    CONSTRAINT likeness_swept_entity_check CHECK ((entity = ANY (ARRAY['leads'::text, 'contacts'::text, 'companies'::text])))
);

ALTER TABLE ONLY app.likeness_swept FORCE ROW LEVEL SECURITY;

ALTER TABLE app.likeness_swept OWNER TO gardenos_owner;

CREATE FUNCTION app.note_swept(kind text, at timestamp with time zone, record_id uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 INSERT INTO app.likeness_swept AS s (agency_id, entity, at, record_id)
   VALUES (app.agency_id(), note_swept.kind, note_swept.at, note_swept.record_id) ON CONFLICT(agency_id, entity) DO UPDATE SET at = excluded.at, record_id = excluded.record_id;
END;

ALTER FUNCTION app.note_swept(kind text, at timestamp with time zone, record_id uuid) OWNER TO gardenos_owner;

CREATE FUNCTION app.owners(entity text, verb text) RETURNS uuid[]
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN app.owners(app.scope(entity, verb));

ALTER FUNCTION app.owners(entity text, verb text) OWNER TO gardenos_owner;

CREATE FUNCTION app.parts(chunk bytea) RETURNS TABLE(said text, n bigint)
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
  whole CONSTANT text := app.text_of(chunk);
BEGIN
  IF pg_input_is_valid(whole, 'json') THEN
    IF json_typeof(whole::json) = 'array' THEN
      RETURN QUERY SELECT e.value::text, e.n - 1 FROM json_array_elements(whole::json) WITH ORDINALITY AS e(value, n);
      RETURN;
    END IF;
  END IF;
  RETURN QUERY SELECT whole, 0::bigint;
END
$$;

ALTER FUNCTION app.parts(chunk bytea) OWNER TO gardenos_owner;

CREATE FUNCTION app.plain_words(said text) RETURNS text[]
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'app', 'extensions', 'public'
    AS $$
  SELECT string_to_array(btrim(regexp_replace(lower(unaccent(left(said, 20000))), '[^[:alnum:]]+', ' ', 'g')), ' ')
$$;

ALTER FUNCTION app.plain_words(said text) OWNER TO gardenos_owner;

CREATE FUNCTION app.protect(entity text, owner text) RETURNS void
    LANGUAGE plpgsql
    AS $_$
DECLARE
  ours CONSTANT text := 'agency_id = (SELECT app.agency_id())';
  within text := $rule$CASE (SELECT app.scope(%1$L, %2$L)) WHEN 'agency' THEN true WHEN 'none' THEN false
    ELSE coalesce(%3$I, created_by) = ANY ((SELECT app.owners(%1$L, %2$L))::uuid[]) END$rule$;
  changing text := $rule$CASE (SELECT app.change_scope(%1$L)) WHEN 'agency' THEN true WHEN 'none' THEN false
    ELSE coalesce(%3$I, created_by) = ANY ((SELECT app.change_owners(%1$L))::uuid[]) END$rule$;
BEGIN
  IF owner IS NULL THEN
    within := $rule$(SELECT app.scope(%1$L, %2$L)) = 'agency'$rule$;
    changing := $rule$(SELECT app.change_scope(%1$L)) = 'agency'$rule$;
  END IF;
  EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', entity);
  EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', entity);
  EXECUTE format('CREATE POLICY %I ON public.%I FOR SELECT TO authenticated USING (%s AND %s)',
    entity || '_select', entity, ours, format(within, entity, 'read', owner));
  EXECUTE format('CREATE POLICY %I ON public.%I FOR INSERT TO authenticated WITH CHECK (%s AND %s)',
    entity || '_insert', entity, ours, format(within, entity, 'create', owner));
  EXECUTE format('CREATE POLICY %I ON public.%I FOR UPDATE TO authenticated USING (%s AND %s) WITH CHECK (%s)',
    entity || '_update', entity, ours, format(changing, entity, '', owner), ours);
  -- Deleting marks a row; nothing but retention removes it.
  EXECUTE format('CREATE POLICY %I ON public.%I FOR DELETE TO authenticated USING (false)', entity || '_delete', entity);
  EXECUTE format('CREATE POLICY %I ON public.%I FOR SELECT TO gardenos_agent USING (%s)', entity || '_agent', entity, ours);
  EXECUTE format('CREATE POLICY %I ON public.%I FOR SELECT TO gardenos_worker USING (true)', entity || '_worker', entity);
  EXECUTE format('CREATE POLICY %I ON public.%I FOR DELETE TO gardenos_worker USING (deleted_at IS NOT NULL)', entity || '_purge', entity);
  EXECUTE format('GRANT SELECT, INSERT, UPDATE ON public.%I TO authenticated', entity);
  EXECUTE format('GRANT SELECT ON public.%I TO gardenos_agent', entity);
  EXECUTE format('GRANT SELECT (id, agency_id, deleted_at), DELETE ON public.%I TO gardenos_worker', entity);
  EXECUTE format('CREATE OR REPLACE TRIGGER %I BEFORE UPDATE ON public.%I FOR EACH ROW EXECUTE FUNCTION app.touch()',
    entity || '_touch', entity);
  EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON public.%I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION app.guard_changes(%L, %L)',
    entity || '_guard_changes', entity, entity, coalesce(owner, ''));
  EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON public.%I REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION app.guard_inserts(%L)', entity || '_guard_inserts', entity, entity);
END
$_$;

ALTER FUNCTION app.protect(entity text, owner text) OWNER TO gardenos_owner;

CREATE FUNCTION app.purge_deleted(keep interval, most integer) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog'
    AS $_$
DECLARE
  name text;
  gone bigint;
  total bigint := 0;
BEGIN
  FOREACH name IN ARRAY ARRAY['attachments', 'views', 'tags', 'tasks', 'deals', 'contacts', 'companies', 'leads', 'pipelines'] LOOP
    EXECUTE format('DELETE FROM public.%I t WHERE t.id = ANY (ARRAY(
        SELECT d.id FROM public.%I d WHERE d.deleted_at < now() - $1%s ORDER BY d.deleted_at LIMIT $2))
      AND t.deleted_at IS NOT NULL', name, name,
      -- Deals that are kept keep their pipeline.
      CASE name WHEN 'pipelines' THEN ' AND NOT EXISTS (SELECT FROM public.deals o WHERE o.pipeline_id = d.id)' ELSE '' END)
      USING keep, most;
    GET DIAGNOSTICS gone = ROW_COUNT;
    total := total + gone;
  END LOOP;
  RETURN total;
END
$_$;

ALTER FUNCTION app.purge_deleted(keep interval, most integer) OWNER TO gardenos_owner;

CREATE FUNCTION app.purge_imports(keep interval, most integer) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog'
    AS $$
DECLARE
  old uuid[] := ARRAY(
    SELECT i.id FROM public.imports i
     WHERE coalesce(i.finished_at, i.created_at) < now() - keep AND i.purged_at IS NULL
       AND NOT EXISTS (SELECT FROM public.agent_tasks t WHERE t.id = i.task_id AND t.state IN ('queued', 'running'))
     LIMIT most);
BEGIN
  DELETE FROM public.import_chunks k WHERE k.import_id = ANY (old);
  DELETE FROM public.imports i WHERE i.id = ANY (old) AND i.state = 'staged';
  UPDATE public.imports i SET purged_at = now() WHERE i.id = ANY (old);
  RETURN cardinality(old);
END
$$;

ALTER FUNCTION app.purge_imports(keep interval, most integer) OWNER TO gardenos_owner;

CREATE FUNCTION app.purge_jobs(keep interval, most integer) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog'
    AS $$
DECLARE
  gone bigint;
BEGIN
  DELETE FROM public.bulk_jobs j
   WHERE j.id = ANY (ARRAY(
     SELECT o.id FROM public.bulk_jobs o
      WHERE coalesce(o.finished_at, o.created_at) < now() - keep
        AND NOT EXISTS (SELECT FROM public.agent_tasks t WHERE t.id = o.task_id AND t.state IN ('queued', 'running'))
      LIMIT most));
  GET DIAGNOSTICS gone = ROW_COUNT;
  RETURN gone;
END
$$;

ALTER FUNCTION app.purge_jobs(keep interval, most integer) OWNER TO gardenos_owner;

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
    RETURN (app.scope(entity, 'read'::text) = 'agency'::text);

ALTER FUNCTION app.reads_all(entity text) OWNER TO gardenos_owner;

CREATE FUNCTION app.record(relation regclass, without text[] DEFAULT '{}'::text[]) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
  entity CONSTANT text := (SELECT relname FROM pg_class WHERE oid = relation);
  agency CONSTANT text := CASE entity WHEN 'agencies' THEN 'id' ELSE 'agency_id' END;
  keys CONSTANT text[] := ARRAY(
    SELECT a.attname
      FROM pg_index i, unnest(i.indkey) WITH ORDINALITY AS k(attnum, n)
      JOIN pg_attribute a ON a.attrelid = relation AND a.attnum = k.attnum
     WHERE i.indrelid = relation AND i.indisprimary AND a.attname <> 'agency_id'
     ORDER BY k.n);
  passed_over CONSTANT text[] := without || keys
    || ARRAY['agency_id', 'created_by', 'created_at', 'updated_at', 'deleted_at', 'version']
    || ARRAY(SELECT a.attname FROM pg_attribute a
              WHERE a.attrelid = relation AND a.attnum > 0 AND a.attgenerated <> '' ORDER BY a.attnum);
  arguments CONSTANT text := format('%L, %L, %L, %L', entity, agency, keys, passed_over);
BEGIN
  EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER INSERT ON %s REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes(%s)', entity || '_record_inserts', relation, arguments);
  EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER UPDATE ON %s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes(%s)', entity || '_record_updates', relation, arguments);
  EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER DELETE ON %s REFERENCING OLD TABLE AS old_rows
    FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes(%s)', entity || '_record_deletes', relation, arguments);
END
$$;

ALTER FUNCTION app.record(relation regclass, without text[]) OWNER TO gardenos_owner;

CREATE FUNCTION app.record_changes() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  entity CONSTANT text := TG_ARGV[0];
  agency CONSTANT text := TG_ARGV[1];
  keys CONSTANT text[] := TG_ARGV[2];
  without CONSTANT text[] := TG_ARGV[3];
  request CONSTANT text := left(nullif(current_setting('gardenos.request_id', true), ''), 64);
  -- Not current_user, which is the owner in here.
  kind CONSTANT text := CASE current_setting('role')
    WHEN 'authenticated' THEN CASE WHEN app.claims() ? 'scopes' THEN 'key' ELSE 'member' END
    WHEN 'gardenos_agent' THEN 'agent'
    ELSE 'system' END;
  written bigint;
BEGIN
  CASE TG_OP
  WHEN 'INSERT' THEN
    WITH noted AS MATERIALIZED (
      SELECT (r.after ->> agency)::uuid AS agency_id, app.key_of(r.after, keys) AS record_id, 'create' AS verb,
             jsonb_strip_nulls(r.after - without) AS changes
        FROM (SELECT to_jsonb(n) AS after FROM new_rows n OFFSET 0) r
    ), audited AS (
      INSERT INTO public.audit_log (agency_id, actor, actor_kind, request_id, entity, record_id, verb, changes)
      SELECT n.agency_id, app.user_id(), kind, request, entity, n.record_id, n.verb, n.changes FROM noted n
    )
    INSERT INTO public.outbox (agency_id, entity, record_id, verb)
    SELECT n.agency_id, entity, n.record_id, n.verb FROM noted n;
  WHEN 'UPDATE' THEN
    -- A row whose key changed is another record from then on.
    WITH noted AS MATERIALIZED (
      SELECT (coalesce(n.r, o.r) ->> agency)::uuid AS agency_id, coalesce(n.key, o.key) AS record_id,
             CASE
               WHEN o.r IS NULL THEN 'create'
               WHEN n.r IS NULL THEN 'delete'
               WHEN o.r ->> 'deleted_at' IS NULL AND n.r ->> 'deleted_at' IS NOT NULL THEN 'delete'
               WHEN o.r ->> 'deleted_at' IS NOT NULL AND n.r ->> 'deleted_at' IS NULL THEN 'restore'
               ELSE 'update'
             END AS verb,
             CASE
               WHEN o.r IS NULL THEN jsonb_strip_nulls(n.r - without)
               WHEN n.r IS NULL THEN app.removed(o.r - without)
               ELSE app.changed(o.r - without, n.r - without)
             END AS changes
        FROM (SELECT q.r, app.key_of(q.r, keys) AS key FROM (SELECT to_jsonb(x) AS r FROM old_rows x OFFSET 0) q) o
        FULL JOIN (SELECT q.r, app.key_of(q.r, keys) AS key FROM (SELECT to_jsonb(x) AS r FROM new_rows x OFFSET 0) q) n
          ON n.key = o.key
    ), audited AS (
      INSERT INTO public.audit_log (agency_id, actor, actor_kind, request_id, entity, record_id, verb, changes)
      SELECT n.agency_id, app.user_id(), kind, request, entity, n.record_id, n.verb, n.changes FROM noted n
       WHERE n.verb <> 'update' OR n.changes <> '{}'
    )
    INSERT INTO public.outbox (agency_id, entity, record_id, verb)
    SELECT n.agency_id, entity, n.record_id, n.verb FROM noted n
     WHERE n.verb <> 'update' OR n.changes <> '{}';
  WHEN 'DELETE' THEN
    -- What retention purges is not kept here instead.
    WITH noted AS MATERIALIZED (
      SELECT (r.before ->> agency)::uuid AS agency_id, app.key_of(r.before, keys) AS record_id,
             CASE WHEN r.purged THEN 'purge' ELSE 'delete' END AS verb,
             CASE WHEN r.purged THEN '{}' ELSE app.removed(r.before - without) END AS changes
        FROM (SELECT to_jsonb(o) AS before,
                     to_jsonb(o) ? 'deleted_at' OR current_setting('role') = 'gardenos_worker' AS purged
                FROM old_rows o OFFSET 0) r
    ), audited AS (
      INSERT INTO public.audit_log (agency_id, actor, actor_kind, request_id, entity, record_id, verb, changes)
      SELECT n.agency_id, app.user_id(), kind, request, entity, n.record_id, n.verb, n.changes FROM noted n
    )
    INSERT INTO public.outbox (agency_id, entity, record_id, verb)
    SELECT n.agency_id, entity, n.record_id, n.verb FROM noted n;
  END CASE;
  GET DIAGNOSTICS written = ROW_COUNT;
  IF written > 0 THEN
    -- PostgreSQL sends one of several equal notifications of a transaction.
    PERFORM pg_notify('gardenos_changes', '');
  END IF;
  RETURN NULL;
END
$$;

ALTER FUNCTION app.record_changes() OWNER TO gardenos_owner;

CREATE FUNCTION app.references_to(kind text) RETURNS TABLE(relation text, field text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog'
    BEGIN ATOMIC
 SELECT (r.relname)::text AS relname,
     (a.attname)::text AS attname
    FROM ((pg_constraint c
      JOIN pg_class r ON ((r.oid = c.conrelid)))
      JOIN pg_attribute a ON (((a.attrelid = c.conrelid) AND (a.attnum = c.conkey[cardinality(c.conkey)]))))
   WHERE ((c.contype = 'f'::"char") AND (c.confrelid = ((('public.'::text || references_to.kind))::regclass)::oid) AND (r.relnamespace = ('public'::regnamespace)::oid))
 UNION
  SELECT 'lead_conversions'::text,
     'contact_id'::text
   WHERE (references_to.kind = 'contacts'::text)
 UNION
  SELECT 'lead_conversions'::text,
     'company_id'::text
   WHERE (references_to.kind = 'companies'::text)
  ORDER BY 1, 2;
END;

ALTER FUNCTION app.references_to(kind text) OWNER TO gardenos_owner;

CREATE FUNCTION app.removed(record jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN COALESCE((SELECT jsonb_object_agg(f.key, jsonb_build_array(f.value, NULL::unknown)) AS jsonb_object_agg FROM jsonb_each(jsonb_strip_nulls(((removed.record - 'custom'::text) || app.flat(removed.record)))) f(key, value)), '{}'::jsonb);

ALTER FUNCTION app.removed(record jsonb) OWNER TO gardenos_owner;

CREATE FUNCTION app.require_readable(entity text, fields text[]) RETURNS boolean
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    AS $$
DECLARE
  hidden CONSTANT text[] := ARRAY(SELECT unnest(app.hidden_fields(entity)) INTERSECT SELECT unnest(fields));
BEGIN
  IF hidden <> '{}' THEN
    RAISE insufficient_privilege USING
      MESSAGE = format('Your role does not see %s of %s.', array_to_string(hidden, ', '), entity),
      DETAIL = hidden::text;
  END IF;
  RETURN true;
END
$$;

ALTER FUNCTION app.require_readable(entity text, fields text[]) OWNER TO gardenos_owner;

CREATE FUNCTION app.revert_chunk(import uuid, chunk integer, OUT removed integer, OUT restored integer, OUT kept integer) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  c public.import_chunks;
  undone uuid[];
  gone uuid[];
BEGIN
  IF NOT EXISTS (SELECT FROM public.imports i
                  WHERE i.id = import AND i.state = 'reverting' AND app.can_write()
                    AND (app.can_administer() OR i.created_by = app.user_id())) THEN
    RAISE insufficient_privilege USING MESSAGE = 'Only who sent an import, or an owner or admin, reverts it.';
  END IF;
  SELECT * INTO c FROM public.import_chunks k
   WHERE k.import_id = import AND k.number = chunk AND k.done_at IS NOT NULL AND k.reverted_at IS NULL FOR UPDATE;
  IF NOT FOUND THEN
    SELECT 0, 0, 0 INTO removed, restored, kept;
    RETURN;
  END IF;
  DELETE FROM public.taggings t WHERE t.id = ANY (c.tagged);

  WITH was AS (
    SELECT (u.value ->> 'id')::uuid AS id,
           jsonb_object_agg(f.key, f.value -> 0) AS before, jsonb_object_agg(f.key, f.value -> 1) AS after
      FROM jsonb_array_elements(c.undo) AS u, jsonb_each(u.value -> 'changes') AS f
     GROUP BY 1
  ), back AS (
    UPDATE public.leads l
       SET (external_id, first_name, last_name, email, phone, company, job_title, website, city, country, source,
            status, notes, custom, owner_id)
         = (SELECT r.external_id, r.first_name, r.last_name, r.email, r.phone, r.company, r.job_title, r.website,
                   r.city, r.country, r.source, r.status, r.notes, r.custom, r.owner_id
              FROM jsonb_populate_record(l, was.before) r)
      FROM was
     WHERE l.id = was.id
       AND NOT EXISTS (SELECT FROM jsonb_each(was.after) f WHERE to_jsonb(l) -> f.key IS DISTINCT FROM f.value)
    RETURNING l.id
  )
  SELECT array_agg(id) INTO undone FROM back;

  -- What scoring writes is the import's, too; so are drafts that nobody has looked at.
  WITH removable AS (
    SELECT l.id
      FROM public.leads l
     WHERE l.id = ANY (c.created)
       AND (l.version = 1 OR EXISTS (
             SELECT FROM public.audit_log e
              WHERE e.record_id = l.id::text AND e.entity = 'leads' AND e.verb = 'create' AND e.agency_id = l.agency_id
                AND e.changes = jsonb_strip_nulls(to_jsonb(l) - ARRAY['id', 'agency_id', 'created_by', 'created_at',
                  'updated_at', 'deleted_at', 'version', 'email_key', 'score_rank', 'quality_score',
                  'conversion_probability', 'scored_at'])))
       AND NOT EXISTS (SELECT FROM public.activities r WHERE r.agency_id = l.agency_id AND r.lead_id = l.id)
       AND NOT EXISTS (SELECT FROM public.attachments r WHERE r.agency_id = l.agency_id AND r.lead_id = l.id)
       AND NOT EXISTS (SELECT FROM public.deals r WHERE r.agency_id = l.agency_id AND r.lead_id = l.id)
       AND NOT EXISTS (SELECT FROM public.lead_conversions r WHERE r.agency_id = l.agency_id AND r.lead_id = l.id)
       AND NOT EXISTS (SELECT FROM public.taggings r WHERE r.agency_id = l.agency_id AND r.lead_id = l.id)
       AND NOT EXISTS (SELECT FROM public.tasks r WHERE r.agency_id = l.agency_id AND r.lead_id = l.id)
       AND NOT EXISTS (SELECT FROM public.follow_ups r WHERE r.lead_id = l.id AND r.state <> 'draft')
  ), taken AS (
    DELETE FROM public.leads l USING removable r WHERE l.id = r.id RETURNING l.id
  )
  SELECT array_agg(id) INTO gone FROM taken;
  DELETE FROM public.tags t
   WHERE t.id = ANY (c.new_tags) AND t.version = 1
     AND NOT EXISTS (SELECT FROM public.taggings g WHERE g.agency_id = t.agency_id AND g.tag_id = t.id);

  removed := coalesce(cardinality(gone), 0);
  restored := (SELECT count(*) FROM unnest(undone) AS u (id) WHERE u.id <> ALL (coalesce(c.created, '{}')));
  kept := coalesce(cardinality(c.created), 0) - removed
    + (SELECT count(*) FROM jsonb_array_elements(c.undo) AS u WHERE (u.value ->> 'id')::uuid <> ALL (coalesce(c.created, '{}')))
    - restored;
  UPDATE public.import_chunks k SET reverted_at = now(), undo = NULL WHERE k.import_id = import AND k.number = chunk;
END
$$;

ALTER FUNCTION app.revert_chunk(import uuid, chunk integer, OUT removed integer, OUT restored integer, OUT kept integer) OWNER TO gardenos_owner;

CREATE FUNCTION app.search(q text, kinds text[], most integer, best integer) RETURNS TABLE(entity text, record_id uuid, rank real, cut boolean, meant text[], corrected boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 50
    SET search_path TO 'pg_catalog'
    AS $_$
DECLARE
  agency CONSTANT uuid := app.agency_id();
  digits CONSTANT text := regexp_replace(regexp_replace(q, '[^0-9]+', '', 'g'), '^00', '');
  said CONSTANT text[] := CASE WHEN q ~ '^[-+0-9 ()/.]+$' AND length(digits) >= 5 THEN ARRAY[digits] ELSE app.plain_words(q) END;
  choices text[] := said;
  begun boolean := length(said[cardinality(said)]) > 1;
  kind text;
  reach text;
  hidden text[];
  weights text;
  whole text;
  begins text;
  n integer;
  found_so_far integer := 0;
BEGIN
  IF said = '{}' OR agency IS NULL THEN
    RETURN;
  END IF;
  FOR attempt IN 1 .. 2 LOOP
    FOREACH kind IN ARRAY kinds LOOP
      reach := app.scope(kind, 'read');
      hidden := app.hidden_fields(kind);
      weights := app.search_weights(kind, hidden);
      CONTINUE WHEN reach = 'none' OR weights = '';
      -- Without weights the index alone says what fits.
      weights := CASE WHEN hidden <> '{}' THEN weights ELSE '' END;
      whole := app.search_query(app.search_prefix(agency, kind), choices, weights, false);
      begins := app.search_query(app.search_prefix(agency, kind), choices, weights,
                                 begun AND NOT (kind = 'activities' AND found_so_far >= best));
      RETURN QUERY
        SELECT f.entity, f.record_id, f.rank, f.cut,
               ARRAY(SELECT unnest(string_to_array(c, '|')) FROM unnest(choices) c), attempt = 2
          FROM app.search_kind(agency, kind, CASE WHEN reach <> 'agency' AND kind <> 'activities' THEN app.owners(reach) END,
                 begins::tsquery, replace(begins, '&', '|')::tsquery, whole::tsquery, most, best) f;
      GET DIAGNOSTICS n = ROW_COUNT;
      found_so_far := found_so_far + n;
    END LOOP;
    EXIT WHEN found_so_far > 0;
    -- Nothing at all: perhaps something was misspelt. Then it is not begun, either.
    begun := false;
    choices := ARRAY(SELECT array_to_string(app.meant_words(agency, w), '|') FROM unnest(said) WITH ORDINALITY AS u (w, n) ORDER BY u.n);
    EXIT WHEN '' = ANY (choices) OR choices = said;
  END LOOP;
END
$_$;

ALTER FUNCTION app.search(q text, kinds text[], most integer, best integer) OWNER TO gardenos_owner;

CREATE FUNCTION app.search_kind(agency uuid, kind text, owners uuid[], said tsquery, either tsquery, whole tsquery, most integer, best integer) RETURNS TABLE(entity text, record_id uuid, rank real, cut boolean)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog'
    AS $$
BEGIN
  -- The agency is no condition an index could serve: the words are, which begin with it. Of a word that is
  -- everywhere, some records are looked at, not all.
  RETURN QUERY
    WITH hits AS MATERIALIZED (
      SELECT d.record_id, d.words FROM app.search_documents d
       WHERE d.words @@ said AND d.agency_id IS NOT DISTINCT FROM agency AND d.entity IS NOT DISTINCT FROM kind
         AND (owners IS NULL OR d.owner_id = ANY (owners))
       LIMIT most + 1)
    SELECT kind, h.record_id,
           (ts_rank('{0.1, 0.3, 0.7, 1.0}', h.words, either) + CASE WHEN h.words @@ whole THEN 0.5 ELSE 0 END)::real,
           (SELECT count(*) > most FROM hits)
      FROM hits h ORDER BY 3 DESC, h.record_id DESC LIMIT best;
END
$$;

ALTER FUNCTION app.search_kind(agency uuid, kind text, owners uuid[], said tsquery, either tsquery, whole tsquery, most integer, best integer) OWNER TO gardenos_search;

CREATE FUNCTION app.search_prefix(agency uuid, entity text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (('x'::text || "right"((agency)::text, 4)) || CASE entity WHEN 'companies'::text THEN 'o'::text ELSE "left"(entity, 1) END);

ALTER FUNCTION app.search_prefix(agency uuid, entity text) OWNER TO gardenos_owner;

CREATE FUNCTION app.search_query(prefix text, choices text[], weights text, begun boolean) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (SELECT string_agg((('('::text || (SELECT string_agg(((((search_query.prefix || w.w) || ':'::text) || CASE WHEN (search_query.begun AND (u.n = cardinality(search_query.choices))) THEN '*'::text ELSE ''::text END) || search_query.weights), '|'::text) AS string_agg FROM unnest(string_to_array(u.c, '|'::text)) w(w))) || ')'::text), '&'::text) AS string_agg FROM unnest(search_query.choices) WITH ORDINALITY u(c, n));

ALTER FUNCTION app.search_query(prefix text, choices text[], weights text, begun boolean) OWNER TO gardenos_owner;

CREATE FUNCTION app.search_vector(prefix text, a text, b text, c text, d text) RETURNS tsvector
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog'
    AS $$
  SELECT coalesce(string_agg(prefix || left(w, 64) || ':1' || v.weight, ' '), '')::tsvector
    FROM (VALUES ('A', a), ('B', b), ('C', c), ('D', d)) AS v (weight, said), unnest(app.plain_words(v.said)) AS w
$$;

ALTER FUNCTION app.search_vector(prefix text, a text, b text, c text, d text) OWNER TO gardenos_owner;

CREATE FUNCTION app.search_weights(entity text, hidden text[]) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (SELECT COALESCE(string_agg(v.weight, ''::text ORDER BY v.weight) FILTER (WHERE (NOT (v.fields && search_weights.hidden))), ''::text) AS "coalesce" FROM (VALUES ('leads'::text,'A'::text,ARRAY['first_name'::text, 'last_name'::text]), ('leads'::text,'B'::text,ARRAY['email'::text, 'external_id'::text, 'phone'::text]), ('leads'::text,'C'::text,ARRAY['company'::text, 'job_title'::text, 'city'::text, 'country'::text, 'website'::text, 'source'::text]), ('leads'::text,'D'::text,ARRAY['notes'::text, 'custom'::text]), ('contacts'::text,'A'::text,ARRAY['first_name'::text, 'last_name'::text]), ('contacts'::text,'B'::text,ARRAY['email'::text, 'external_id'::text, 'phone'::text, 'mobile'::text]), ('contacts'::text,'C'::text,ARRAY['job_title'::text, 'street'::text, 'postal_code'::text, 'city'::text, 'region'::text, 'country'::text, 'website'::text, 'source'::text]), ('contacts'::text,'D'::text,ARRAY['notes'::text, 'custom'::text]), ('companies'::text,'A'::text,ARRAY['name'::text]), ('companies'::text,'B'::text,ARRAY['domain'::text, 'external_id'::text, 'phone'::text]), ('companies'::text,'C'::text,ARRAY['industry'::text, 'street'::text, 'postal_code'::text, 'city'::text, 'region'::text, 'country'::text, 'website'::text]), ('companies'::text,'D'::text,ARRAY['notes'::text, 'custom'::text]), ('deals'::text,'A'::text,ARRAY['name'::text]), ('deals'::text,'B'::text,ARRAY['external_id'::text]), ('deals'::text,'C'::text,ARRAY['close_reason'::text]), ('deals'::text,'D'::text,ARRAY['notes'::text, 'custom'::text]), ('activities'::text,'A'::text,ARRAY['subject'::text]), ('activities'::text,'C'::text,ARRAY['outcome'::text]), ('activities'::text,'D'::text,ARRAY['body'::text])) v(entity, weight, fields) WHERE (v.entity = search_weights.entity));

ALTER FUNCTION app.search_weights(entity text, hidden text[]) OWNER TO gardenos_owner;

CREATE FUNCTION app.spoken(said text) RETURNS text
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
  sayable text;
BEGIN
  IF pg_input_is_valid(said, 'jsonb') THEN
    RETURN lower(said::jsonb::text);
  END IF;
  sayable := regexp_replace(said, '\\u(0000|d[89a-f][0-9a-f]{2})', '?', 'gi');
  IF pg_input_is_valid(sayable, 'jsonb') THEN
    RETURN lower(sayable::jsonb::text);
  END IF;
  RETURN lower(said);
END
$$;

ALTER FUNCTION app.spoken(said text) OWNER TO gardenos_owner;

CREATE FUNCTION app.sweep_words(most integer) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog'
    AS $$
DECLARE
  seen bigint;
BEGIN
  WITH gone AS (
    DELETE FROM app.search_words_gone g
     WHERE g.ctid = ANY (ARRAY(SELECT o.ctid FROM app.search_words_gone o LIMIT most))
    RETURNING g.agency_id, g.word
  ), unused AS (
    SELECT DISTINCT g.agency_id, g.word FROM gone g
     WHERE NOT EXISTS (
       SELECT FROM app.search_documents d
        WHERE d.agency_id = g.agency_id
          AND d.words @@ (SELECT string_agg(app.search_prefix(g.agency_id, e) || left(g.word, 64), '|')::tsquery
                            FROM unnest(ARRAY['leads', 'contacts', 'companies', 'deals', 'activities']) AS e))
  ), dropped AS (
    DELETE FROM app.search_words w USING unused u WHERE w.agency_id = u.agency_id AND w.word = u.word
  )
  SELECT count(*) INTO seen FROM gone;
  RETURN seen;
END
$$;

ALTER FUNCTION app.sweep_words(most integer) OWNER TO gardenos_owner;

CREATE FUNCTION app.swept(kind text, OUT at timestamp with time zone, OUT record_id uuid) RETURNS record
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 SELECT s.at,
     s.record_id
    FROM app.likeness_swept s
   WHERE ((s.agency_id = ( SELECT app.agency_id() AS agency_id)) AND (s.entity = swept.kind));
END;

ALTER FUNCTION app.swept(kind text, OUT at timestamp with time zone, OUT record_id uuid) OWNER TO gardenos_owner;

CREATE FUNCTION app.told(verb text, changes jsonb, hidden text[]) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (verb <> 'create'::text) THEN (changes - hidden) ELSE COALESCE((SELECT jsonb_object_agg(f.key, jsonb_build_array(NULL::unknown, f.value)) AS jsonb_object_agg FROM jsonb_each((((told.changes - 'custom'::text) || app.flat(told.changes)) - told.hidden)) f(key, value)), '{}'::jsonb) END;

ALTER FUNCTION app.told(verb text, changes jsonb, hidden text[]) OWNER TO gardenos_owner;

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

CREATE FUNCTION app.unasked(operations bytea, words text[]) RETURNS bytea
    LANGUAGE sql STABLE
    RETURN CASE WHEN (operations IS NOT NULL) THEN (SELECT convert_to((('['::text || COALESCE(string_agg(CASE WHEN ((p.said !~~ '{"op": "delete"%'::text) AND app.says(app.spoken(p.said), unasked.words)) THEN '{"op": "erased"}'::text ELSE p.said END, ', '::text ORDER BY p.n), ''::text)) || ']'::text), 'UTF8'::name) AS convert_to FROM app.parts(unasked.operations) p(said, n)) ELSE NULL::bytea END;

ALTER FUNCTION app.unasked(operations bytea, words text[]) OWNER TO gardenos_owner;

CREATE FUNCTION app.undo_merge(merge uuid) RETURNS text[]
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
  m public.merges;
  fields text[];
  since text[];
  now_is jsonb;
  r record;
BEGIN
  SELECT * INTO m FROM public.merges s WHERE s.id = merge FOR UPDATE;
  IF NOT FOUND OR NOT (app.can_administer() OR app.can_write() AND m.merged_by = app.user_id()) THEN
    RAISE insufficient_privilege USING MESSAGE = 'Only who merged records, or an owner or admin, takes that back.';
  END IF;
  EXECUTE format('SELECT to_jsonb(r) FROM public.%I r WHERE r.id = $1 AND r.deleted_at IS NOT NULL FOR UPDATE', m.entity) INTO now_is USING m.gone_id;
  IF now_is IS NULL OR m.kept_after IS NULL OR m.undone_at IS NOT NULL THEN
    RETURN ARRAY['id'];
  END IF;
  fields := ARRAY(SELECT a.attname::text FROM pg_attribute a
                   WHERE a.attrelid = ('public.' || m.entity)::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
                     AND a.attname <> ALL (ARRAY['id', 'agency_id', 'created_by', 'created_at', 'updated_at', 'version', 'deleted_at'])
                     AND m.kept_before -> a.attname::text IS DISTINCT FROM m.kept_after -> a.attname::text);
  EXECUTE format('SELECT to_jsonb(r) FROM public.%I r WHERE r.id = $1 AND r.deleted_at IS NULL FOR UPDATE', m.entity) INTO now_is USING m.kept_id;
  since := ARRAY(SELECT f FROM unnest(fields) f WHERE now_is -> f IS DISTINCT FROM m.kept_after -> f ORDER BY f);
  IF cardinality(since) > 0 THEN
    RETURN since;
  END IF;
  IF cardinality(fields) > 0 THEN
    EXECUTE format('UPDATE public.%I l SET (%s) = ROW(%s) FROM (SELECT b.* FROM jsonb_populate_record(NULL::public.%1$I, $2) b) AS b WHERE l.id = $1', m.entity,
      (SELECT string_agg(format('%I', f), ', ') FROM unnest(fields) f),
      (SELECT string_agg(format('b.%I', f), ', ') FROM unnest(fields) f)) USING m.kept_id, m.kept_before;
  END IF;
  EXECUTE format('UPDATE public.%I l SET deleted_at = NULL, external_id = b.external_id FROM (SELECT x.* FROM jsonb_populate_record(NULL::public.%1$I, $2) x) AS b WHERE l.id = $1', m.entity)
    USING m.gone_id, m.gone_before;
  FOR r IN SELECT split_part(e.key, '.', 1) AS relation, split_part(e.key, '.', 2) AS field, e.value AS ids FROM jsonb_each(m.moved) AS e LOOP
    EXECUTE format('UPDATE public.%I t SET %I = $1 WHERE t.%2$I = $2 AND t.agency_id = $3 AND t.id IN (SELECT i::uuid FROM jsonb_array_elements_text($4) i)', r.relation, r.field)
      USING m.gone_id, m.kept_id, m.agency_id, r.ids;
  END LOOP;
  INSERT INTO public.taggings SELECT t.* FROM jsonb_populate_recordset(NULL::public.taggings, m.dropped) t
      ON CONFLICT DO NOTHING;
  UPDATE public.merges s SET undone_by = app.user_id(), undone_at = now() WHERE s.id = merge;
  RETURN NULL;
END
$_$;

ALTER FUNCTION app.undo_merge(merge uuid) OWNER TO gardenos_owner;

CREATE FUNCTION app.unexplained(rejected bytea, words text[]) RETURNS bytea
    LANGUAGE sql STABLE
    RETURN CASE WHEN (rejected IS NOT NULL) THEN (SELECT convert_to((('['::text || COALESCE(string_agg(CASE WHEN app.says(app.spoken(p.said), unexplained.words) THEN (('['::text || COALESCE("substring"(p.said, '^\[\s*([0-9]+)'::text), '0'::text)) || ',"erased",null,"This row was erased with a person.",[]]'::text) ELSE p.said END, ','::text ORDER BY p.n), ''::text)) || ']'::text), 'UTF8'::name) AS convert_to FROM app.parts(unexplained.rejected) p(said, n)) ELSE NULL::bytea END;

ALTER FUNCTION app.unexplained(rejected bytea, words text[]) OWNER TO gardenos_owner;

CREATE FUNCTION app.unread(cells bytea, words text[]) RETURNS bytea
    LANGUAGE sql STABLE
    RETURN CASE WHEN (cells IS NOT NULL) THEN (SELECT convert_to((('['::text || COALESCE(string_agg(CASE WHEN app.says(app.spoken(p.said), unread.words) THEN 'null'::text ELSE p.said END, ','::text ORDER BY p.n), ''::text)) || ']'::text), 'UTF8'::name) AS convert_to FROM app.parts(unread.cells) p(said, n)) ELSE NULL::bytea END;

ALTER FUNCTION app.unread(cells bytea, words text[]) OWNER TO gardenos_owner;

CREATE TABLE public.agencies (
    id uuid DEFAULT uuidv7() NOT NULL,
    name text NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    default_country text,
    duplicate_check text DEFAULT 'fuzzy'::text NOT NULL,
    CONSTRAINT agencies_default_country_check CHECK ((default_country ~ '^[A-Z]{2}$'::text)),
    CONSTRAINT agencies_duplicate_check_check CHECK ((duplicate_check = ANY (ARRAY['off'::text, 'exact'::text, 'fuzzy'::text]))),
    CONSTRAINT agencies_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 200)))
);

ALTER TABLE ONLY public.agencies FORCE ROW LEVEL SECURITY;

ALTER TABLE public.agencies OWNER TO gardenos_owner;

COMMENT ON COLUMN public.agencies.default_country IS 'Where telephone numbers without an international prefix are dialled, by ISO 3166.';

CREATE TABLE public.companies (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    external_id text,
    name text NOT NULL,
    domain text,
    industry text,
    employees integer,
    phone text,
    website text,
    street text,
    postal_code text,
    city text,
    region text,
    country text,
    notes text,
    custom jsonb DEFAULT '{}'::jsonb NOT NULL,
    owner_id uuid,
    version bigint DEFAULT 1 NOT NULL,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    name_key text GENERATED ALWAYS AS (lower(name)) STORED,
    domain_key text GENERATED ALWAYS AS (lower(domain)) STORED,
    CONSTRAINT companies_city_check CHECK ((char_length(city) <= 200)),
    CONSTRAINT companies_country_check CHECK ((char_length(country) <= 100)),
    CONSTRAINT companies_custom_check CHECK ((jsonb_typeof(custom) = 'object'::text)),
    CONSTRAINT companies_domain_check CHECK ((char_length(domain) <= 253)),
    CONSTRAINT companies_employees_check CHECK ((employees >= 0)),
    CONSTRAINT companies_external_id_check CHECK (((char_length(external_id) >= 1) AND (char_length(external_id) <= 200))),
    CONSTRAINT companies_industry_check CHECK ((char_length(industry) <= 100)),
    CONSTRAINT companies_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 200))),
    CONSTRAINT companies_notes_check CHECK ((char_length(notes) <= 20000)),
    CONSTRAINT companies_phone_check CHECK ((char_length(phone) <= 50)),
    CONSTRAINT companies_postal_code_check CHECK ((char_length(postal_code) <= 20)),
    CONSTRAINT companies_region_check CHECK ((char_length(region) <= 100)),
    CONSTRAINT companies_street_check CHECK ((char_length(street) <= 200)),
    CONSTRAINT companies_website_check CHECK ((char_length(website) <= 500))
);

ALTER TABLE ONLY public.companies FORCE ROW LEVEL SECURITY;

ALTER TABLE public.companies OWNER TO gardenos_owner;

CREATE TABLE public.contacts (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    external_id text,
    first_name text,
    last_name text,
    email text,
    phone text,
    mobile text,
    job_title text,
    company_id uuid,
    website text,
    street text,
    postal_code text,
    city text,
    region text,
    country text,
    source text,
    do_not_contact boolean DEFAULT false NOT NULL,
    notes text,
    custom jsonb DEFAULT '{}'::jsonb NOT NULL,
    owner_id uuid,
    version bigint DEFAULT 1 NOT NULL,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    last_name_key text GENERATED ALWAYS AS (lower(last_name)) STORED,
    email_key text GENERATED ALWAYS AS (lower(email)) STORED,
    CONSTRAINT contacts_city_check CHECK ((char_length(city) <= 200)),
    CONSTRAINT contacts_country_check CHECK ((char_length(country) <= 100)),
    CONSTRAINT contacts_custom_check CHECK ((jsonb_typeof(custom) = 'object'::text)),
    CONSTRAINT contacts_email_check CHECK ((char_length(email) <= 320)),
    CONSTRAINT contacts_external_id_check CHECK (((char_length(external_id) >= 1) AND (char_length(external_id) <= 200))),
    CONSTRAINT contacts_first_name_check CHECK ((char_length(first_name) <= 200)),
    CONSTRAINT contacts_job_title_check CHECK ((char_length(job_title) <= 200)),
    CONSTRAINT contacts_last_name_check CHECK ((char_length(last_name) <= 200)),
    CONSTRAINT contacts_mobile_check CHECK ((char_length(mobile) <= 50)),
    CONSTRAINT contacts_named CHECK ((num_nonnulls(first_name, last_name, email, phone, mobile, external_id) > 0)),
    CONSTRAINT contacts_notes_check CHECK ((char_length(notes) <= 20000)),
    CONSTRAINT contacts_phone_check CHECK ((char_length(phone) <= 50)),
    CONSTRAINT contacts_postal_code_check CHECK ((char_length(postal_code) <= 20)),
    CONSTRAINT contacts_region_check CHECK ((char_length(region) <= 100)),
    CONSTRAINT contacts_source_check CHECK ((char_length(source) <= 100)),
    CONSTRAINT contacts_street_check CHECK ((char_length(street) <= 200)),
    CONSTRAINT contacts_website_check CHECK ((char_length(website) <= 500))
);

ALTER TABLE ONLY public.contacts FORCE ROW LEVEL SECURITY;

ALTER TABLE public.contacts OWNER TO gardenos_owner;

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
    converted_at timestamp with time zone,
    converted_contact_id uuid,
    converted_company_id uuid,
    converted_deal_id uuid,
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

CREATE FUNCTION app.unswept(margin interval, most integer) RETURNS TABLE(agency_id uuid)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    BEGIN ATOMIC
 SELECT a.id
    FROM public.agencies a
   WHERE ((EXISTS ( SELECT
            FROM public.leads r
           WHERE ((r.agency_id = a.id) AND (r.deleted_at IS NULL) AND (r.updated_at < (now() - unswept.margin)) AND (r.updated_at > COALESCE(( SELECT s.at
                    FROM app.likeness_swept s
                   WHERE ((s.agency_id = a.id) AND (s.entity = 'leads'::text))), '-infinity'::timestamp with time zone))))) OR (EXISTS ( SELECT
            FROM public.contacts r
           WHERE ((r.agency_id = a.id) AND (r.deleted_at IS NULL) AND (r.updated_at < (now() - unswept.margin)) AND (r.updated_at > COALESCE(( SELECT s.at
                    FROM app.likeness_swept s
                   WHERE ((s.agency_id = a.id) AND (s.entity = 'contacts'::text))), '-infinity'::timestamp with time zone))))) OR (EXISTS ( SELECT
            FROM public.companies r
           WHERE ((r.agency_id = a.id) AND (r.deleted_at IS NULL) AND (r.updated_at < (now() - unswept.margin)) AND (r.updated_at > COALESCE(( SELECT s.at
                    FROM app.likeness_swept s
                   WHERE ((s.agency_id = a.id) AND (s.entity = 'companies'::text))), '-infinity'::timestamp with time zone))))))
  LIMIT unswept.most;
END;

ALTER FUNCTION app.unswept(margin interval, most integer) OWNER TO gardenos_owner;

CREATE FUNCTION app.untold(results bytea, words text[]) RETURNS bytea
    LANGUAGE sql STABLE
    RETURN CASE WHEN (results IS NOT NULL) THEN (SELECT convert_to((('['::text || COALESCE(string_agg(CASE WHEN ((p.said ~~ '%"problem":%'::text) AND app.says(app.spoken(p.said), untold.words)) THEN ((((('{"status":'::text || s.status) || COALESCE((',"id":'::text || "substring"(p.said, '"id":("[0-9a-f-]{36}")'::text)), ''::text)) || ',"problem":{"type":"urn:gardenos:problem:erased","title":"Erased","status":'::text) || s.status) || ',"detail":"What went wrong was erased with a person."}}'::text) ELSE p.said END, ','::text ORDER BY p.n), ''::text)) || ']'::text), 'UTF8'::name) AS convert_to FROM app.parts(untold.results) p(said, n), LATERAL (SELECT COALESCE("substring"(p.said, '"status":([1-5][0-9]{2})'::text), '410'::text) AS "coalesce") s(status)) ELSE NULL::bytea END;

ALTER FUNCTION app.untold(results bytea, words text[]) OWNER TO gardenos_owner;

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
  person record;
  membership record;
BEGIN
  SELECT u.is_super_admin, u.raw_app_meta_data ->> 'entered_agency' AS entered INTO person
    FROM auth.users u WHERE u.id = (event ->> 'user_id')::uuid;
  SELECT m.agency_id, m.role INTO membership
    FROM public.members m
   WHERE m.user_id = (event ->> 'user_id')::uuid
   ORDER BY m.agency_id::text IS NOT DISTINCT FROM person.entered DESC, m.created_at, m.agency_id
   LIMIT 1;
  IF NOT FOUND THEN
    RETURN event;
  END IF;
  RETURN jsonb_set(
    event, '{claims}',
    coalesce(event -> 'claims', '{}') || jsonb_build_object(
      'agency_id', membership.agency_id,
      'user_role', membership.role,
      'operator', coalesce(person.is_super_admin, false)));
END
$$;

ALTER FUNCTION public.custom_access_token_hook(event jsonb) OWNER TO gardenos_owner;

CREATE TABLE app.entities (
    name text NOT NULL,
    scoped boolean NOT NULL,
    CONSTRAINT entities_name_check CHECK ((name ~ '^[a-z][a-z_]{0,39}$'::text))
);

ALTER TABLE app.entities OWNER TO gardenos_owner;

COMMENT ON COLUMN app.entities.scoped IS 'Whether its rows have an owner; else a scope is agency or none.';

CREATE TABLE app.erased_files (
    storage_key text NOT NULL,
    erased_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE app.erased_files OWNER TO gardenos_owner;

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

CREATE TABLE app.record_count_changes (
    agency_id uuid NOT NULL,
    entity text NOT NULL,
    owner_id uuid,
    status text NOT NULL,
    n bigint NOT NULL
);

ALTER TABLE ONLY app.record_count_changes FORCE ROW LEVEL SECURITY;

ALTER TABLE app.record_count_changes OWNER TO gardenos_owner;

CREATE TABLE app.record_counts (
    agency_id uuid NOT NULL,
    entity text NOT NULL,
    owner_id uuid,
    status text NOT NULL,
    n bigint NOT NULL
);

ALTER TABLE ONLY app.record_counts FORCE ROW LEVEL SECURITY;

ALTER TABLE app.record_counts OWNER TO gardenos_owner;

COMMENT ON COLUMN app.record_counts.owner_id IS 'Whom row scopes go by: the owner, without one who made the record.';

COMMENT ON COLUMN app.record_counts.status IS 'Of leads; empty for what has none.';

CREATE TABLE app.search_documents (
    agency_id uuid NOT NULL,
    entity text NOT NULL,
    record_id uuid NOT NULL,
    owner_id uuid,
    words tsvector NOT NULL
);

ALTER TABLE ONLY app.search_documents FORCE ROW LEVEL SECURITY;

ALTER TABLE app.search_documents OWNER TO gardenos_owner;

COMMENT ON COLUMN app.search_documents.owner_id IS 'Whom row scopes go by: the owner, without one who made the record.';

COMMENT ON COLUMN app.search_documents.words IS 'A names, B addresses, C what describes it, D notes.';

CREATE TABLE app.search_words (
    agency_id uuid NOT NULL,
    word text NOT NULL
);

ALTER TABLE ONLY app.search_words FORCE ROW LEVEL SECURITY;

ALTER TABLE app.search_words OWNER TO gardenos_owner;

CREATE TABLE app.search_words_gone (
    agency_id uuid NOT NULL,
    word text NOT NULL
);

ALTER TABLE ONLY app.search_words_gone FORCE ROW LEVEL SECURITY;

ALTER TABLE app.search_words_gone OWNER TO gardenos_owner;

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

CREATE TABLE public.activities (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    kind text NOT NULL,
    lead_id uuid,
    contact_id uuid,
    company_id uuid,
    deal_id uuid,
    subject text,
    body text,
    direction text,
    outcome text,
    duration_s integer,
    details jsonb DEFAULT '{}'::jsonb NOT NULL,
    occurred_at timestamp with time zone DEFAULT now() NOT NULL,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT activities_body_check CHECK ((char_length(body) <= 20000)),
    CONSTRAINT activities_details_check CHECK ((jsonb_typeof(details) = 'object'::text)),
    CONSTRAINT activities_direction_check CHECK ((direction = ANY (ARRAY['in'::text, 'out'::text]))),
    CONSTRAINT activities_duration_s_check CHECK ((duration_s >= 0)),
    CONSTRAINT activities_kind_check CHECK ((kind = ANY (ARRAY['note'::text, 'call'::text, 'meeting'::text, 'email'::text, 'message'::text, 'agent_run'::text]))),
    CONSTRAINT activities_outcome_check CHECK ((char_length(outcome) <= 200)),
    CONSTRAINT activities_subject_check CHECK ((char_length(subject) <= 300)),
    CONSTRAINT happened_with_somebody CHECK ((num_nonnulls(lead_id, contact_id, company_id, deal_id) > 0))
);

ALTER TABLE ONLY public.activities FORCE ROW LEVEL SECURITY;

ALTER TABLE public.activities OWNER TO gardenos_owner;

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

CREATE TABLE public.attachments (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    lead_id uuid,
    contact_id uuid,
    company_id uuid,
    deal_id uuid,
    activity_id uuid,
    name text NOT NULL,
    media_type text NOT NULL,
    bytes bigint NOT NULL,
    sha256 text,
    state text DEFAULT 'pending'::text NOT NULL,
    storage_key text DEFAULT replace((gen_random_uuid())::text, '-'::text, ''::text) NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT attached_to_one_record CHECK ((num_nonnulls(lead_id, contact_id, company_id, deal_id, activity_id) = 1)),
    CONSTRAINT attachments_bytes_check CHECK ((bytes > 0)),
    CONSTRAINT attachments_media_type_check CHECK (((char_length(media_type) >= 3) AND (char_length(media_type) <= 127))),
    CONSTRAINT attachments_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 255))),
    CONSTRAINT attachments_sha256_check CHECK ((sha256 ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT attachments_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'stored'::text])))
);

ALTER TABLE ONLY public.attachments FORCE ROW LEVEL SECURITY;

ALTER TABLE public.attachments OWNER TO gardenos_owner;

COMMENT ON COLUMN public.attachments.sha256 IS 'Of what was uploaded; where it was said beforehand, what it has to be.';

CREATE TABLE public.audit_log (
    id bigint NOT NULL,
    agency_id uuid NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    actor uuid,
    actor_kind text NOT NULL,
    request_id text,
    entity text NOT NULL,
    record_id text NOT NULL,
    verb text NOT NULL,
    changes jsonb DEFAULT '{}'::jsonb NOT NULL,
    erased_at timestamp with time zone,
    CONSTRAINT audit_log_actor_kind_check CHECK ((actor_kind = ANY (ARRAY['member'::text, 'key'::text, 'agent'::text, 'system'::text]))),
    CONSTRAINT audit_log_request_id_check CHECK ((char_length(request_id) <= 64)),
    CONSTRAINT audit_log_verb_check CHECK ((verb = ANY (ARRAY['create'::text, 'update'::text, 'delete'::text, 'restore'::text, 'purge'::text, 'erase'::text])))
);

ALTER TABLE ONLY public.audit_log FORCE ROW LEVEL SECURITY;

ALTER TABLE public.audit_log OWNER TO gardenos_owner;

COMMENT ON COLUMN public.audit_log.record_id IS 'The id; of a row without one its key, joined by slashes.';

COMMENT ON COLUMN public.audit_log.changes IS '{field: [before, after]} of the fields that changed; of a create {field: after}, which costs a sixth. app.told() makes one of both.';

COMMENT ON COLUMN public.audit_log.erased_at IS 'When the values were taken out for a person; the fields stay.';

ALTER TABLE public.audit_log ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.audit_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.bulk_chunks (
    agency_id uuid NOT NULL,
    job_id uuid NOT NULL,
    number integer NOT NULL,
    operations bytea,
    results bytea,
    CONSTRAINT bulk_chunks_number_check CHECK ((number >= 0)),
    CONSTRAINT done_or_to_be_done CHECK (((operations IS NULL) <> (results IS NULL)))
);

ALTER TABLE ONLY public.bulk_chunks FORCE ROW LEVEL SECURITY;

ALTER TABLE public.bulk_chunks OWNER TO gardenos_owner;

COMMENT ON COLUMN public.bulk_chunks.operations IS 'JSON as bytes: it may hold text that no jsonb can.';

CREATE TABLE public.bulk_jobs (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    entity text NOT NULL,
    created_by uuid NOT NULL,
    role text NOT NULL,
    key_id uuid,
    scopes text[],
    task_id uuid,
    total integer NOT NULL,
    succeeded integer DEFAULT 0 NOT NULL,
    failed integer DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    CONSTRAINT bulk_jobs_entity_check CHECK ((entity ~ '^[a-z][a-z_]{0,39}$'::text)),
    CONSTRAINT bulk_jobs_failed_check CHECK ((failed >= 0)),
    CONSTRAINT bulk_jobs_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'admin'::text, 'manager'::text, 'agent'::text, 'read_only'::text]))),
    CONSTRAINT bulk_jobs_succeeded_check CHECK ((succeeded >= 0)),
    CONSTRAINT bulk_jobs_total_check CHECK ((total > 0)),
    CONSTRAINT no_more_is_done_than_there_is CHECK (((succeeded + failed) <= total))
);

ALTER TABLE ONLY public.bulk_jobs FORCE ROW LEVEL SECURITY;

ALTER TABLE public.bulk_jobs OWNER TO gardenos_owner;

COMMENT ON COLUMN public.bulk_jobs.role IS 'Of whoever sent it, at that time; so are key_id and scopes.';

CREATE TABLE public.custom_values (
    agency_id uuid NOT NULL,
    entity text NOT NULL,
    field_id uuid NOT NULL,
    record_id uuid NOT NULL,
    ordinal smallint DEFAULT 0 NOT NULL,
    slot text NOT NULL,
    text_value text,
    number_value double precision,
    date_value date,
    CONSTRAINT custom_values_slot_check CHECK ((slot = ANY (ARRAY['text'::text, 'number'::text, 'date'::text]))),
    CONSTRAINT custom_values_text_value_check CHECK ((char_length(text_value) <= 320))
);

ALTER TABLE ONLY public.custom_values FORCE ROW LEVEL SECURITY;

ALTER TABLE public.custom_values OWNER TO gardenos_owner;

COMMENT ON COLUMN public.custom_values.text_value IS 'Its first 320 characters.';

CREATE TABLE public.deal_stages (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    deal_id uuid NOT NULL,
    from_stage_id uuid,
    stage_id uuid NOT NULL,
    pipeline_id uuid NOT NULL,
    amount numeric(18,4),
    currency text,
    moved_by uuid,
    moved_at timestamp with time zone DEFAULT now() NOT NULL
);

ALTER TABLE ONLY public.deal_stages FORCE ROW LEVEL SECURITY;

ALTER TABLE public.deal_stages OWNER TO gardenos_owner;

CREATE TABLE public.deals (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    external_id text,
    name text NOT NULL,
    amount numeric(18,4),
    currency text,
    expected_close date,
    pipeline_id uuid NOT NULL,
    stage_id uuid NOT NULL,
    status text DEFAULT 'open'::text NOT NULL,
    closed_at timestamp with time zone,
    close_reason text,
    contact_id uuid,
    company_id uuid,
    lead_id uuid,
    notes text,
    custom jsonb DEFAULT '{}'::jsonb NOT NULL,
    owner_id uuid,
    version bigint DEFAULT 1 NOT NULL,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    name_key text GENERATED ALWAYS AS (lower(name)) STORED,
    CONSTRAINT an_amount_has_a_currency CHECK (((amount IS NULL) = (currency IS NULL))),
    CONSTRAINT an_end_has_a_time CHECK (((status = 'open'::text) = (closed_at IS NULL))),
    CONSTRAINT deals_amount_check CHECK ((amount >= (0)::numeric)),
    CONSTRAINT deals_close_reason_check CHECK ((char_length(close_reason) <= 500)),
    CONSTRAINT deals_currency_check CHECK ((currency ~ '^[A-Z]{3}$'::text)),
    CONSTRAINT deals_custom_check CHECK ((jsonb_typeof(custom) = 'object'::text)),
    CONSTRAINT deals_external_id_check CHECK (((char_length(external_id) >= 1) AND (char_length(external_id) <= 200))),
    CONSTRAINT deals_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 200))),
    CONSTRAINT deals_notes_check CHECK ((char_length(notes) <= 20000)),
    CONSTRAINT deals_status_check CHECK ((status = ANY (ARRAY['open'::text, 'won'::text, 'lost'::text])))
);

ALTER TABLE ONLY public.deals FORCE ROW LEVEL SECURITY;

ALTER TABLE public.deals OWNER TO gardenos_owner;

COMMENT ON COLUMN public.deals.status IS 'The kind of its stage, set with it by a trigger.';

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

CREATE TABLE public.duplicates (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    entity text NOT NULL,
    first_id uuid NOT NULL,
    second_id uuid NOT NULL,
    score double precision NOT NULL,
    reasons text[] NOT NULL,
    state text DEFAULT 'open'::text NOT NULL,
    decided_by uuid,
    decided_at timestamp with time zone,
    found_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT duplicates_entity_check CHECK ((entity = ANY (ARRAY['leads'::text, 'contacts'::text, 'companies'::text]))),
    CONSTRAINT duplicates_score_check CHECK (((score > (0)::double precision) AND (score <= (1)::double precision))),
    CONSTRAINT duplicates_state_check CHECK ((state = ANY (ARRAY['open'::text, 'dismissed'::text]))),
    CONSTRAINT each_pair_once CHECK ((first_id < second_id))
);

ALTER TABLE ONLY public.duplicates FORCE ROW LEVEL SECURITY;

ALTER TABLE public.duplicates OWNER TO gardenos_owner;

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

CREATE TABLE public.import_chunks (
    agency_id uuid NOT NULL,
    import_id uuid NOT NULL,
    number integer NOT NULL,
    first_row integer NOT NULL,
    rows integer NOT NULL,
    data bytea,
    rejected bytea,
    created uuid[],
    tagged uuid[],
    new_tags uuid[],
    undo jsonb,
    done_at timestamp with time zone,
    reverted_at timestamp with time zone,
    CONSTRAINT done_or_to_be_done CHECK (((data IS NULL) = (done_at IS NOT NULL))),
    CONSTRAINT import_chunks_first_row_check CHECK ((first_row > 0)),
    CONSTRAINT import_chunks_number_check CHECK ((number >= 0)),
    CONSTRAINT import_chunks_rows_check CHECK ((rows > 0))
);

ALTER TABLE ONLY public.import_chunks FORCE ROW LEVEL SECURITY;

ALTER TABLE public.import_chunks OWNER TO gardenos_owner;

COMMENT ON COLUMN public.import_chunks.data IS 'JSON as bytes, a list of cells for each row: it may hold text that no jsonb can.';

COMMENT ON COLUMN public.import_chunks.rejected IS 'JSON as bytes: [row, code, column, detail, cells] for each.';

COMMENT ON COLUMN public.import_chunks.undo IS 'Of records that were there: their ids, and each changed column before and after.';

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
    entity text DEFAULT 'leads'::text NOT NULL,
    state text DEFAULT 'finished'::text NOT NULL,
    format text,
    encoding text,
    delimiter text,
    headers text[] DEFAULT '{}'::text[] NOT NULL,
    options jsonb DEFAULT '{}'::jsonb NOT NULL,
    digest bytea,
    again boolean DEFAULT false NOT NULL,
    rows_total integer,
    updated integer DEFAULT 0 NOT NULL,
    tasks_enqueued integer DEFAULT 0 NOT NULL,
    removed integer DEFAULT 0 NOT NULL,
    restored integer DEFAULT 0 NOT NULL,
    kept integer DEFAULT 0 NOT NULL,
    role text,
    key_id uuid,
    scopes text[],
    task_id uuid,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    purged_at timestamp with time zone,
    CONSTRAINT all_is_read_when_finished CHECK (((state <> 'finished'::text) OR (rows_read = rows_total))),
    CONSTRAINT every_row_is_accounted_for CHECK ((rows_read = (((imported + updated) + duplicates) + rejected))),
    CONSTRAINT imports_duplicates_check CHECK ((duplicates >= 0)),
    CONSTRAINT imports_entity_check CHECK ((entity = 'leads'::text)),
    CONSTRAINT imports_format_check CHECK ((format = ANY (ARRAY['csv'::text, 'xlsx'::text, 'jsonl'::text]))),
    CONSTRAINT imports_imported_check CHECK ((imported >= 0)),
    CONSTRAINT imports_kept_check CHECK ((kept >= 0)),
    CONSTRAINT imports_options_check CHECK ((jsonb_typeof(options) = 'object'::text)),
    CONSTRAINT imports_rejected_check CHECK ((rejected >= 0)),
    CONSTRAINT imports_removed_check CHECK ((removed >= 0)),
    CONSTRAINT imports_restored_check CHECK ((restored >= 0)),
    CONSTRAINT imports_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'admin'::text, 'manager'::text, 'agent'::text, 'read_only'::text]))),
    CONSTRAINT imports_rows_read_check CHECK ((rows_read >= 0)),
    CONSTRAINT imports_rows_total_check CHECK ((rows_total >= 0)),
    CONSTRAINT imports_state_check CHECK ((state = ANY (ARRAY['staged'::text, 'running'::text, 'finished'::text, 'reverting'::text, 'reverted'::text]))),
    CONSTRAINT imports_tasks_enqueued_check CHECK ((tasks_enqueued >= 0)),
    CONSTRAINT imports_updated_check CHECK ((updated >= 0)),
    CONSTRAINT no_more_is_read_than_there_is CHECK ((rows_read <= rows_total))
);

ALTER TABLE ONLY public.imports FORCE ROW LEVEL SECURITY;

ALTER TABLE public.imports OWNER TO gardenos_owner;

COMMENT ON COLUMN public.imports.digest IS 'SHA-256 of the file as it was sent.';

COMMENT ON COLUMN public.imports.removed IS 'Of the records it made, those a revert took away; kept are those that others have worked on since.';

COMMENT ON COLUMN public.imports.role IS 'Of whoever sent it, at that time; so are key_id and scopes.';

COMMENT ON COLUMN public.imports.purged_at IS 'When its chunks went with what was rejected and what a revert needs.';

CREATE TABLE public.invitations (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    email text NOT NULL,
    role text NOT NULL,
    digest bytea NOT NULL,
    invited_by uuid,
    expires_at timestamp with time zone NOT NULL,
    accepted_at timestamp with time zone,
    accepted_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT accepted_by_somebody CHECK (((accepted_at IS NULL) OR (accepted_by IS NOT NULL))),
    CONSTRAINT invitations_digest_check CHECK ((octet_length(digest) = 32)),
    CONSTRAINT invitations_email_check CHECK (((char_length(email) <= 255) AND (email = lower(email)))),
    CONSTRAINT invitations_role_check CHECK ((role = ANY (ARRAY['owner'::text, 'admin'::text, 'manager'::text, 'agent'::text, 'read_only'::text])))
);

ALTER TABLE ONLY public.invitations FORCE ROW LEVEL SECURITY;

ALTER TABLE public.invitations OWNER TO gardenos_owner;

COMMENT ON COLUMN public.invitations.digest IS 'SHA-256 of the token; never the token itself.';

CREATE TABLE public.lead_conversions (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    lead_id uuid NOT NULL,
    status_before text NOT NULL,
    contact_id uuid,
    company_id uuid,
    deal_id uuid,
    contact_version bigint,
    company_version bigint,
    deal_version bigint,
    converted_by uuid DEFAULT app.user_id(),
    converted_at timestamp with time zone DEFAULT now() NOT NULL,
    undone_by uuid,
    undone_at timestamp with time zone
);

ALTER TABLE ONLY public.lead_conversions FORCE ROW LEVEL SECURITY;

ALTER TABLE public.lead_conversions OWNER TO gardenos_owner;

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

CREATE TABLE public.merges (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    entity text NOT NULL,
    kept_id uuid NOT NULL,
    gone_id uuid NOT NULL,
    kept_before jsonb NOT NULL,
    kept_after jsonb,
    gone_before jsonb NOT NULL,
    moved jsonb DEFAULT '{}'::jsonb NOT NULL,
    dropped jsonb DEFAULT '[]'::jsonb NOT NULL,
    merged_by uuid NOT NULL,
    merged_at timestamp with time zone DEFAULT now() NOT NULL,
    undone_by uuid,
    undone_at timestamp with time zone,
    CONSTRAINT merges_check CHECK ((gone_id <> kept_id)),
    CONSTRAINT merges_entity_check CHECK ((entity = ANY (ARRAY['leads'::text, 'contacts'::text, 'companies'::text])))
);

ALTER TABLE ONLY public.merges FORCE ROW LEVEL SECURITY;

ALTER TABLE public.merges OWNER TO gardenos_owner;

COMMENT ON COLUMN public.merges.moved IS 'The rows that referred to the record that went: ids, by table and column.';

COMMENT ON COLUMN public.merges.dropped IS 'Tags that both carried, as they stood on the one that went.';

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

CREATE TABLE public.pipelines (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    name text NOT NULL,
    is_default boolean DEFAULT false NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    name_key text GENERATED ALWAYS AS (lower(name)) STORED,
    CONSTRAINT pipelines_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 200)))
);

ALTER TABLE ONLY public.pipelines FORCE ROW LEVEL SECURITY;

ALTER TABLE public.pipelines OWNER TO gardenos_owner;

CREATE TABLE public.stages (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    pipeline_id uuid NOT NULL,
    name text NOT NULL,
    kind text DEFAULT 'open'::text NOT NULL,
    probability smallint DEFAULT 50 NOT NULL,
    "position" integer NOT NULL,
    CONSTRAINT ends_are_certain CHECK (((kind = 'open'::text) OR (probability =
CASE kind
    WHEN 'won'::text THEN 100
    ELSE 0
END))),
    CONSTRAINT stages_kind_check CHECK ((kind = ANY (ARRAY['open'::text, 'won'::text, 'lost'::text]))),
    CONSTRAINT stages_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 200))),
    CONSTRAINT stages_position_check CHECK (("position" >= 0)),
    CONSTRAINT stages_probability_check CHECK (((probability >= 0) AND (probability <= 100)))
);

ALTER TABLE ONLY public.stages FORCE ROW LEVEL SECURITY;

ALTER TABLE public.stages OWNER TO gardenos_owner;

CREATE TABLE public.taggings (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    tag_id uuid NOT NULL,
    lead_id uuid,
    contact_id uuid,
    company_id uuid,
    deal_id uuid,
    task_id uuid,
    created_by uuid DEFAULT app.user_id(),
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT one_record_is_tagged CHECK ((num_nonnulls(lead_id, contact_id, company_id, deal_id, task_id) = 1))
);

ALTER TABLE ONLY public.taggings FORCE ROW LEVEL SECURITY;

ALTER TABLE public.taggings OWNER TO gardenos_owner;

CREATE TABLE public.tags (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    name text NOT NULL,
    color text,
    version bigint DEFAULT 1 NOT NULL,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    name_key text GENERATED ALWAYS AS (lower(name)) STORED,
    CONSTRAINT tags_color_check CHECK ((color ~ '^#[0-9a-f]{6}$'::text)),
    CONSTRAINT tags_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 50)))
);

ALTER TABLE ONLY public.tags FORCE ROW LEVEL SECURITY;

ALTER TABLE public.tags OWNER TO gardenos_owner;

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

CREATE TABLE public.tasks (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    title text NOT NULL,
    description text,
    status text DEFAULT 'open'::text NOT NULL,
    priority text DEFAULT 'normal'::text NOT NULL,
    due_at timestamp with time zone,
    completed_at timestamp with time zone,
    assignee_id uuid,
    lead_id uuid,
    contact_id uuid,
    company_id uuid,
    deal_id uuid,
    custom jsonb DEFAULT '{}'::jsonb NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT done_has_a_time CHECK (((status = 'done'::text) = (completed_at IS NOT NULL))),
    CONSTRAINT tasks_custom_check CHECK ((jsonb_typeof(custom) = 'object'::text)),
    CONSTRAINT tasks_description_check CHECK ((char_length(description) <= 20000)),
    CONSTRAINT tasks_priority_check CHECK ((priority = ANY (ARRAY['low'::text, 'normal'::text, 'high'::text]))),
    CONSTRAINT tasks_status_check CHECK ((status = ANY (ARRAY['open'::text, 'done'::text, 'cancelled'::text]))),
    CONSTRAINT tasks_title_check CHECK (((char_length(title) >= 1) AND (char_length(title) <= 300)))
);

ALTER TABLE ONLY public.tasks FORCE ROW LEVEL SECURITY;

ALTER TABLE public.tasks OWNER TO gardenos_owner;

CREATE TABLE public.teams (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    name text NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT teams_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 200)))
);

ALTER TABLE ONLY public.teams FORCE ROW LEVEL SECURITY;

ALTER TABLE public.teams OWNER TO gardenos_owner;

CREATE TABLE public.views (
    id uuid DEFAULT uuidv7() NOT NULL,
    agency_id uuid NOT NULL,
    entity text NOT NULL,
    name text NOT NULL,
    shared boolean DEFAULT false NOT NULL,
    filters jsonb DEFAULT '{}'::jsonb NOT NULL,
    sort jsonb DEFAULT '[]'::jsonb NOT NULL,
    columns jsonb DEFAULT '[]'::jsonb NOT NULL,
    version bigint DEFAULT 1 NOT NULL,
    created_by uuid,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    deleted_at timestamp with time zone,
    CONSTRAINT views_columns_check CHECK ((jsonb_typeof(columns) = 'array'::text)),
    CONSTRAINT views_entity_check CHECK ((entity ~ '^[a-z][a-z_]{0,39}$'::text)),
    CONSTRAINT views_filters_check CHECK ((jsonb_typeof(filters) = 'object'::text)),
    CONSTRAINT views_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 200))),
    CONSTRAINT views_sort_check CHECK ((jsonb_typeof(sort) = 'array'::text))
);

ALTER TABLE ONLY public.views FORCE ROW LEVEL SECURITY;

ALTER TABLE public.views OWNER TO gardenos_owner;

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

ALTER TABLE ONLY app.default_permissions
    ADD CONSTRAINT default_permissions_pkey PRIMARY KEY (role, entity, verb);

ALTER TABLE ONLY app.entities
    ADD CONSTRAINT entities_pkey PRIMARY KEY (name);

ALTER TABLE ONLY app.erased_files
    ADD CONSTRAINT erased_files_pkey PRIMARY KEY (storage_key);

ALTER TABLE ONLY app.feed
    ADD CONSTRAINT feed_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY app.likeness_keys
    ADD CONSTRAINT likeness_keys_pkey PRIMARY KEY (agency_id, entity, key, record_id);

ALTER TABLE ONLY app.likeness_swept
    ADD CONSTRAINT likeness_swept_pkey PRIMARY KEY (agency_id, entity);

ALTER TABLE ONLY app.migrations
    ADD CONSTRAINT migrations_pkey PRIMARY KEY (number);

ALTER TABLE ONLY app.rate_buckets
    ADD CONSTRAINT rate_buckets_pkey PRIMARY KEY (subject);

ALTER TABLE ONLY app.record_counts
    ADD CONSTRAINT record_counts_agency_id_entity_owner_id_status_key UNIQUE NULLS NOT DISTINCT (agency_id, entity, owner_id, status);

ALTER TABLE ONLY app.search_documents
    ADD CONSTRAINT search_documents_pkey PRIMARY KEY (agency_id, entity, record_id);

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

ALTER TABLE ONLY public.activities
    ADD CONSTRAINT activities_agency_id_id_key UNIQUE (agency_id, id);

ALTER TABLE ONLY public.activities
    ADD CONSTRAINT activities_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.agencies
    ADD CONSTRAINT agencies_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.agent_overrides
    ADD CONSTRAINT agent_overrides_pkey PRIMARY KEY (agent_type);

ALTER TABLE ONLY public.agent_tasks
    ADD CONSTRAINT agent_tasks_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT attachments_agency_id_id_key UNIQUE (agency_id, id);

ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT attachments_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT attachments_storage_key_key UNIQUE (storage_key);

ALTER TABLE ONLY public.audit_log
    ADD CONSTRAINT audit_log_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.bulk_chunks
    ADD CONSTRAINT bulk_chunks_pkey PRIMARY KEY (agency_id, job_id, number);

ALTER TABLE ONLY public.bulk_jobs
    ADD CONSTRAINT bulk_jobs_agency_id_id_key UNIQUE (agency_id, id);

ALTER TABLE ONLY public.bulk_jobs
    ADD CONSTRAINT bulk_jobs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.companies
    ADD CONSTRAINT companies_agency_id_id_key UNIQUE (agency_id, id);

ALTER TABLE ONLY public.companies
    ADD CONSTRAINT companies_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.contacts
    ADD CONSTRAINT contacts_agency_id_id_key UNIQUE (agency_id, id);

ALTER TABLE ONLY public.contacts
    ADD CONSTRAINT contacts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.custom_fields
    ADD CONSTRAINT custom_fields_agency_id_id_key UNIQUE (agency_id, id);

ALTER TABLE ONLY public.custom_fields
    ADD CONSTRAINT custom_fields_key_key UNIQUE (agency_id, entity, key);

ALTER TABLE ONLY public.custom_fields
    ADD CONSTRAINT custom_fields_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.custom_values
    ADD CONSTRAINT custom_values_pkey PRIMARY KEY (record_id, field_id, ordinal);

ALTER TABLE ONLY public.deal_stages
    ADD CONSTRAINT deal_stages_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.deals
    ADD CONSTRAINT deals_agency_id_id_key UNIQUE (agency_id, id);

ALTER TABLE ONLY public.deals
    ADD CONSTRAINT deals_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.dispatch_limits
    ADD CONSTRAINT dispatch_limits_agency_id_agent_type_key UNIQUE NULLS NOT DISTINCT (agency_id, agent_type);

ALTER TABLE ONLY public.dispatch_limits
    ADD CONSTRAINT dispatch_limits_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.dispatch_pauses
    ADD CONSTRAINT dispatch_pauses_agency_id_agent_type_key UNIQUE NULLS NOT DISTINCT (agency_id, agent_type);

ALTER TABLE ONLY public.dispatch_pauses
    ADD CONSTRAINT dispatch_pauses_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.duplicates
    ADD CONSTRAINT duplicates_agency_id_entity_first_id_second_id_key UNIQUE (agency_id, entity, first_id, second_id);

ALTER TABLE ONLY public.duplicates
    ADD CONSTRAINT duplicates_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.field_masks
    ADD CONSTRAINT field_masks_pkey PRIMARY KEY (agency_id, role, entity, field);

ALTER TABLE ONLY public.follow_ups
    ADD CONSTRAINT follow_ups_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.follow_ups
    ADD CONSTRAINT follow_ups_task_id_key UNIQUE (task_id);

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (agency_id, key);

ALTER TABLE ONLY public.import_chunks
    ADD CONSTRAINT import_chunks_pkey PRIMARY KEY (agency_id, import_id, number);

ALTER TABLE ONLY public.imports
    ADD CONSTRAINT imports_agency_id_id_key UNIQUE (agency_id, id);

ALTER TABLE ONLY public.imports
    ADD CONSTRAINT imports_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_digest_key UNIQUE (digest);

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.lead_conversions
    ADD CONSTRAINT lead_conversions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.lead_scores
    ADD CONSTRAINT lead_scores_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.lead_scores
    ADD CONSTRAINT lead_scores_task_id_key UNIQUE (task_id);

ALTER TABLE ONLY public.leads
    ADD CONSTRAINT leads_agency_id_id_key UNIQUE (agency_id, id);

ALTER TABLE ONLY public.leads
    ADD CONSTRAINT leads_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.llm_calls
    ADD CONSTRAINT llm_calls_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.llm_spend
    ADD CONSTRAINT llm_spend_pkey PRIMARY KEY (agency_id, month);

ALTER TABLE ONLY public.members
    ADD CONSTRAINT members_pkey PRIMARY KEY (agency_id, user_id);

ALTER TABLE ONLY public.merges
    ADD CONSTRAINT merges_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.operator_actions
    ADD CONSTRAINT operator_actions_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.orchestrator_lease
    ADD CONSTRAINT orchestrator_lease_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY public.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (seq);

ALTER TABLE ONLY public.permissions
    ADD CONSTRAINT permissions_pkey PRIMARY KEY (agency_id, role, entity, verb);

ALTER TABLE ONLY public.pipelines
    ADD CONSTRAINT pipelines_agency_id_id_key UNIQUE (agency_id, id);

ALTER TABLE ONLY public.pipelines
    ADD CONSTRAINT pipelines_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.stages
    ADD CONSTRAINT stages_agency_id_pipeline_id_id_key UNIQUE (agency_id, pipeline_id, id);

ALTER TABLE ONLY public.stages
    ADD CONSTRAINT stages_pipeline_id_position_key UNIQUE (pipeline_id, "position") DEFERRABLE INITIALLY DEFERRED;

ALTER TABLE ONLY public.stages
    ADD CONSTRAINT stages_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.taggings
    ADD CONSTRAINT taggings_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.tags
    ADD CONSTRAINT tags_agency_id_id_key UNIQUE (agency_id, id);

ALTER TABLE ONLY public.tags
    ADD CONSTRAINT tags_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.task_schedules
    ADD CONSTRAINT task_schedules_agency_id_name_key UNIQUE (agency_id, name);

ALTER TABLE ONLY public.task_schedules
    ADD CONSTRAINT task_schedules_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_agency_id_id_key UNIQUE (agency_id, id);

ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_pkey PRIMARY KEY (agency_id, team_id, user_id);

ALTER TABLE ONLY public.teams
    ADD CONSTRAINT teams_agency_id_id_key UNIQUE (agency_id, id);

ALTER TABLE ONLY public.teams
    ADD CONSTRAINT teams_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.views
    ADD CONSTRAINT views_agency_id_id_key UNIQUE (agency_id, id);

ALTER TABLE ONLY public.views
    ADD CONSTRAINT views_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_webhook_id_seq_key UNIQUE (webhook_id, seq);

ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT webhooks_agency_id_id_key UNIQUE (agency_id, id);

ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT webhooks_pkey PRIMARY KEY (id);

CREATE INDEX likeness_keys_record_idx ON app.likeness_keys USING btree (agency_id, entity, record_id);

CREATE INDEX rate_buckets_at_idx ON app.rate_buckets USING btree (at);

CREATE INDEX record_count_changes_idx ON app.record_count_changes USING btree (agency_id, entity);

CREATE INDEX search_documents_words_idx ON app.search_documents USING gin (words);

CREATE INDEX search_words_gone_idx ON app.search_words_gone USING btree (agency_id, word);

CREATE INDEX search_words_idx ON app.search_words USING btree (agency_id, word);

CREATE INDEX search_words_like_idx ON app.search_words USING gin (agency_id, word app.gin_trgm_ops);

CREATE INDEX sign_in_attempts_until_idx ON app.sign_in_attempts USING btree (until);

CREATE INDEX identities_user_id_idx ON auth.identities USING btree (user_id);

CREATE INDEX refresh_tokens_parent_idx ON auth.refresh_tokens USING btree (parent);

CREATE INDEX refresh_tokens_session_id_revoked_idx ON auth.refresh_tokens USING btree (session_id, revoked);

CREATE INDEX sessions_user_id_idx ON auth.sessions USING btree (user_id);

CREATE UNIQUE INDEX users_email_partial_key ON auth.users USING btree (email) WHERE (is_sso_user = false);

CREATE INDEX activities_company_idx ON public.activities USING btree (agency_id, company_id, occurred_at DESC, id DESC) WHERE (company_id IS NOT NULL);

CREATE INDEX activities_contact_idx ON public.activities USING btree (agency_id, contact_id, occurred_at DESC, id DESC) WHERE (contact_id IS NOT NULL);

CREATE INDEX activities_deal_idx ON public.activities USING btree (agency_id, deal_id, occurred_at DESC, id DESC) WHERE (deal_id IS NOT NULL);

CREATE INDEX activities_lead_idx ON public.activities USING btree (agency_id, lead_id, occurred_at DESC, id DESC) WHERE (lead_id IS NOT NULL);

CREATE INDEX activities_occurred_idx ON public.activities USING btree (agency_id, occurred_at DESC, id DESC) INCLUDE (kind);

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

CREATE INDEX attachments_activity_id_idx ON public.attachments USING btree (agency_id, activity_id, id DESC) WHERE (activity_id IS NOT NULL);

CREATE INDEX attachments_company_id_idx ON public.attachments USING btree (agency_id, company_id, id DESC) WHERE (company_id IS NOT NULL);

CREATE INDEX attachments_contact_id_idx ON public.attachments USING btree (agency_id, contact_id, id DESC) WHERE (contact_id IS NOT NULL);

CREATE INDEX attachments_created_idx ON public.attachments USING btree (agency_id, created_at DESC, id DESC) WHERE (deleted_at IS NULL);

CREATE INDEX attachments_deal_id_idx ON public.attachments USING btree (agency_id, deal_id, id DESC) WHERE (deal_id IS NOT NULL);

CREATE INDEX attachments_deleted_idx ON public.attachments USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);

CREATE INDEX attachments_lead_id_idx ON public.attachments USING btree (agency_id, lead_id, id DESC) WHERE (lead_id IS NOT NULL);

CREATE INDEX audit_log_at_idx ON public.audit_log USING btree (agency_id, at DESC, id DESC);

CREATE INDEX audit_log_record_idx ON public.audit_log USING btree (agency_id, record_id, at DESC, id DESC);

CREATE INDEX bulk_jobs_age_idx ON public.bulk_jobs USING btree (COALESCE(finished_at, created_at));

CREATE INDEX bulk_jobs_agency_idx ON public.bulk_jobs USING btree (agency_id, id DESC);

CREATE INDEX companies_created_idx ON public.companies USING btree (agency_id, created_at DESC, id DESC) WHERE (deleted_at IS NULL);

CREATE INDEX companies_deleted_idx ON public.companies USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);

CREATE INDEX companies_domain_idx ON public.companies USING btree (agency_id, domain_key) WHERE (domain_key IS NOT NULL);

CREATE UNIQUE INDEX companies_external_id_key ON public.companies USING btree (agency_id, external_id) WHERE (external_id IS NOT NULL);

CREATE INDEX companies_name_idx ON public.companies USING btree (agency_id, name_key, id) WHERE (deleted_at IS NULL);

CREATE INDEX companies_owner_idx ON public.companies USING btree (agency_id, owner_id, created_at DESC, id DESC) WHERE (owner_id IS NOT NULL);

CREATE INDEX companies_updated_idx ON public.companies USING btree (agency_id, updated_at DESC, id DESC) WHERE (deleted_at IS NULL);

CREATE INDEX contacts_company_idx ON public.contacts USING btree (agency_id, company_id, created_at DESC, id DESC) WHERE (company_id IS NOT NULL);

CREATE INDEX contacts_created_idx ON public.contacts USING btree (agency_id, created_at DESC, id DESC) WHERE (deleted_at IS NULL);

CREATE INDEX contacts_deleted_idx ON public.contacts USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);

CREATE INDEX contacts_email_idx ON public.contacts USING btree (agency_id, email_key) WHERE (email_key IS NOT NULL);

CREATE UNIQUE INDEX contacts_external_id_key ON public.contacts USING btree (agency_id, external_id) WHERE (external_id IS NOT NULL);

CREATE INDEX contacts_last_name_idx ON public.contacts USING btree (agency_id, last_name_key, id) WHERE (deleted_at IS NULL);

CREATE INDEX contacts_owner_idx ON public.contacts USING btree (agency_id, owner_id, created_at DESC, id DESC) WHERE (owner_id IS NOT NULL);

CREATE INDEX contacts_updated_idx ON public.contacts USING btree (agency_id, updated_at DESC, id DESC) WHERE (deleted_at IS NULL);

CREATE INDEX custom_fields_created_idx ON public.custom_fields USING btree (agency_id, created_at DESC, id DESC);

CREATE INDEX custom_values_date_idx ON public.custom_values USING btree (agency_id, field_id, date_value, record_id) WHERE (slot = 'date'::text);

CREATE INDEX custom_values_number_idx ON public.custom_values USING btree (agency_id, field_id, number_value, record_id) WHERE (slot = 'number'::text);

CREATE INDEX custom_values_text_idx ON public.custom_values USING btree (agency_id, field_id, text_value, record_id) WHERE (slot = 'text'::text);

CREATE INDEX deal_stages_deal_idx ON public.deal_stages USING btree (agency_id, deal_id, id);

CREATE INDEX deals_board_idx ON public.deals USING btree (agency_id, pipeline_id, stage_id, id DESC) INCLUDE (amount, currency, owner_id, created_by) WHERE (deleted_at IS NULL);

CREATE INDEX deals_close_idx ON public.deals USING btree (agency_id, expected_close, id) WHERE ((deleted_at IS NULL) AND (status = 'open'::text));

CREATE INDEX deals_company_idx ON public.deals USING btree (agency_id, company_id) WHERE (company_id IS NOT NULL);

CREATE INDEX deals_contact_idx ON public.deals USING btree (agency_id, contact_id) WHERE (contact_id IS NOT NULL);

CREATE INDEX deals_created_idx ON public.deals USING btree (agency_id, created_at DESC, id DESC) WHERE (deleted_at IS NULL);

CREATE INDEX deals_deleted_idx ON public.deals USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);

CREATE UNIQUE INDEX deals_external_id_key ON public.deals USING btree (agency_id, external_id) WHERE (external_id IS NOT NULL);

CREATE INDEX deals_owner_idx ON public.deals USING btree (agency_id, owner_id, created_at DESC, id DESC) WHERE (owner_id IS NOT NULL);

CREATE INDEX deals_status_idx ON public.deals USING btree (agency_id, status, closed_at) INCLUDE (stage_id, amount, currency, expected_close, owner_id, created_by) WHERE (deleted_at IS NULL);

CREATE INDEX deals_updated_idx ON public.deals USING btree (agency_id, updated_at DESC, id DESC) WHERE (deleted_at IS NULL);

CREATE INDEX duplicates_open_idx ON public.duplicates USING btree (agency_id, entity, id DESC) WHERE (state = 'open'::text);

CREATE INDEX duplicates_second_idx ON public.duplicates USING btree (agency_id, entity, second_id);

CREATE INDEX follow_ups_lead_idx ON public.follow_ups USING btree (agency_id, lead_id, id DESC);

CREATE INDEX idempotency_keys_age_idx ON public.idempotency_keys USING btree (created_at);

CREATE INDEX import_chunks_waiting_idx ON public.import_chunks USING btree (agency_id, import_id, number) WHERE (done_at IS NULL);

CREATE INDEX imports_age_idx ON public.imports USING btree (COALESCE(finished_at, created_at)) WHERE (purged_at IS NULL);

CREATE INDEX imports_agency_idx ON public.imports USING btree (agency_id, id DESC);

CREATE UNIQUE INDEX imports_file_key ON public.imports USING btree (agency_id, digest) WHERE ((digest IS NOT NULL) AND (NOT again) AND (state = ANY (ARRAY['running'::text, 'finished'::text])));

CREATE UNIQUE INDEX invitations_open_key ON public.invitations USING btree (agency_id, email) WHERE (accepted_at IS NULL);

CREATE UNIQUE INDEX lead_conversions_standing_key ON public.lead_conversions USING btree (agency_id, lead_id) WHERE (undone_at IS NULL);

CREATE INDEX lead_scores_lead_idx ON public.lead_scores USING btree (agency_id, lead_id, id DESC);

CREATE INDEX leads_city_idx ON public.leads USING btree (agency_id, city) WHERE ((city IS NOT NULL) AND (deleted_at IS NULL));

CREATE INDEX leads_company_idx ON public.leads USING btree (agency_id, company) WHERE ((company IS NOT NULL) AND (deleted_at IS NULL));

CREATE INDEX leads_converted_company_idx ON public.leads USING btree (agency_id, converted_company_id) WHERE (converted_company_id IS NOT NULL);

CREATE INDEX leads_converted_contact_idx ON public.leads USING btree (agency_id, converted_contact_id) WHERE (converted_contact_id IS NOT NULL);

CREATE INDEX leads_converted_deal_idx ON public.leads USING btree (agency_id, converted_deal_id) WHERE (converted_deal_id IS NOT NULL);

CREATE INDEX leads_created_idx ON public.leads USING btree (agency_id, created_at DESC, id DESC) INCLUDE (owner_id, created_by) WHERE (deleted_at IS NULL);

CREATE INDEX leads_deleted_idx ON public.leads USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);

CREATE INDEX leads_email_idx ON public.leads USING btree (agency_id, email_key) WHERE (email_key IS NOT NULL);

CREATE UNIQUE INDEX leads_external_id_key ON public.leads USING btree (agency_id, external_id) WHERE (external_id IS NOT NULL);

CREATE INDEX leads_owner_idx ON public.leads USING btree (agency_id, owner_id, created_at DESC, id DESC) WHERE (owner_id IS NOT NULL);

CREATE INDEX leads_score_idx ON public.leads USING btree (agency_id, score_rank DESC, id DESC) WHERE (deleted_at IS NULL);

CREATE INDEX leads_status_idx ON public.leads USING btree (agency_id, status, created_at DESC, id DESC) WHERE (deleted_at IS NULL);

CREATE INDEX leads_updated_idx ON public.leads USING btree (agency_id, updated_at DESC, id DESC) WHERE (deleted_at IS NULL);

CREATE INDEX llm_calls_agency_idx ON public.llm_calls USING btree (agency_id, id DESC);

CREATE INDEX llm_calls_recent_idx ON public.llm_calls USING btree (agency_id, created_at) INCLUDE (agent_type, input_tokens, output_tokens);

CREATE INDEX members_user_id_idx ON public.members USING btree (user_id);

CREATE INDEX merges_gone_idx ON public.merges USING btree (agency_id, gone_id);

CREATE INDEX merges_kept_idx ON public.merges USING btree (agency_id, kept_id);

CREATE INDEX outbox_agency_idx ON public.outbox USING btree (agency_id, txid, seq);

CREATE INDEX outbox_at_idx ON public.outbox USING brin (at);

CREATE INDEX outbox_txid_idx ON public.outbox USING btree (txid, seq);

CREATE UNIQUE INDEX pipelines_default_key ON public.pipelines USING btree (agency_id) WHERE (is_default AND (deleted_at IS NULL));

CREATE INDEX pipelines_deleted_idx ON public.pipelines USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);

CREATE UNIQUE INDEX pipelines_name_key ON public.pipelines USING btree (agency_id, name_key) WHERE (deleted_at IS NULL);

CREATE UNIQUE INDEX stages_name_key ON public.stages USING btree (pipeline_id, lower(name));

CREATE INDEX taggings_companies_idx ON public.taggings USING btree (agency_id, tag_id, company_id) WHERE (company_id IS NOT NULL);

CREATE UNIQUE INDEX taggings_company_id_key ON public.taggings USING btree (agency_id, company_id, tag_id) WHERE (company_id IS NOT NULL);

CREATE UNIQUE INDEX taggings_contact_id_key ON public.taggings USING btree (agency_id, contact_id, tag_id) WHERE (contact_id IS NOT NULL);

CREATE INDEX taggings_contacts_idx ON public.taggings USING btree (agency_id, tag_id, contact_id) WHERE (contact_id IS NOT NULL);

CREATE UNIQUE INDEX taggings_deal_id_key ON public.taggings USING btree (agency_id, deal_id, tag_id) WHERE (deal_id IS NOT NULL);

CREATE INDEX taggings_deals_idx ON public.taggings USING btree (agency_id, tag_id, deal_id) WHERE (deal_id IS NOT NULL);

CREATE UNIQUE INDEX taggings_lead_id_key ON public.taggings USING btree (agency_id, lead_id, tag_id) WHERE (lead_id IS NOT NULL);

CREATE INDEX taggings_leads_idx ON public.taggings USING btree (agency_id, tag_id, lead_id) WHERE (lead_id IS NOT NULL);

CREATE INDEX taggings_tag_idx ON public.taggings USING btree (agency_id, tag_id);

CREATE UNIQUE INDEX taggings_task_id_key ON public.taggings USING btree (agency_id, task_id, tag_id) WHERE (task_id IS NOT NULL);

CREATE INDEX taggings_tasks_idx ON public.taggings USING btree (agency_id, tag_id, task_id) WHERE (task_id IS NOT NULL);

CREATE INDEX tags_deleted_idx ON public.tags USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);

CREATE UNIQUE INDEX tags_name_key ON public.tags USING btree (agency_id, name_key) WHERE (deleted_at IS NULL);

CREATE INDEX task_schedules_due_idx ON public.task_schedules USING btree (next_run_at) WHERE enabled;

CREATE INDEX tasks_assignee_idx ON public.tasks USING btree (agency_id, assignee_id, due_at, id) WHERE ((deleted_at IS NULL) AND (status = 'open'::text));

CREATE INDEX tasks_company_idx ON public.tasks USING btree (agency_id, company_id) WHERE (company_id IS NOT NULL);

CREATE INDEX tasks_contact_idx ON public.tasks USING btree (agency_id, contact_id) WHERE (contact_id IS NOT NULL);

CREATE INDEX tasks_created_idx ON public.tasks USING btree (agency_id, created_at DESC, id DESC) WHERE (deleted_at IS NULL);

CREATE INDEX tasks_deal_idx ON public.tasks USING btree (agency_id, deal_id) WHERE (deal_id IS NOT NULL);

CREATE INDEX tasks_deleted_idx ON public.tasks USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);

CREATE INDEX tasks_due_idx ON public.tasks USING btree (agency_id, due_at, id) INCLUDE (assignee_id, created_by) WHERE ((deleted_at IS NULL) AND (status = 'open'::text));

CREATE INDEX tasks_lead_idx ON public.tasks USING btree (agency_id, lead_id) WHERE (lead_id IS NOT NULL);

CREATE INDEX tasks_updated_idx ON public.tasks USING btree (agency_id, updated_at DESC, id DESC) WHERE (deleted_at IS NULL);

CREATE INDEX team_members_user_idx ON public.team_members USING btree (agency_id, user_id);

CREATE UNIQUE INDEX teams_name_key ON public.teams USING btree (agency_id, lower(name));

CREATE INDEX views_created_idx ON public.views USING btree (agency_id, created_at DESC, id DESC) WHERE (deleted_at IS NULL);

CREATE INDEX views_deleted_idx ON public.views USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);

CREATE INDEX webhook_deliveries_age_idx ON public.webhook_deliveries USING brin (created_at);

CREATE INDEX webhook_deliveries_agency_idx ON public.webhook_deliveries USING btree (agency_id, webhook_id, id DESC);

CREATE INDEX webhooks_agency_idx ON public.webhooks USING btree (agency_id, id DESC);

CREATE TRIGGER activities_guard_inserts AFTER INSERT ON public.activities REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.guard_inserts('activities');

CREATE TRIGGER activities_record_deletes AFTER DELETE ON public.activities REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('activities', 'agency_id', '{id}', '{subject,body,details,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER activities_record_inserts AFTER INSERT ON public.activities REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('activities', 'agency_id', '{id}', '{subject,body,details,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER activities_record_updates AFTER UPDATE ON public.activities REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('activities', 'agency_id', '{id}', '{subject,body,details,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER activities_search_delete AFTER DELETE ON public.activities REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.activities_search_delete();

CREATE TRIGGER activities_search_insert AFTER INSERT ON public.activities REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.activities_search_insert();

CREATE TRIGGER activities_search_update AFTER UPDATE ON public.activities FOR EACH ROW WHEN ((((old.subject IS DISTINCT FROM new.subject) OR (old.outcome IS DISTINCT FROM new.outcome)) OR (old.body IS DISTINCT FROM new.body))) EXECUTE FUNCTION app.activities_search_update();

CREATE TRIGGER agencies_record_deletes AFTER DELETE ON public.agencies REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('agencies', 'id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER agencies_record_inserts AFTER INSERT ON public.agencies REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('agencies', 'id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER agencies_record_updates AFTER UPDATE ON public.agencies REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('agencies', 'id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER agencies_touch BEFORE UPDATE ON public.agencies FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER agent_tasks_cancel BEFORE UPDATE ON public.agent_tasks FOR EACH ROW WHEN (((new.state = 'queued'::text) AND (new.cancel_requested_at IS NOT NULL))) EXECUTE FUNCTION app.end_cancelled_task();

CREATE TRIGGER api_keys_record_deletes AFTER DELETE ON public.api_keys REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('api_keys', 'agency_id', '{id}', '{digest,last_used_at,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER api_keys_record_inserts AFTER INSERT ON public.api_keys REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('api_keys', 'agency_id', '{id}', '{digest,last_used_at,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER api_keys_record_updates AFTER UPDATE ON public.api_keys REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('api_keys', 'agency_id', '{id}', '{digest,last_used_at,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER attachments_guard_changes AFTER UPDATE ON public.attachments REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.guard_changes('attachments', 'created_by');

CREATE TRIGGER attachments_guard_inserts AFTER INSERT ON public.attachments REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.guard_inserts('attachments');

CREATE TRIGGER attachments_record_deletes AFTER DELETE ON public.attachments REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('attachments', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER attachments_record_inserts AFTER INSERT ON public.attachments REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('attachments', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER attachments_record_updates AFTER UPDATE ON public.attachments REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('attachments', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER attachments_touch BEFORE UPDATE ON public.attachments FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER bulk_jobs_record_deletes AFTER DELETE ON public.bulk_jobs REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('bulk_jobs', 'agency_id', '{id}', '{task_id,succeeded,failed,started_at,finished_at,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER bulk_jobs_record_inserts AFTER INSERT ON public.bulk_jobs REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('bulk_jobs', 'agency_id', '{id}', '{task_id,succeeded,failed,started_at,finished_at,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER bulk_jobs_record_updates AFTER UPDATE ON public.bulk_jobs REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('bulk_jobs', 'agency_id', '{id}', '{task_id,succeeded,failed,started_at,finished_at,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER companies_count_deletes AFTER DELETE ON public.companies REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.count_deletes();

CREATE TRIGGER companies_count_inserts AFTER INSERT ON public.companies REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.count_inserts();

CREATE TRIGGER companies_count_update AFTER UPDATE ON public.companies FOR EACH ROW WHEN ((((old.deleted_at IS NULL) <> (new.deleted_at IS NULL)) OR (COALESCE(old.owner_id, old.created_by) IS DISTINCT FROM COALESCE(new.owner_id, new.created_by)))) EXECUTE FUNCTION app.count_update();

CREATE TRIGGER companies_drop_custom AFTER DELETE ON public.companies REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.drop_custom_values();

CREATE TRIGGER companies_forget_likeness AFTER DELETE ON public.companies REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.forget_likeness();

CREATE TRIGGER companies_guard_changes AFTER UPDATE ON public.companies REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.guard_changes('companies', 'owner_id');

CREATE TRIGGER companies_guard_inserts AFTER INSERT ON public.companies REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.guard_inserts('companies');

CREATE TRIGGER companies_keep_custom AFTER UPDATE ON public.companies REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.keep_custom_values();

CREATE TRIGGER companies_keep_new_custom AFTER INSERT ON public.companies REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.keep_custom_values();

CREATE TRIGGER companies_record_deletes AFTER DELETE ON public.companies REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('companies', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version,name_key,domain_key}');

CREATE TRIGGER companies_record_inserts AFTER INSERT ON public.companies REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('companies', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version,name_key,domain_key}');

CREATE TRIGGER companies_record_updates AFTER UPDATE ON public.companies REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('companies', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version,name_key,domain_key}');

CREATE TRIGGER companies_search_delete AFTER DELETE ON public.companies REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.companies_search_delete();

CREATE TRIGGER companies_search_insert AFTER INSERT ON public.companies REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.companies_search_insert();

CREATE TRIGGER companies_search_update AFTER UPDATE ON public.companies FOR EACH ROW WHEN ((((old.deleted_at IS NULL) <> (new.deleted_at IS NULL)) OR (COALESCE(old.owner_id, old.created_by) IS DISTINCT FROM COALESCE(new.owner_id, new.created_by)) OR (((((((((((((old.name IS DISTINCT FROM new.name) OR (old.domain IS DISTINCT FROM new.domain)) OR (old.external_id IS DISTINCT FROM new.external_id)) OR (old.phone IS DISTINCT FROM new.phone)) OR (old.industry IS DISTINCT FROM new.industry)) OR (old.street IS DISTINCT FROM new.street)) OR (old.postal_code IS DISTINCT FROM new.postal_code)) OR (old.city IS DISTINCT FROM new.city)) OR (old.region IS DISTINCT FROM new.region)) OR (old.country IS DISTINCT FROM new.country)) OR (old.website IS DISTINCT FROM new.website)) OR (old.notes IS DISTINCT FROM new.notes)) OR (old.custom IS DISTINCT FROM new.custom)))) EXECUTE FUNCTION app.companies_search_update();

CREATE TRIGGER companies_touch BEFORE UPDATE ON public.companies FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER contacts_count_deletes AFTER DELETE ON public.contacts REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.count_deletes();

CREATE TRIGGER contacts_count_inserts AFTER INSERT ON public.contacts REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.count_inserts();

CREATE TRIGGER contacts_count_update AFTER UPDATE ON public.contacts FOR EACH ROW WHEN ((((old.deleted_at IS NULL) <> (new.deleted_at IS NULL)) OR (COALESCE(old.owner_id, old.created_by) IS DISTINCT FROM COALESCE(new.owner_id, new.created_by)))) EXECUTE FUNCTION app.count_update();

CREATE TRIGGER contacts_drop_custom AFTER DELETE ON public.contacts REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.drop_custom_values();

CREATE TRIGGER contacts_forget_likeness AFTER DELETE ON public.contacts REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.forget_likeness();

CREATE TRIGGER contacts_guard_changes AFTER UPDATE ON public.contacts REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.guard_changes('contacts', 'owner_id');

CREATE TRIGGER contacts_guard_inserts AFTER INSERT ON public.contacts REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.guard_inserts('contacts');

CREATE TRIGGER contacts_keep_custom AFTER UPDATE ON public.contacts REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.keep_custom_values();

CREATE TRIGGER contacts_keep_new_custom AFTER INSERT ON public.contacts REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.keep_custom_values();

CREATE TRIGGER contacts_record_deletes AFTER DELETE ON public.contacts REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('contacts', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version,last_name_key,email_key}');

CREATE TRIGGER contacts_record_inserts AFTER INSERT ON public.contacts REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('contacts', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version,last_name_key,email_key}');

CREATE TRIGGER contacts_record_updates AFTER UPDATE ON public.contacts REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('contacts', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version,last_name_key,email_key}');

CREATE TRIGGER contacts_search_delete AFTER DELETE ON public.contacts REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.contacts_search_delete();

CREATE TRIGGER contacts_search_insert AFTER INSERT ON public.contacts REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.contacts_search_insert();

CREATE TRIGGER contacts_search_update AFTER UPDATE ON public.contacts FOR EACH ROW WHEN ((((old.deleted_at IS NULL) <> (new.deleted_at IS NULL)) OR (COALESCE(old.owner_id, old.created_by) IS DISTINCT FROM COALESCE(new.owner_id, new.created_by)) OR ((((((((((((((((old.first_name IS DISTINCT FROM new.first_name) OR (old.last_name IS DISTINCT FROM new.last_name)) OR (old.email IS DISTINCT FROM new.email)) OR (old.external_id IS DISTINCT FROM new.external_id)) OR (old.phone IS DISTINCT FROM new.phone)) OR (old.mobile IS DISTINCT FROM new.mobile)) OR (old.job_title IS DISTINCT FROM new.job_title)) OR (old.street IS DISTINCT FROM new.street)) OR (old.postal_code IS DISTINCT FROM new.postal_code)) OR (old.city IS DISTINCT FROM new.city)) OR (old.region IS DISTINCT FROM new.region)) OR (old.country IS DISTINCT FROM new.country)) OR (old.website IS DISTINCT FROM new.website)) OR (old.source IS DISTINCT FROM new.source)) OR (old.notes IS DISTINCT FROM new.notes)) OR (old.custom IS DISTINCT FROM new.custom)))) EXECUTE FUNCTION app.contacts_search_update();

CREATE TRIGGER contacts_touch BEFORE UPDATE ON public.contacts FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER custom_fields_define AFTER INSERT OR UPDATE ON public.custom_fields FOR EACH ROW EXECUTE FUNCTION app.define_custom_field();

CREATE TRIGGER custom_fields_guard_changes AFTER UPDATE ON public.custom_fields REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.guard_changes('custom_fields', '');

CREATE TRIGGER custom_fields_guard_inserts AFTER INSERT ON public.custom_fields REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.guard_inserts('custom_fields');

CREATE TRIGGER custom_fields_record_deletes AFTER DELETE ON public.custom_fields REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('custom_fields', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER custom_fields_record_inserts AFTER INSERT ON public.custom_fields REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('custom_fields', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER custom_fields_record_updates AFTER UPDATE ON public.custom_fields REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('custom_fields', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER custom_fields_touch BEFORE UPDATE ON public.custom_fields FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER deals_drop_custom AFTER DELETE ON public.deals REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.drop_custom_values();

CREATE TRIGGER deals_enter_stage BEFORE INSERT OR UPDATE OF stage_id, pipeline_id, status ON public.deals FOR EACH ROW EXECUTE FUNCTION app.enter_stage();

CREATE TRIGGER deals_guard_changes AFTER UPDATE ON public.deals REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.guard_changes('deals', 'owner_id');

CREATE TRIGGER deals_guard_inserts AFTER INSERT ON public.deals REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.guard_inserts('deals');

CREATE TRIGGER deals_keep_custom AFTER UPDATE ON public.deals REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.keep_custom_values();

CREATE TRIGGER deals_keep_new_custom AFTER INSERT ON public.deals REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.keep_custom_values();

CREATE TRIGGER deals_note_first_stage AFTER INSERT ON public.deals REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.note_stages();

CREATE TRIGGER deals_note_stages AFTER UPDATE ON public.deals REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.note_stages();

CREATE TRIGGER deals_record_deletes AFTER DELETE ON public.deals REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('deals', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version,name_key}');

CREATE TRIGGER deals_record_inserts AFTER INSERT ON public.deals REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('deals', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version,name_key}');

CREATE TRIGGER deals_record_updates AFTER UPDATE ON public.deals REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('deals', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version,name_key}');

CREATE TRIGGER deals_search_delete AFTER DELETE ON public.deals REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.deals_search_delete();

CREATE TRIGGER deals_search_insert AFTER INSERT ON public.deals REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.deals_search_insert();

CREATE TRIGGER deals_search_update AFTER UPDATE ON public.deals FOR EACH ROW WHEN ((((old.deleted_at IS NULL) <> (new.deleted_at IS NULL)) OR (COALESCE(old.owner_id, old.created_by) IS DISTINCT FROM COALESCE(new.owner_id, new.created_by)) OR (((((old.name IS DISTINCT FROM new.name) OR (old.external_id IS DISTINCT FROM new.external_id)) OR (old.close_reason IS DISTINCT FROM new.close_reason)) OR (old.notes IS DISTINCT FROM new.notes)) OR (old.custom IS DISTINCT FROM new.custom)))) EXECUTE FUNCTION app.deals_search_update();

CREATE TRIGGER deals_touch BEFORE UPDATE ON public.deals FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER duplicates_record_deletes AFTER DELETE ON public.duplicates REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('duplicates', 'agency_id', '{id}', '{score,reasons,found_at,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER duplicates_record_inserts AFTER INSERT ON public.duplicates REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('duplicates', 'agency_id', '{id}', '{score,reasons,found_at,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER duplicates_record_updates AFTER UPDATE ON public.duplicates REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('duplicates', 'agency_id', '{id}', '{score,reasons,found_at,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER field_masks_record_deletes AFTER DELETE ON public.field_masks REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('field_masks', 'agency_id', '{role,entity,field}', '{role,entity,field,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER field_masks_record_inserts AFTER INSERT ON public.field_masks REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('field_masks', 'agency_id', '{role,entity,field}', '{role,entity,field,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER field_masks_record_updates AFTER UPDATE ON public.field_masks REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('field_masks', 'agency_id', '{role,entity,field}', '{role,entity,field,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER follow_ups_record_deletes AFTER DELETE ON public.follow_ups REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('follow_ups', 'agency_id', '{id}', '{subject,body,full_message,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER follow_ups_record_inserts AFTER INSERT ON public.follow_ups REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('follow_ups', 'agency_id', '{id}', '{subject,body,full_message,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER follow_ups_record_updates AFTER UPDATE ON public.follow_ups REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('follow_ups', 'agency_id', '{id}', '{subject,body,full_message,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER imports_record_deletes AFTER DELETE ON public.imports REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('imports', 'agency_id', '{id}', '{encoding,delimiter,headers,options,digest,again,rows_total,rows_read,imported,updated,duplicates,rejected,tasks_enqueued,removed,restored,kept,role,key_id,scopes,task_id,started_at,finished_at,purged_at,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER imports_record_inserts AFTER INSERT ON public.imports REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('imports', 'agency_id', '{id}', '{encoding,delimiter,headers,options,digest,again,rows_total,rows_read,imported,updated,duplicates,rejected,tasks_enqueued,removed,restored,kept,role,key_id,scopes,task_id,started_at,finished_at,purged_at,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER imports_record_updates AFTER UPDATE ON public.imports REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('imports', 'agency_id', '{id}', '{encoding,delimiter,headers,options,digest,again,rows_total,rows_read,imported,updated,duplicates,rejected,tasks_enqueued,removed,restored,kept,role,key_id,scopes,task_id,started_at,finished_at,purged_at,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER invitations_record_deletes AFTER DELETE ON public.invitations REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('invitations', 'agency_id', '{id}', '{digest,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER invitations_record_inserts AFTER INSERT ON public.invitations REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('invitations', 'agency_id', '{id}', '{digest,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER invitations_record_updates AFTER UPDATE ON public.invitations REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('invitations', 'agency_id', '{id}', '{digest,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER lead_conversions_record_deletes AFTER DELETE ON public.lead_conversions REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('lead_conversions', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER lead_conversions_record_inserts AFTER INSERT ON public.lead_conversions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('lead_conversions', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER lead_conversions_record_updates AFTER UPDATE ON public.lead_conversions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('lead_conversions', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER leads_count_deletes AFTER DELETE ON public.leads REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.count_deletes();

CREATE TRIGGER leads_count_inserts AFTER INSERT ON public.leads REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.count_inserts();

CREATE TRIGGER leads_count_update AFTER UPDATE ON public.leads FOR EACH ROW WHEN ((((old.deleted_at IS NULL) <> (new.deleted_at IS NULL)) OR (COALESCE(old.owner_id, old.created_by) IS DISTINCT FROM COALESCE(new.owner_id, new.created_by)) OR (old.status <> new.status))) EXECUTE FUNCTION app.count_update();

CREATE TRIGGER leads_drop_custom AFTER DELETE ON public.leads REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.drop_custom_values();

CREATE TRIGGER leads_forget_likeness AFTER DELETE ON public.leads REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.forget_likeness();

CREATE TRIGGER leads_guard_changes AFTER UPDATE ON public.leads REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.guard_changes('leads', 'owner_id');

CREATE TRIGGER leads_guard_inserts AFTER INSERT ON public.leads REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.guard_inserts('leads');

CREATE TRIGGER leads_keep_custom AFTER UPDATE ON public.leads REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.keep_custom_values();

CREATE TRIGGER leads_keep_new_custom AFTER INSERT ON public.leads REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.keep_custom_values();

CREATE TRIGGER leads_record_deletes AFTER DELETE ON public.leads REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('leads', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version,email_key,score_rank}');

CREATE TRIGGER leads_record_inserts AFTER INSERT ON public.leads REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('leads', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version,email_key,score_rank}');

CREATE TRIGGER leads_record_updates AFTER UPDATE ON public.leads REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('leads', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version,email_key,score_rank}');

CREATE TRIGGER leads_search_delete AFTER DELETE ON public.leads REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.leads_search_delete();

CREATE TRIGGER leads_search_insert AFTER INSERT ON public.leads REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.leads_search_insert();

CREATE TRIGGER leads_search_update AFTER UPDATE ON public.leads FOR EACH ROW WHEN ((((old.deleted_at IS NULL) <> (new.deleted_at IS NULL)) OR (COALESCE(old.owner_id, old.created_by) IS DISTINCT FROM COALESCE(new.owner_id, new.created_by)) OR (((((((((((((old.first_name IS DISTINCT FROM new.first_name) OR (old.last_name IS DISTINCT FROM new.last_name)) OR (old.email IS DISTINCT FROM new.email)) OR (old.external_id IS DISTINCT FROM new.external_id)) OR (old.phone IS DISTINCT FROM new.phone)) OR (old.company IS DISTINCT FROM new.company)) OR (old.job_title IS DISTINCT FROM new.job_title)) OR (old.city IS DISTINCT FROM new.city)) OR (old.country IS DISTINCT FROM new.country)) OR (old.website IS DISTINCT FROM new.website)) OR (old.source IS DISTINCT FROM new.source)) OR (old.notes IS DISTINCT FROM new.notes)) OR (old.custom IS DISTINCT FROM new.custom)))) EXECUTE FUNCTION app.leads_search_update();

CREATE TRIGGER leads_touch BEFORE UPDATE ON public.leads FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER members_guard_deletes AFTER DELETE ON public.members REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.guard_members();

CREATE TRIGGER members_guard_updates AFTER UPDATE ON public.members REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.guard_members();

CREATE TRIGGER members_record_deletes AFTER DELETE ON public.members REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('members', 'agency_id', '{user_id}', '{user_id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER members_record_inserts AFTER INSERT ON public.members REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('members', 'agency_id', '{user_id}', '{user_id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER members_record_updates AFTER UPDATE ON public.members REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('members', 'agency_id', '{user_id}', '{user_id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER members_touch BEFORE UPDATE ON public.members FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER merges_record_deletes AFTER DELETE ON public.merges REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('merges', 'agency_id', '{id}', '{kept_before,kept_after,gone_before,moved,dropped,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER merges_record_inserts AFTER INSERT ON public.merges REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('merges', 'agency_id', '{id}', '{kept_before,kept_after,gone_before,moved,dropped,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER merges_record_updates AFTER UPDATE ON public.merges REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('merges', 'agency_id', '{id}', '{kept_before,kept_after,gone_before,moved,dropped,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER permissions_record_deletes AFTER DELETE ON public.permissions REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('permissions', 'agency_id', '{role,entity,verb}', '{role,entity,verb,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER permissions_record_inserts AFTER INSERT ON public.permissions REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('permissions', 'agency_id', '{role,entity,verb}', '{role,entity,verb,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER permissions_record_updates AFTER UPDATE ON public.permissions REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('permissions', 'agency_id', '{role,entity,verb}', '{role,entity,verb,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER pipelines_guard_changes AFTER UPDATE ON public.pipelines REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.guard_changes('pipelines', '');

CREATE TRIGGER pipelines_guard_inserts AFTER INSERT ON public.pipelines REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.guard_inserts('pipelines');

CREATE TRIGGER pipelines_record_deletes AFTER DELETE ON public.pipelines REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('pipelines', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version,name_key}');

CREATE TRIGGER pipelines_record_inserts AFTER INSERT ON public.pipelines REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('pipelines', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version,name_key}');

CREATE TRIGGER pipelines_record_updates AFTER UPDATE ON public.pipelines REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('pipelines', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version,name_key}');

CREATE TRIGGER pipelines_touch BEFORE UPDATE ON public.pipelines FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER stages_record_deletes AFTER DELETE ON public.stages REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('stages', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER stages_record_inserts AFTER INSERT ON public.stages REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('stages', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER stages_record_updates AFTER UPDATE ON public.stages REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('stages', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER taggings_record_deletes AFTER DELETE ON public.taggings REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('taggings', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER taggings_record_inserts AFTER INSERT ON public.taggings REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('taggings', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER taggings_record_updates AFTER UPDATE ON public.taggings REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('taggings', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER tags_guard_changes AFTER UPDATE ON public.tags REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.guard_changes('tags', '');

CREATE TRIGGER tags_guard_inserts AFTER INSERT ON public.tags REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.guard_inserts('tags');

CREATE TRIGGER tags_record_deletes AFTER DELETE ON public.tags REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('tags', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version,name_key}');

CREATE TRIGGER tags_record_inserts AFTER INSERT ON public.tags REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('tags', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version,name_key}');

CREATE TRIGGER tags_record_updates AFTER UPDATE ON public.tags REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('tags', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version,name_key}');

CREATE TRIGGER tags_touch BEFORE UPDATE ON public.tags FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER task_schedules_touch BEFORE UPDATE OF name, agent_type, payload, priority, max_retries, cron, time_zone, enabled ON public.task_schedules FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER tasks_complete BEFORE INSERT OR UPDATE OF status, completed_at ON public.tasks FOR EACH ROW EXECUTE FUNCTION app.complete_task();

CREATE TRIGGER tasks_drop_custom AFTER DELETE ON public.tasks REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.drop_custom_values();

CREATE TRIGGER tasks_guard_changes AFTER UPDATE ON public.tasks REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.guard_changes('tasks', 'assignee_id');

CREATE TRIGGER tasks_guard_inserts AFTER INSERT ON public.tasks REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.guard_inserts('tasks');

CREATE TRIGGER tasks_keep_custom AFTER UPDATE ON public.tasks REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.keep_custom_values();

CREATE TRIGGER tasks_keep_new_custom AFTER INSERT ON public.tasks REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.keep_custom_values();

CREATE TRIGGER tasks_record_deletes AFTER DELETE ON public.tasks REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('tasks', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER tasks_record_inserts AFTER INSERT ON public.tasks REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('tasks', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER tasks_record_updates AFTER UPDATE ON public.tasks REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('tasks', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER tasks_touch BEFORE UPDATE ON public.tasks FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER team_members_record_deletes AFTER DELETE ON public.team_members REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('team_members', 'agency_id', '{team_id,user_id}', '{team_id,user_id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER team_members_record_inserts AFTER INSERT ON public.team_members REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('team_members', 'agency_id', '{team_id,user_id}', '{team_id,user_id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER team_members_record_updates AFTER UPDATE ON public.team_members REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('team_members', 'agency_id', '{team_id,user_id}', '{team_id,user_id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER teams_record_deletes AFTER DELETE ON public.teams REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('teams', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER teams_record_inserts AFTER INSERT ON public.teams REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('teams', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER teams_record_updates AFTER UPDATE ON public.teams REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('teams', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER teams_touch BEFORE UPDATE ON public.teams FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER views_guard_changes AFTER UPDATE ON public.views REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.guard_changes('views', 'created_by');

CREATE TRIGGER views_guard_inserts AFTER INSERT ON public.views REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.guard_inserts('views');

CREATE TRIGGER views_record_deletes AFTER DELETE ON public.views REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('views', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER views_record_inserts AFTER INSERT ON public.views REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('views', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER views_record_updates AFTER UPDATE ON public.views REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('views', 'agency_id', '{id}', '{id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER views_touch BEFORE UPDATE ON public.views FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TRIGGER webhooks_record_deletes AFTER DELETE ON public.webhooks REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('webhooks', 'agency_id', '{id}', '{secret,old_secret,old_secret_until,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER webhooks_record_inserts AFTER INSERT ON public.webhooks REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('webhooks', 'agency_id', '{id}', '{secret,old_secret,old_secret_until,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER webhooks_record_updates AFTER UPDATE ON public.webhooks REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.record_changes('webhooks', 'agency_id', '{id}', '{secret,old_secret,old_secret_until,id,agency_id,created_by,created_at,updated_at,deleted_at,version}');

CREATE TRIGGER webhooks_rotate BEFORE UPDATE OF secret ON public.webhooks FOR EACH ROW WHEN ((old.secret IS DISTINCT FROM new.secret)) EXECUTE FUNCTION app.keep_old_secret();

CREATE TRIGGER webhooks_touch BEFORE UPDATE ON public.webhooks FOR EACH ROW EXECUTE FUNCTION app.touch();

ALTER TABLE ONLY app.default_permissions
    ADD CONSTRAINT default_permissions_entity_fkey FOREIGN KEY (entity) REFERENCES app.entities(name);

ALTER TABLE ONLY app.likeness_keys
    ADD CONSTRAINT likeness_keys_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY app.likeness_swept
    ADD CONSTRAINT likeness_swept_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY app.search_documents
    ADD CONSTRAINT search_documents_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY app.search_words
    ADD CONSTRAINT search_words_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY app.search_words_gone
    ADD CONSTRAINT search_words_gone_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY auth.identities
    ADD CONSTRAINT identities_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY auth.refresh_tokens
    ADD CONSTRAINT refresh_tokens_session_id_fkey FOREIGN KEY (session_id) REFERENCES auth.sessions(id) ON DELETE CASCADE;

ALTER TABLE ONLY auth.sessions
    ADD CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES auth.users(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.activities
    ADD CONSTRAINT activities_agency_id_company_id_fkey FOREIGN KEY (agency_id, company_id) REFERENCES public.companies(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.activities
    ADD CONSTRAINT activities_agency_id_contact_id_fkey FOREIGN KEY (agency_id, contact_id) REFERENCES public.contacts(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.activities
    ADD CONSTRAINT activities_agency_id_deal_id_fkey FOREIGN KEY (agency_id, deal_id) REFERENCES public.deals(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.activities
    ADD CONSTRAINT activities_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.activities
    ADD CONSTRAINT activities_agency_id_lead_id_fkey FOREIGN KEY (agency_id, lead_id) REFERENCES public.leads(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.agent_tasks
    ADD CONSTRAINT agent_tasks_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_agency_id_user_id_fkey FOREIGN KEY (agency_id, user_id) REFERENCES public.members(agency_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT attachments_agency_id_activity_id_fkey FOREIGN KEY (agency_id, activity_id) REFERENCES public.activities(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT attachments_agency_id_company_id_fkey FOREIGN KEY (agency_id, company_id) REFERENCES public.companies(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT attachments_agency_id_contact_id_fkey FOREIGN KEY (agency_id, contact_id) REFERENCES public.contacts(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT attachments_agency_id_deal_id_fkey FOREIGN KEY (agency_id, deal_id) REFERENCES public.deals(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT attachments_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.attachments
    ADD CONSTRAINT attachments_agency_id_lead_id_fkey FOREIGN KEY (agency_id, lead_id) REFERENCES public.leads(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.bulk_chunks
    ADD CONSTRAINT bulk_chunks_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.bulk_chunks
    ADD CONSTRAINT bulk_chunks_agency_id_job_id_fkey FOREIGN KEY (agency_id, job_id) REFERENCES public.bulk_jobs(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.bulk_jobs
    ADD CONSTRAINT bulk_jobs_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.companies
    ADD CONSTRAINT companies_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.companies
    ADD CONSTRAINT companies_agency_id_owner_id_fkey FOREIGN KEY (agency_id, owner_id) REFERENCES public.members(agency_id, user_id) ON DELETE SET NULL (owner_id);

ALTER TABLE ONLY public.contacts
    ADD CONSTRAINT contacts_agency_id_company_id_fkey FOREIGN KEY (agency_id, company_id) REFERENCES public.companies(agency_id, id) ON DELETE SET NULL (company_id);

ALTER TABLE ONLY public.contacts
    ADD CONSTRAINT contacts_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.contacts
    ADD CONSTRAINT contacts_agency_id_owner_id_fkey FOREIGN KEY (agency_id, owner_id) REFERENCES public.members(agency_id, user_id) ON DELETE SET NULL (owner_id);

ALTER TABLE ONLY public.custom_fields
    ADD CONSTRAINT custom_fields_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.custom_values
    ADD CONSTRAINT custom_values_agency_id_field_id_fkey FOREIGN KEY (agency_id, field_id) REFERENCES public.custom_fields(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.deal_stages
    ADD CONSTRAINT deal_stages_agency_id_deal_id_fkey FOREIGN KEY (agency_id, deal_id) REFERENCES public.deals(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.deal_stages
    ADD CONSTRAINT deal_stages_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.deals
    ADD CONSTRAINT deals_agency_id_company_id_fkey FOREIGN KEY (agency_id, company_id) REFERENCES public.companies(agency_id, id) ON DELETE SET NULL (company_id);

ALTER TABLE ONLY public.deals
    ADD CONSTRAINT deals_agency_id_contact_id_fkey FOREIGN KEY (agency_id, contact_id) REFERENCES public.contacts(agency_id, id) ON DELETE SET NULL (contact_id);

ALTER TABLE ONLY public.deals
    ADD CONSTRAINT deals_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.deals
    ADD CONSTRAINT deals_agency_id_lead_id_fkey FOREIGN KEY (agency_id, lead_id) REFERENCES public.leads(agency_id, id) ON DELETE SET NULL (lead_id);

ALTER TABLE ONLY public.deals
    ADD CONSTRAINT deals_agency_id_owner_id_fkey FOREIGN KEY (agency_id, owner_id) REFERENCES public.members(agency_id, user_id) ON DELETE SET NULL (owner_id);

ALTER TABLE ONLY public.deals
    ADD CONSTRAINT deals_agency_id_pipeline_id_fkey FOREIGN KEY (agency_id, pipeline_id) REFERENCES public.pipelines(agency_id, id);

ALTER TABLE ONLY public.deals
    ADD CONSTRAINT deals_agency_id_pipeline_id_stage_id_fkey FOREIGN KEY (agency_id, pipeline_id, stage_id) REFERENCES public.stages(agency_id, pipeline_id, id);

ALTER TABLE ONLY public.dispatch_limits
    ADD CONSTRAINT dispatch_limits_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.dispatch_pauses
    ADD CONSTRAINT dispatch_pauses_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.duplicates
    ADD CONSTRAINT duplicates_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.field_masks
    ADD CONSTRAINT field_masks_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.field_masks
    ADD CONSTRAINT field_masks_entity_fkey FOREIGN KEY (entity) REFERENCES app.entities(name);

ALTER TABLE ONLY public.follow_ups
    ADD CONSTRAINT follow_ups_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.follow_ups
    ADD CONSTRAINT follow_ups_lead_id_fkey FOREIGN KEY (lead_id) REFERENCES public.leads(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.import_chunks
    ADD CONSTRAINT import_chunks_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.import_chunks
    ADD CONSTRAINT import_chunks_agency_id_import_id_fkey FOREIGN KEY (agency_id, import_id) REFERENCES public.imports(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.imports
    ADD CONSTRAINT imports_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.invitations
    ADD CONSTRAINT invitations_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.lead_conversions
    ADD CONSTRAINT lead_conversions_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.lead_conversions
    ADD CONSTRAINT lead_conversions_agency_id_lead_id_fkey FOREIGN KEY (agency_id, lead_id) REFERENCES public.leads(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.lead_scores
    ADD CONSTRAINT lead_scores_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.lead_scores
    ADD CONSTRAINT lead_scores_lead_id_fkey FOREIGN KEY (lead_id) REFERENCES public.leads(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.leads
    ADD CONSTRAINT leads_agency_id_converted_company_id_fkey FOREIGN KEY (agency_id, converted_company_id) REFERENCES public.companies(agency_id, id) ON DELETE SET NULL (converted_company_id);

ALTER TABLE ONLY public.leads
    ADD CONSTRAINT leads_agency_id_converted_contact_id_fkey FOREIGN KEY (agency_id, converted_contact_id) REFERENCES public.contacts(agency_id, id) ON DELETE SET NULL (converted_contact_id);

ALTER TABLE ONLY public.leads
    ADD CONSTRAINT leads_agency_id_converted_deal_id_fkey FOREIGN KEY (agency_id, converted_deal_id) REFERENCES public.deals(agency_id, id) ON DELETE SET NULL (converted_deal_id);

ALTER TABLE ONLY public.leads
    ADD CONSTRAINT leads_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.leads
    ADD CONSTRAINT leads_agency_id_owner_id_fkey FOREIGN KEY (agency_id, owner_id) REFERENCES public.members(agency_id, user_id) ON DELETE SET NULL (owner_id);

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

ALTER TABLE ONLY public.merges
    ADD CONSTRAINT merges_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.permissions
    ADD CONSTRAINT permissions_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.permissions
    ADD CONSTRAINT permissions_entity_fkey FOREIGN KEY (entity) REFERENCES app.entities(name);

ALTER TABLE ONLY public.pipelines
    ADD CONSTRAINT pipelines_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.stages
    ADD CONSTRAINT stages_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.stages
    ADD CONSTRAINT stages_agency_id_pipeline_id_fkey FOREIGN KEY (agency_id, pipeline_id) REFERENCES public.pipelines(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.taggings
    ADD CONSTRAINT taggings_agency_id_company_id_fkey FOREIGN KEY (agency_id, company_id) REFERENCES public.companies(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.taggings
    ADD CONSTRAINT taggings_agency_id_contact_id_fkey FOREIGN KEY (agency_id, contact_id) REFERENCES public.contacts(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.taggings
    ADD CONSTRAINT taggings_agency_id_deal_id_fkey FOREIGN KEY (agency_id, deal_id) REFERENCES public.deals(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.taggings
    ADD CONSTRAINT taggings_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.taggings
    ADD CONSTRAINT taggings_agency_id_lead_id_fkey FOREIGN KEY (agency_id, lead_id) REFERENCES public.leads(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.taggings
    ADD CONSTRAINT taggings_agency_id_tag_id_fkey FOREIGN KEY (agency_id, tag_id) REFERENCES public.tags(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.taggings
    ADD CONSTRAINT taggings_agency_id_task_id_fkey FOREIGN KEY (agency_id, task_id) REFERENCES public.tasks(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.tags
    ADD CONSTRAINT tags_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.task_schedules
    ADD CONSTRAINT task_schedules_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_agency_id_assignee_id_fkey FOREIGN KEY (agency_id, assignee_id) REFERENCES public.members(agency_id, user_id) ON DELETE SET NULL (assignee_id);

ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_agency_id_company_id_fkey FOREIGN KEY (agency_id, company_id) REFERENCES public.companies(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_agency_id_contact_id_fkey FOREIGN KEY (agency_id, contact_id) REFERENCES public.contacts(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_agency_id_deal_id_fkey FOREIGN KEY (agency_id, deal_id) REFERENCES public.deals(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.tasks
    ADD CONSTRAINT tasks_agency_id_lead_id_fkey FOREIGN KEY (agency_id, lead_id) REFERENCES public.leads(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_agency_id_team_id_fkey FOREIGN KEY (agency_id, team_id) REFERENCES public.teams(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.team_members
    ADD CONSTRAINT team_members_agency_id_user_id_fkey FOREIGN KEY (agency_id, user_id) REFERENCES public.members(agency_id, user_id) ON DELETE CASCADE;

ALTER TABLE ONLY public.teams
    ADD CONSTRAINT teams_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.views
    ADD CONSTRAINT views_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_agency_id_webhook_id_fkey FOREIGN KEY (agency_id, webhook_id) REFERENCES public.webhooks(agency_id, id) ON DELETE CASCADE;

ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT webhooks_agency_id_fkey FOREIGN KEY (agency_id) REFERENCES public.agencies(id) ON DELETE CASCADE;

ALTER TABLE app.likeness_keys ENABLE ROW LEVEL SECURITY;

CREATE POLICY likeness_keys_owner ON app.likeness_keys TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY likeness_keys_purge ON app.likeness_keys FOR DELETE TO gardenos_worker USING (true);

CREATE POLICY likeness_keys_purged ON app.likeness_keys FOR SELECT TO gardenos_worker USING (true);

CREATE POLICY likeness_keys_select ON app.likeness_keys FOR SELECT TO authenticated USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

ALTER TABLE app.likeness_swept ENABLE ROW LEVEL SECURITY;

CREATE POLICY likeness_swept_owner ON app.likeness_swept TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY likeness_swept_select ON app.likeness_swept FOR SELECT TO authenticated USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY likeness_swept_worker ON app.likeness_swept FOR SELECT TO gardenos_worker USING (true);

ALTER TABLE app.record_count_changes ENABLE ROW LEVEL SECURITY;

CREATE POLICY record_count_changes_fold ON app.record_count_changes TO gardenos_worker USING (true) WITH CHECK (true);

CREATE POLICY record_count_changes_record ON app.record_count_changes FOR INSERT TO gardenos_owner WITH CHECK (true);

CREATE POLICY record_count_changes_sum ON app.record_count_changes FOR SELECT TO authenticated, gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

ALTER TABLE app.record_counts ENABLE ROW LEVEL SECURITY;

CREATE POLICY record_counts_fold ON app.record_counts TO gardenos_worker USING (true) WITH CHECK (true);

CREATE POLICY record_counts_sum ON app.record_counts FOR SELECT TO authenticated, gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

ALTER TABLE app.search_documents ENABLE ROW LEVEL SECURITY;

CREATE POLICY search_documents_delete ON app.search_documents FOR DELETE TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY search_documents_record ON app.search_documents FOR INSERT TO gardenos_owner WITH CHECK (true);

CREATE POLICY search_documents_search ON app.search_documents FOR SELECT TO gardenos_search USING (true);

CREATE POLICY search_documents_select ON app.search_documents FOR SELECT TO authenticated, gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY search_documents_sweep ON app.search_documents TO gardenos_worker USING (true);

CREATE POLICY search_documents_update ON app.search_documents FOR UPDATE TO authenticated USING (false);

ALTER TABLE app.search_words ENABLE ROW LEVEL SECURITY;

CREATE POLICY search_words_delete ON app.search_words FOR DELETE TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

ALTER TABLE app.search_words_gone ENABLE ROW LEVEL SECURITY;

CREATE POLICY search_words_gone_delete ON app.search_words_gone FOR DELETE TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY search_words_gone_record ON app.search_words_gone FOR INSERT TO gardenos_owner WITH CHECK (true);

CREATE POLICY search_words_gone_select ON app.search_words_gone FOR SELECT TO authenticated, gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY search_words_gone_sweep ON app.search_words_gone TO gardenos_worker USING (true);

CREATE POLICY search_words_gone_update ON app.search_words_gone FOR UPDATE TO authenticated USING (false);

CREATE POLICY search_words_record ON app.search_words FOR INSERT TO gardenos_owner WITH CHECK (true);

CREATE POLICY search_words_search ON app.search_words FOR SELECT TO gardenos_search USING (true);

CREATE POLICY search_words_select ON app.search_words FOR SELECT TO authenticated, gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY search_words_sweep ON app.search_words TO gardenos_worker USING (true);

CREATE POLICY search_words_update ON app.search_words FOR UPDATE TO authenticated USING (false);

ALTER TABLE public.activities ENABLE ROW LEVEL SECURITY;

CREATE POLICY activities_agent ON public.activities FOR SELECT TO gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY activities_agent_insert ON public.activities FOR INSERT TO gardenos_agent WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY activities_delete ON public.activities FOR DELETE TO authenticated USING (false);

CREATE POLICY activities_insert ON public.activities FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND (( SELECT app.scope('activities'::text, 'create'::text) AS scope) <> 'none'::text)));

CREATE POLICY activities_owner ON public.activities FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY activities_owner_erase ON public.activities FOR UPDATE TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY activities_owner_find ON public.activities FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY activities_select ON public.activities FOR SELECT TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE ( SELECT app.scope('activities'::text, 'read'::text) AS scope)
    WHEN 'agency'::text THEN true
    WHEN 'none'::text THEN false
    ELSE
    CASE
        WHEN (created_by = ( SELECT app.user_id() AS user_id)) THEN true
        WHEN (deal_id IS NOT NULL) THEN (EXISTS ( SELECT
           FROM public.deals d
          WHERE (d.id = activities.deal_id)))
        WHEN (lead_id IS NOT NULL) THEN (EXISTS ( SELECT
           FROM public.leads l
          WHERE (l.id = activities.lead_id)))
        WHEN (contact_id IS NOT NULL) THEN (EXISTS ( SELECT
           FROM public.contacts c
          WHERE (c.id = activities.contact_id)))
        ELSE (EXISTS ( SELECT
           FROM public.companies c
          WHERE (c.id = activities.company_id)))
    END
END));

CREATE POLICY activities_update ON public.activities FOR UPDATE TO authenticated USING (false);

ALTER TABLE public.agencies ENABLE ROW LEVEL SECURITY;

CREATE POLICY agencies_delete ON public.agencies FOR DELETE TO authenticated USING (false);

CREATE POLICY agencies_insert ON public.agencies FOR INSERT TO gardenos_auth WITH CHECK (true);

CREATE POLICY agencies_select ON public.agencies FOR SELECT TO authenticated, gardenos_agent USING ((id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY agencies_sign_in ON public.agencies FOR SELECT TO gardenos_auth USING (true);

CREATE POLICY agencies_update ON public.agencies FOR UPDATE TO authenticated USING (((id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer))) WITH CHECK ((id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY agencies_worker ON public.agencies FOR SELECT TO gardenos_worker USING (true);

ALTER TABLE public.agent_overrides ENABLE ROW LEVEL SECURITY;

CREATE POLICY agent_overrides_worker ON public.agent_overrides TO gardenos_worker USING (true) WITH CHECK (true);

ALTER TABLE public.agent_tasks ENABLE ROW LEVEL SECURITY;

CREATE POLICY agent_tasks_delete ON public.agent_tasks FOR DELETE TO authenticated, gardenos_agent USING (false);

CREATE POLICY agent_tasks_insert ON public.agent_tasks FOR INSERT TO authenticated, gardenos_agent WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_write() AS can_write)));

CREATE POLICY agent_tasks_owner_erase ON public.agent_tasks FOR UPDATE TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY agent_tasks_owner_find ON public.agent_tasks FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

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

ALTER TABLE public.attachments ENABLE ROW LEVEL SECURITY;

CREATE POLICY attachments_abandoned ON public.attachments FOR DELETE TO gardenos_worker USING ((state = 'pending'::text));

CREATE POLICY attachments_agent ON public.attachments FOR SELECT TO gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY attachments_attached ON public.attachments AS RESTRICTIVE FOR INSERT TO authenticated WITH CHECK (
CASE
    WHEN (lead_id IS NOT NULL) THEN
    CASE ( SELECT app.scope('leads'::text, 'update'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.leads r
          WHERE ((r.id = attachments.lead_id) AND (COALESCE(r.owner_id, r.created_by) = ANY (( SELECT app.owners('leads'::text, 'update'::text) AS owners)::uuid[])))))
    END
    WHEN (contact_id IS NOT NULL) THEN
    CASE ( SELECT app.scope('contacts'::text, 'update'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.contacts r
          WHERE ((r.id = attachments.contact_id) AND (COALESCE(r.owner_id, r.created_by) = ANY (( SELECT app.owners('contacts'::text, 'update'::text) AS owners)::uuid[])))))
    END
    WHEN (company_id IS NOT NULL) THEN
    CASE ( SELECT app.scope('companies'::text, 'update'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.companies r
          WHERE ((r.id = attachments.company_id) AND (COALESCE(r.owner_id, r.created_by) = ANY (( SELECT app.owners('companies'::text, 'update'::text) AS owners)::uuid[])))))
    END
    WHEN (deal_id IS NOT NULL) THEN
    CASE ( SELECT app.scope('deals'::text, 'update'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.deals r
          WHERE ((r.id = attachments.deal_id) AND (COALESCE(r.owner_id, r.created_by) = ANY (( SELECT app.owners('deals'::text, 'update'::text) AS owners)::uuid[])))))
    END
    ELSE
    CASE ( SELECT app.scope('activities'::text, 'create'::text) AS scope)
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.activities r
          WHERE (r.id = attachments.activity_id)))
    END
END);

CREATE POLICY attachments_delete ON public.attachments FOR DELETE TO authenticated USING (false);

CREATE POLICY attachments_insert ON public.attachments FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE ( SELECT app.scope('attachments'::text, 'create'::text) AS scope)
    WHEN 'agency'::text THEN true
    WHEN 'none'::text THEN false
    ELSE (COALESCE(created_by, created_by) = ANY (( SELECT app.owners('attachments'::text, 'create'::text) AS owners)::uuid[]))
END));

CREATE POLICY attachments_owner ON public.attachments FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY attachments_owner_erase ON public.attachments FOR DELETE TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY attachments_owner_lock ON public.attachments FOR UPDATE TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY attachments_purge ON public.attachments FOR DELETE TO gardenos_worker USING ((deleted_at IS NOT NULL));

CREATE POLICY attachments_seen ON public.attachments AS RESTRICTIVE FOR SELECT TO authenticated USING (
CASE
    WHEN (lead_id IS NOT NULL) THEN
    CASE ( SELECT app.scope('leads'::text, 'read'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.leads r
          WHERE (r.id = attachments.lead_id)))
    END
    WHEN (contact_id IS NOT NULL) THEN
    CASE ( SELECT app.scope('contacts'::text, 'read'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.contacts r
          WHERE (r.id = attachments.contact_id)))
    END
    WHEN (company_id IS NOT NULL) THEN
    CASE ( SELECT app.scope('companies'::text, 'read'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.companies r
          WHERE (r.id = attachments.company_id)))
    END
    WHEN (deal_id IS NOT NULL) THEN
    CASE ( SELECT app.scope('deals'::text, 'read'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.deals r
          WHERE (r.id = attachments.deal_id)))
    END
    ELSE (EXISTS ( SELECT
       FROM public.activities r
      WHERE (r.id = attachments.activity_id)))
END);

CREATE POLICY attachments_select ON public.attachments FOR SELECT TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE ( SELECT app.scope('attachments'::text, 'read'::text) AS scope)
    WHEN 'agency'::text THEN true
    WHEN 'none'::text THEN false
    ELSE (COALESCE(created_by, created_by) = ANY (( SELECT app.owners('attachments'::text, 'read'::text) AS owners)::uuid[]))
END));

CREATE POLICY attachments_update ON public.attachments FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE ( SELECT app.change_scope('attachments'::text) AS change_scope)
    WHEN 'agency'::text THEN true
    WHEN 'none'::text THEN false
    ELSE (COALESCE(created_by, created_by) = ANY (( SELECT app.change_owners('attachments'::text) AS change_owners)::uuid[]))
END)) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY attachments_worker ON public.attachments FOR SELECT TO gardenos_worker USING (true);

ALTER TABLE public.audit_log ENABLE ROW LEVEL SECURITY;

CREATE POLICY audit_log_delete ON public.audit_log FOR DELETE TO authenticated USING (false);

CREATE POLICY audit_log_erase ON public.audit_log FOR UPDATE TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY audit_log_find ON public.audit_log FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY audit_log_insert ON public.audit_log FOR INSERT TO authenticated WITH CHECK (false);

CREATE POLICY audit_log_record ON public.audit_log FOR INSERT TO gardenos_owner WITH CHECK (true);

CREATE POLICY audit_log_select ON public.audit_log FOR SELECT TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND (( SELECT app.scope('audit'::text, 'read'::text) AS scope) = 'agency'::text)));

CREATE POLICY audit_log_update ON public.audit_log FOR UPDATE TO authenticated USING (false);

ALTER TABLE public.bulk_chunks ENABLE ROW LEVEL SECURITY;

CREATE POLICY bulk_chunks_delete ON public.bulk_chunks FOR DELETE TO authenticated USING (false);

CREATE POLICY bulk_chunks_insert ON public.bulk_chunks FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND (EXISTS ( SELECT
   FROM public.bulk_jobs j
  WHERE ((j.id = bulk_chunks.job_id) AND (j.task_id IS NULL) AND (j.created_by = ( SELECT app.user_id() AS user_id)) AND (j.role = ( SELECT app.user_role() AS user_role)) AND (NOT (j.key_id IS DISTINCT FROM ((( SELECT app.claims() AS claims) ->> 'key_id'::text))::uuid)))))));

CREATE POLICY bulk_chunks_owner_erase ON public.bulk_chunks FOR UPDATE TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY bulk_chunks_owner_find ON public.bulk_chunks FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY bulk_chunks_select ON public.bulk_chunks FOR SELECT TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND (EXISTS ( SELECT
   FROM public.bulk_jobs j
  WHERE (j.id = bulk_chunks.job_id)))));

CREATE POLICY bulk_chunks_update ON public.bulk_chunks FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND (EXISTS ( SELECT
   FROM public.bulk_jobs j
  WHERE ((j.id = bulk_chunks.job_id) AND (j.created_by = ( SELECT app.user_id() AS user_id)) AND (j.role = ( SELECT app.user_role() AS user_role)) AND (NOT (j.key_id IS DISTINCT FROM ((( SELECT app.claims() AS claims) ->> 'key_id'::text))::uuid))))))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

ALTER TABLE public.bulk_jobs ENABLE ROW LEVEL SECURITY;

CREATE POLICY bulk_jobs_delete ON public.bulk_jobs FOR DELETE TO authenticated USING (false);

CREATE POLICY bulk_jobs_insert ON public.bulk_jobs FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_write() AS can_write) AND (created_by = ( SELECT app.user_id() AS user_id)) AND (role = ( SELECT app.user_role() AS user_role)) AND (NOT (key_id IS DISTINCT FROM ((( SELECT app.claims() AS claims) ->> 'key_id'::text))::uuid)) AND (NOT (to_jsonb(scopes) IS DISTINCT FROM (( SELECT app.claims() AS claims) -> 'scopes'::text)))));

CREATE POLICY bulk_jobs_owner_erase ON public.bulk_jobs FOR UPDATE TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY bulk_jobs_owner_find ON public.bulk_jobs FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY bulk_jobs_purge ON public.bulk_jobs FOR DELETE TO gardenos_worker USING (true);

CREATE POLICY bulk_jobs_select ON public.bulk_jobs FOR SELECT TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE
    WHEN ( SELECT app.can_administer() AS can_administer) THEN true
    ELSE (created_by = ( SELECT app.user_id() AS user_id))
END));

CREATE POLICY bulk_jobs_update ON public.bulk_jobs FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND (created_by = ( SELECT app.user_id() AS user_id)))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY bulk_jobs_work ON public.bulk_jobs FOR SELECT TO gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY bulk_jobs_worker ON public.bulk_jobs FOR SELECT TO gardenos_worker USING (true);

ALTER TABLE public.companies ENABLE ROW LEVEL SECURITY;

CREATE POLICY companies_agent ON public.companies FOR SELECT TO gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY companies_delete ON public.companies FOR DELETE TO authenticated USING (false);

CREATE POLICY companies_insert ON public.companies FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE ( SELECT app.scope('companies'::text, 'create'::text) AS scope)
    WHEN 'agency'::text THEN true
    WHEN 'none'::text THEN false
    ELSE (COALESCE(owner_id, created_by) = ANY (( SELECT app.owners('companies'::text, 'create'::text) AS owners)::uuid[]))
END));

CREATE POLICY companies_owner ON public.companies TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY companies_purge ON public.companies FOR DELETE TO gardenos_worker USING ((deleted_at IS NOT NULL));

CREATE POLICY companies_select ON public.companies FOR SELECT TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE ( SELECT app.scope('companies'::text, 'read'::text) AS scope)
    WHEN 'agency'::text THEN true
    WHEN 'none'::text THEN false
    ELSE (COALESCE(owner_id, created_by) = ANY (( SELECT app.owners('companies'::text, 'read'::text) AS owners)::uuid[]))
END));

CREATE POLICY companies_update ON public.companies FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE ( SELECT app.change_scope('companies'::text) AS change_scope)
    WHEN 'agency'::text THEN true
    WHEN 'none'::text THEN false
    ELSE (COALESCE(owner_id, created_by) = ANY (( SELECT app.change_owners('companies'::text) AS change_owners)::uuid[]))
END)) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY companies_worker ON public.companies FOR SELECT TO gardenos_worker USING (true);

ALTER TABLE public.contacts ENABLE ROW LEVEL SECURITY;

CREATE POLICY contacts_agent ON public.contacts FOR SELECT TO gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY contacts_delete ON public.contacts FOR DELETE TO authenticated USING (false);

CREATE POLICY contacts_insert ON public.contacts FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE ( SELECT app.scope('contacts'::text, 'create'::text) AS scope)
    WHEN 'agency'::text THEN true
    WHEN 'none'::text THEN false
    ELSE (COALESCE(owner_id, created_by) = ANY (( SELECT app.owners('contacts'::text, 'create'::text) AS owners)::uuid[]))
END));

CREATE POLICY contacts_owner ON public.contacts TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY contacts_owner_erase ON public.contacts FOR UPDATE TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY contacts_owner_find ON public.contacts FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY contacts_purge ON public.contacts FOR DELETE TO gardenos_worker USING ((deleted_at IS NOT NULL));

CREATE POLICY contacts_select ON public.contacts FOR SELECT TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE ( SELECT app.scope('contacts'::text, 'read'::text) AS scope)
    WHEN 'agency'::text THEN true
    WHEN 'none'::text THEN false
    ELSE (COALESCE(owner_id, created_by) = ANY (( SELECT app.owners('contacts'::text, 'read'::text) AS owners)::uuid[]))
END));

CREATE POLICY contacts_update ON public.contacts FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE ( SELECT app.change_scope('contacts'::text) AS change_scope)
    WHEN 'agency'::text THEN true
    WHEN 'none'::text THEN false
    ELSE (COALESCE(owner_id, created_by) = ANY (( SELECT app.change_owners('contacts'::text) AS change_owners)::uuid[]))
END)) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY contacts_worker ON public.contacts FOR SELECT TO gardenos_worker USING (true);

ALTER TABLE public.custom_fields ENABLE ROW LEVEL SECURITY;

CREATE POLICY custom_fields_agent ON public.custom_fields FOR SELECT TO gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY custom_fields_delete ON public.custom_fields FOR DELETE TO authenticated USING (false);

CREATE POLICY custom_fields_insert ON public.custom_fields FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND (( SELECT app.scope('custom_fields'::text, 'create'::text) AS scope) = 'agency'::text)));

CREATE POLICY custom_fields_owner ON public.custom_fields FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY custom_fields_select ON public.custom_fields FOR SELECT TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND (( SELECT app.scope('custom_fields'::text, 'read'::text) AS scope) = 'agency'::text)));

CREATE POLICY custom_fields_update ON public.custom_fields FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND (( SELECT app.change_scope('custom_fields'::text) AS change_scope) = 'agency'::text))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY custom_fields_worker ON public.custom_fields FOR SELECT TO gardenos_worker USING (true);

ALTER TABLE public.custom_values ENABLE ROW LEVEL SECURITY;

CREATE POLICY custom_values_delete ON public.custom_values FOR DELETE TO authenticated USING (false);

CREATE POLICY custom_values_insert ON public.custom_values FOR INSERT TO authenticated WITH CHECK (false);

CREATE POLICY custom_values_owner ON public.custom_values TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY custom_values_purge ON public.custom_values FOR DELETE TO gardenos_worker USING (true);

CREATE POLICY custom_values_select ON public.custom_values FOR SELECT TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE entity
    WHEN 'leads'::text THEN
    CASE ( SELECT app.scope('leads'::text, 'read'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.leads r
          WHERE (r.id = custom_values.record_id)))
    END
    WHEN 'contacts'::text THEN
    CASE ( SELECT app.scope('contacts'::text, 'read'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.contacts r
          WHERE (r.id = custom_values.record_id)))
    END
    WHEN 'companies'::text THEN
    CASE ( SELECT app.scope('companies'::text, 'read'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.companies r
          WHERE (r.id = custom_values.record_id)))
    END
    WHEN 'deals'::text THEN
    CASE ( SELECT app.scope('deals'::text, 'read'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.deals r
          WHERE (r.id = custom_values.record_id)))
    END
    WHEN 'tasks'::text THEN
    CASE ( SELECT app.scope('tasks'::text, 'read'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.tasks r
          WHERE (r.id = custom_values.record_id)))
    END
    ELSE NULL::boolean
END));

CREATE POLICY custom_values_update ON public.custom_values FOR UPDATE TO authenticated USING (false);

CREATE POLICY custom_values_worker ON public.custom_values FOR SELECT TO gardenos_worker USING (true);

ALTER TABLE public.deal_stages ENABLE ROW LEVEL SECURITY;

CREATE POLICY deal_stages_delete ON public.deal_stages FOR DELETE TO authenticated USING (false);

CREATE POLICY deal_stages_insert ON public.deal_stages FOR INSERT TO authenticated WITH CHECK (false);

CREATE POLICY deal_stages_owner ON public.deal_stages FOR INSERT TO gardenos_owner WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY deal_stages_select ON public.deal_stages FOR SELECT TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE ( SELECT app.scope('deals'::text, 'read'::text) AS scope)
    WHEN 'agency'::text THEN true
    WHEN 'none'::text THEN false
    ELSE (EXISTS ( SELECT
       FROM public.deals d
      WHERE (d.id = deal_stages.deal_id)))
END));

CREATE POLICY deal_stages_update ON public.deal_stages FOR UPDATE TO authenticated USING (false);

ALTER TABLE public.deals ENABLE ROW LEVEL SECURITY;

CREATE POLICY deals_agent ON public.deals FOR SELECT TO gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY deals_delete ON public.deals FOR DELETE TO authenticated USING (false);

CREATE POLICY deals_insert ON public.deals FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE ( SELECT app.scope('deals'::text, 'create'::text) AS scope)
    WHEN 'agency'::text THEN true
    WHEN 'none'::text THEN false
    ELSE (COALESCE(owner_id, created_by) = ANY (( SELECT app.owners('deals'::text, 'create'::text) AS owners)::uuid[]))
END));

CREATE POLICY deals_owner ON public.deals TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY deals_owner_erase ON public.deals FOR UPDATE TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY deals_owner_find ON public.deals FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY deals_purge ON public.deals FOR DELETE TO gardenos_worker USING ((deleted_at IS NOT NULL));

CREATE POLICY deals_select ON public.deals FOR SELECT TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE ( SELECT app.scope('deals'::text, 'read'::text) AS scope)
    WHEN 'agency'::text THEN true
    WHEN 'none'::text THEN false
    ELSE (COALESCE(owner_id, created_by) = ANY (( SELECT app.owners('deals'::text, 'read'::text) AS owners)::uuid[]))
END));

CREATE POLICY deals_update ON public.deals FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE ( SELECT app.change_scope('deals'::text) AS change_scope)
    WHEN 'agency'::text THEN true
    WHEN 'none'::text THEN false
    ELSE (COALESCE(owner_id, created_by) = ANY (( SELECT app.change_owners('deals'::text) AS change_owners)::uuid[]))
END)) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY deals_worker ON public.deals FOR SELECT TO gardenos_worker USING (true);

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

ALTER TABLE public.duplicates ENABLE ROW LEVEL SECURITY;

CREATE POLICY duplicates_delete ON public.duplicates FOR DELETE TO authenticated USING (false);

CREATE POLICY duplicates_insert ON public.duplicates FOR INSERT TO authenticated WITH CHECK (false);

CREATE POLICY duplicates_owner ON public.duplicates TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY duplicates_purge ON public.duplicates FOR DELETE TO gardenos_worker USING (true);

CREATE POLICY duplicates_purged ON public.duplicates FOR SELECT TO gardenos_worker USING (true);

CREATE POLICY duplicates_select ON public.duplicates FOR SELECT TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE entity
    WHEN 'leads'::text THEN ((EXISTS ( SELECT
       FROM public.leads r
      WHERE ((r.id = duplicates.first_id) AND (r.deleted_at IS NULL)))) AND (EXISTS ( SELECT
       FROM public.leads r
      WHERE ((r.id = duplicates.second_id) AND (r.deleted_at IS NULL)))))
    WHEN 'contacts'::text THEN ((EXISTS ( SELECT
       FROM public.contacts r
      WHERE ((r.id = duplicates.first_id) AND (r.deleted_at IS NULL)))) AND (EXISTS ( SELECT
       FROM public.contacts r
      WHERE ((r.id = duplicates.second_id) AND (r.deleted_at IS NULL)))))
    ELSE ((EXISTS ( SELECT
       FROM public.companies r
      WHERE ((r.id = duplicates.first_id) AND (r.deleted_at IS NULL)))) AND (EXISTS ( SELECT
       FROM public.companies r
      WHERE ((r.id = duplicates.second_id) AND (r.deleted_at IS NULL)))))
END));

CREATE POLICY duplicates_update ON public.duplicates FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_write() AS can_write))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

ALTER TABLE public.field_masks ENABLE ROW LEVEL SECURITY;

CREATE POLICY field_masks_delete ON public.field_masks FOR DELETE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer)));

CREATE POLICY field_masks_insert ON public.field_masks FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer)));

CREATE POLICY field_masks_owner ON public.field_masks FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY field_masks_select ON public.field_masks FOR SELECT TO authenticated USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY field_masks_update ON public.field_masks FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

ALTER TABLE public.follow_ups ENABLE ROW LEVEL SECURITY;

CREATE POLICY follow_ups_delete ON public.follow_ups FOR DELETE TO authenticated, gardenos_agent USING (false);

CREATE POLICY follow_ups_insert ON public.follow_ups FOR INSERT TO gardenos_agent WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY follow_ups_owner_erase ON public.follow_ups FOR UPDATE TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY follow_ups_owner_find ON public.follow_ups FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY follow_ups_select ON public.follow_ups FOR SELECT TO authenticated, gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY follow_ups_update ON public.follow_ups FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_write() AS can_write))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY follow_ups_worker ON public.follow_ups FOR SELECT TO gardenos_worker USING (true);

ALTER TABLE public.idempotency_keys ENABLE ROW LEVEL SECURITY;

CREATE POLICY idempotency_keys_age ON public.idempotency_keys FOR SELECT TO gardenos_worker USING (true);

CREATE POLICY idempotency_keys_delete ON public.idempotency_keys FOR DELETE TO authenticated USING (false);

CREATE POLICY idempotency_keys_insert ON public.idempotency_keys FOR INSERT TO authenticated WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY idempotency_keys_owner_erase ON public.idempotency_keys FOR UPDATE TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY idempotency_keys_owner_find ON public.idempotency_keys FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY idempotency_keys_prune ON public.idempotency_keys FOR DELETE TO gardenos_worker USING (true);

CREATE POLICY idempotency_keys_select ON public.idempotency_keys FOR SELECT TO authenticated USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY idempotency_keys_update ON public.idempotency_keys FOR UPDATE TO authenticated USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

ALTER TABLE public.import_chunks ENABLE ROW LEVEL SECURITY;

CREATE POLICY import_chunks_delete ON public.import_chunks FOR DELETE TO authenticated USING (false);

CREATE POLICY import_chunks_insert ON public.import_chunks FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND (EXISTS ( SELECT
   FROM public.imports i
  WHERE ((i.id = import_chunks.import_id) AND (i.created_by = ( SELECT app.user_id() AS user_id)) AND (i.role = ( SELECT app.user_role() AS user_role)) AND (i.finished_at IS NULL))))));

CREATE POLICY import_chunks_owner ON public.import_chunks TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY import_chunks_purge ON public.import_chunks FOR DELETE TO gardenos_worker USING (true);

CREATE POLICY import_chunks_select ON public.import_chunks FOR SELECT TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND (EXISTS ( SELECT
   FROM public.imports i
  WHERE ((i.id = import_chunks.import_id) AND
        CASE
            WHEN ( SELECT app.can_administer() AS can_administer) THEN true
            ELSE (i.created_by = ( SELECT app.user_id() AS user_id))
        END)))));

CREATE POLICY import_chunks_update ON public.import_chunks FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND (EXISTS ( SELECT
   FROM public.imports i
  WHERE ((i.id = import_chunks.import_id) AND (i.created_by = ( SELECT app.user_id() AS user_id)) AND (i.role = ( SELECT app.user_role() AS user_role))))))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY import_chunks_worker ON public.import_chunks FOR SELECT TO gardenos_worker USING (true);

ALTER TABLE public.imports ENABLE ROW LEVEL SECURITY;

CREATE POLICY imports_delete ON public.imports FOR DELETE TO authenticated USING (false);

CREATE POLICY imports_insert ON public.imports FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_write() AS can_write) AND (created_by = ( SELECT app.user_id() AS user_id)) AND (role = ( SELECT app.user_role() AS user_role)) AND (NOT (key_id IS DISTINCT FROM ((( SELECT app.claims() AS claims) ->> 'key_id'::text))::uuid)) AND (NOT (to_jsonb(scopes) IS DISTINCT FROM (( SELECT app.claims() AS claims) -> 'scopes'::text)))));

CREATE POLICY imports_owner_erase ON public.imports FOR UPDATE TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY imports_owner_find ON public.imports FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY imports_purge ON public.imports FOR DELETE TO gardenos_worker USING ((state = 'staged'::text));

CREATE POLICY imports_purged ON public.imports FOR UPDATE TO gardenos_worker USING (true) WITH CHECK (true);

CREATE POLICY imports_select ON public.imports FOR SELECT TO authenticated USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY imports_update ON public.imports FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_write() AS can_write) AND
CASE
    WHEN ( SELECT app.can_administer() AS can_administer) THEN true
    ELSE (created_by = ( SELECT app.user_id() AS user_id))
END)) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY imports_work ON public.imports FOR SELECT TO gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY imports_worker ON public.imports FOR SELECT TO gardenos_worker USING (true);

ALTER TABLE public.invitations ENABLE ROW LEVEL SECURITY;

CREATE POLICY invitations_accept ON public.invitations FOR UPDATE TO gardenos_auth USING (true) WITH CHECK (true);

CREATE POLICY invitations_delete ON public.invitations FOR DELETE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer) AND (accepted_at IS NULL)));

CREATE POLICY invitations_insert ON public.invitations FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer) AND (accepted_at IS NULL) AND (invited_by = ( SELECT app.user_id() AS user_id)) AND
CASE role
    WHEN 'owner'::text THEN (( SELECT app.user_role() AS user_role) = 'owner'::text)
    ELSE true
END));

CREATE POLICY invitations_open ON public.invitations FOR SELECT TO gardenos_auth USING (true);

CREATE POLICY invitations_select ON public.invitations FOR SELECT TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer)));

CREATE POLICY invitations_update ON public.invitations FOR UPDATE TO authenticated USING (false);

ALTER TABLE public.lead_conversions ENABLE ROW LEVEL SECURITY;

CREATE POLICY lead_conversions_delete ON public.lead_conversions FOR DELETE TO authenticated USING (false);

CREATE POLICY lead_conversions_insert ON public.lead_conversions FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE ( SELECT app.scope('leads'::text, 'update'::text) AS scope)
    WHEN 'agency'::text THEN true
    WHEN 'none'::text THEN false
    ELSE (EXISTS ( SELECT
       FROM public.leads r
      WHERE ((r.id = lead_conversions.lead_id) AND (COALESCE(r.owner_id, r.created_by) = ANY (( SELECT app.owners('leads'::text, 'update'::text) AS owners)::uuid[])))))
END));

CREATE POLICY lead_conversions_owner ON public.lead_conversions FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY lead_conversions_owner_merge ON public.lead_conversions FOR UPDATE TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY lead_conversions_select ON public.lead_conversions FOR SELECT TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE ( SELECT app.scope('leads'::text, 'read'::text) AS scope)
    WHEN 'agency'::text THEN true
    WHEN 'none'::text THEN false
    ELSE (EXISTS ( SELECT
       FROM public.leads r
      WHERE (r.id = lead_conversions.lead_id)))
END));

CREATE POLICY lead_conversions_update ON public.lead_conversions FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE ( SELECT app.scope('leads'::text, 'update'::text) AS scope)
    WHEN 'agency'::text THEN true
    WHEN 'none'::text THEN false
    ELSE (EXISTS ( SELECT
       FROM public.leads r
      WHERE ((r.id = lead_conversions.lead_id) AND (COALESCE(r.owner_id, r.created_by) = ANY (( SELECT app.owners('leads'::text, 'update'::text) AS owners)::uuid[])))))
END)) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

ALTER TABLE public.lead_scores ENABLE ROW LEVEL SECURITY;

CREATE POLICY lead_scores_delete ON public.lead_scores FOR DELETE TO authenticated, gardenos_agent USING (false);

CREATE POLICY lead_scores_insert ON public.lead_scores FOR INSERT TO gardenos_agent WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY lead_scores_owner_erase ON public.lead_scores FOR UPDATE TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY lead_scores_owner_find ON public.lead_scores FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY lead_scores_select ON public.lead_scores FOR SELECT TO authenticated, gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY lead_scores_update ON public.lead_scores FOR UPDATE TO authenticated, gardenos_agent USING (false);

CREATE POLICY lead_scores_worker ON public.lead_scores FOR SELECT TO gardenos_worker USING (true);

ALTER TABLE public.leads ENABLE ROW LEVEL SECURITY;

CREATE POLICY leads_agent ON public.leads FOR SELECT TO gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY leads_delete ON public.leads FOR DELETE TO authenticated USING (false);

CREATE POLICY leads_insert ON public.leads FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE ( SELECT app.scope('leads'::text, 'create'::text) AS scope)
    WHEN 'agency'::text THEN true
    WHEN 'none'::text THEN false
    ELSE (COALESCE(owner_id, created_by) = ANY (( SELECT app.owners('leads'::text, 'create'::text) AS owners)::uuid[]))
END));

CREATE POLICY leads_owner ON public.leads TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY leads_owner_erase ON public.leads FOR UPDATE TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY leads_owner_find ON public.leads FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY leads_purge ON public.leads FOR DELETE TO gardenos_worker USING ((deleted_at IS NOT NULL));

CREATE POLICY leads_scored ON public.leads FOR UPDATE TO gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY leads_select ON public.leads FOR SELECT TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE ( SELECT app.scope('leads'::text, 'read'::text) AS scope)
    WHEN 'agency'::text THEN true
    WHEN 'none'::text THEN false
    ELSE (COALESCE(owner_id, created_by) = ANY (( SELECT app.owners('leads'::text, 'read'::text) AS owners)::uuid[]))
END));

CREATE POLICY leads_update ON public.leads FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE ( SELECT app.change_scope('leads'::text) AS change_scope)
    WHEN 'agency'::text THEN true
    WHEN 'none'::text THEN false
    ELSE (COALESCE(owner_id, created_by) = ANY (( SELECT app.change_owners('leads'::text) AS change_owners)::uuid[]))
END)) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

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

CREATE POLICY members_named ON public.members FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY members_select ON public.members FOR SELECT TO authenticated, gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY members_sign_in ON public.members FOR SELECT TO supabase_auth_admin, gardenos_auth USING (true);

CREATE POLICY members_sign_up ON public.members FOR INSERT TO gardenos_auth WITH CHECK (true);

CREATE POLICY members_update ON public.members FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

ALTER TABLE public.merges ENABLE ROW LEVEL SECURITY;

CREATE POLICY merges_delete ON public.merges FOR DELETE TO authenticated USING (false);

CREATE POLICY merges_insert ON public.merges FOR INSERT TO authenticated WITH CHECK (false);

CREATE POLICY merges_owner ON public.merges TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY merges_purge ON public.merges FOR DELETE TO gardenos_worker USING (true);

CREATE POLICY merges_purged ON public.merges FOR SELECT TO gardenos_worker USING (true);

CREATE POLICY merges_select ON public.merges FOR SELECT TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE entity
    WHEN 'leads'::text THEN (EXISTS ( SELECT
       FROM public.leads r
      WHERE (r.id = merges.kept_id)))
    WHEN 'contacts'::text THEN (EXISTS ( SELECT
       FROM public.contacts r
      WHERE (r.id = merges.kept_id)))
    ELSE (EXISTS ( SELECT
       FROM public.companies r
      WHERE (r.id = merges.kept_id)))
END));

CREATE POLICY merges_update ON public.merges FOR UPDATE TO authenticated USING (false);

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

ALTER TABLE public.permissions ENABLE ROW LEVEL SECURITY;

CREATE POLICY permissions_delete ON public.permissions FOR DELETE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer)));

CREATE POLICY permissions_insert ON public.permissions FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer)));

CREATE POLICY permissions_owner ON public.permissions FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY permissions_select ON public.permissions FOR SELECT TO authenticated USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY permissions_update ON public.permissions FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

ALTER TABLE public.pipelines ENABLE ROW LEVEL SECURITY;

CREATE POLICY pipelines_agent ON public.pipelines FOR SELECT TO gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY pipelines_delete ON public.pipelines FOR DELETE TO authenticated USING (false);

CREATE POLICY pipelines_insert ON public.pipelines FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND (( SELECT app.scope('pipelines'::text, 'create'::text) AS scope) = 'agency'::text)));

CREATE POLICY pipelines_purge ON public.pipelines FOR DELETE TO gardenos_worker USING ((deleted_at IS NOT NULL));

CREATE POLICY pipelines_select ON public.pipelines FOR SELECT TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND (( SELECT app.scope('pipelines'::text, 'read'::text) AS scope) = 'agency'::text)));

CREATE POLICY pipelines_update ON public.pipelines FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND (( SELECT app.change_scope('pipelines'::text) AS change_scope) = 'agency'::text))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY pipelines_worker ON public.pipelines FOR SELECT TO gardenos_worker USING (true);

ALTER TABLE public.stages ENABLE ROW LEVEL SECURITY;

CREATE POLICY stages_agent ON public.stages FOR SELECT TO gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY stages_delete ON public.stages FOR DELETE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND (( SELECT app.change_scope('pipelines'::text) AS change_scope) = 'agency'::text)));

CREATE POLICY stages_insert ON public.stages FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND (( SELECT app.change_scope('pipelines'::text) AS change_scope) = 'agency'::text)));

CREATE POLICY stages_select ON public.stages FOR SELECT TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND (( SELECT app.scope('pipelines'::text, 'read'::text) AS scope) = 'agency'::text)));

CREATE POLICY stages_update ON public.stages FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND (( SELECT app.change_scope('pipelines'::text) AS change_scope) = 'agency'::text))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

ALTER TABLE public.taggings ENABLE ROW LEVEL SECURITY;

CREATE POLICY taggings_agent ON public.taggings FOR SELECT TO gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY taggings_delete ON public.taggings FOR DELETE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE
    WHEN (lead_id IS NOT NULL) THEN
    CASE ( SELECT app.scope('leads'::text, 'update'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.leads r
          WHERE ((r.id = taggings.lead_id) AND (COALESCE(r.owner_id, r.created_by) = ANY (( SELECT app.owners('leads'::text, 'update'::text) AS owners)::uuid[])))))
    END
    WHEN (contact_id IS NOT NULL) THEN
    CASE ( SELECT app.scope('contacts'::text, 'update'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.contacts r
          WHERE ((r.id = taggings.contact_id) AND (COALESCE(r.owner_id, r.created_by) = ANY (( SELECT app.owners('contacts'::text, 'update'::text) AS owners)::uuid[])))))
    END
    WHEN (company_id IS NOT NULL) THEN
    CASE ( SELECT app.scope('companies'::text, 'update'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.companies r
          WHERE ((r.id = taggings.company_id) AND (COALESCE(r.owner_id, r.created_by) = ANY (( SELECT app.owners('companies'::text, 'update'::text) AS owners)::uuid[])))))
    END
    WHEN (deal_id IS NOT NULL) THEN
    CASE ( SELECT app.scope('deals'::text, 'update'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.deals r
          WHERE ((r.id = taggings.deal_id) AND (COALESCE(r.owner_id, r.created_by) = ANY (( SELECT app.owners('deals'::text, 'update'::text) AS owners)::uuid[])))))
    END
    WHEN (task_id IS NOT NULL) THEN
    CASE ( SELECT app.scope('tasks'::text, 'update'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.tasks r
          WHERE ((r.id = taggings.task_id) AND (COALESCE(r.assignee_id, r.created_by) = ANY (( SELECT app.owners('tasks'::text, 'update'::text) AS owners)::uuid[])))))
    END
    ELSE NULL::boolean
END));

CREATE POLICY taggings_insert ON public.taggings FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE
    WHEN (lead_id IS NOT NULL) THEN
    CASE ( SELECT app.scope('leads'::text, 'update'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.leads r
          WHERE ((r.id = taggings.lead_id) AND (COALESCE(r.owner_id, r.created_by) = ANY (( SELECT app.owners('leads'::text, 'update'::text) AS owners)::uuid[])))))
    END
    WHEN (contact_id IS NOT NULL) THEN
    CASE ( SELECT app.scope('contacts'::text, 'update'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.contacts r
          WHERE ((r.id = taggings.contact_id) AND (COALESCE(r.owner_id, r.created_by) = ANY (( SELECT app.owners('contacts'::text, 'update'::text) AS owners)::uuid[])))))
    END
    WHEN (company_id IS NOT NULL) THEN
    CASE ( SELECT app.scope('companies'::text, 'update'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.companies r
          WHERE ((r.id = taggings.company_id) AND (COALESCE(r.owner_id, r.created_by) = ANY (( SELECT app.owners('companies'::text, 'update'::text) AS owners)::uuid[])))))
    END
    WHEN (deal_id IS NOT NULL) THEN
    CASE ( SELECT app.scope('deals'::text, 'update'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.deals r
          WHERE ((r.id = taggings.deal_id) AND (COALESCE(r.owner_id, r.created_by) = ANY (( SELECT app.owners('deals'::text, 'update'::text) AS owners)::uuid[])))))
    END
    WHEN (task_id IS NOT NULL) THEN
    CASE ( SELECT app.scope('tasks'::text, 'update'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.tasks r
          WHERE ((r.id = taggings.task_id) AND (COALESCE(r.assignee_id, r.created_by) = ANY (( SELECT app.owners('tasks'::text, 'update'::text) AS owners)::uuid[])))))
    END
    ELSE NULL::boolean
END));

CREATE POLICY taggings_owner ON public.taggings FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY taggings_owner_merge ON public.taggings FOR UPDATE TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY taggings_owner_revert ON public.taggings FOR DELETE TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY taggings_owner_unmerge ON public.taggings FOR INSERT TO gardenos_owner WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY taggings_select ON public.taggings FOR SELECT TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE
    WHEN (lead_id IS NOT NULL) THEN
    CASE ( SELECT app.scope('leads'::text, 'read'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.leads r
          WHERE (r.id = taggings.lead_id)))
    END
    WHEN (contact_id IS NOT NULL) THEN
    CASE ( SELECT app.scope('contacts'::text, 'read'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.contacts r
          WHERE (r.id = taggings.contact_id)))
    END
    WHEN (company_id IS NOT NULL) THEN
    CASE ( SELECT app.scope('companies'::text, 'read'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.companies r
          WHERE (r.id = taggings.company_id)))
    END
    WHEN (deal_id IS NOT NULL) THEN
    CASE ( SELECT app.scope('deals'::text, 'read'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.deals r
          WHERE (r.id = taggings.deal_id)))
    END
    WHEN (task_id IS NOT NULL) THEN
    CASE ( SELECT app.scope('tasks'::text, 'read'::text) AS scope)
        WHEN 'agency'::text THEN true
        WHEN 'none'::text THEN false
        ELSE (EXISTS ( SELECT
           FROM public.tasks r
          WHERE (r.id = taggings.task_id)))
    END
    ELSE NULL::boolean
END));

CREATE POLICY taggings_update ON public.taggings FOR UPDATE TO authenticated USING (false);

ALTER TABLE public.tags ENABLE ROW LEVEL SECURITY;

CREATE POLICY tags_agent ON public.tags FOR SELECT TO gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY tags_delete ON public.tags FOR DELETE TO authenticated USING (false);

CREATE POLICY tags_insert ON public.tags FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND (( SELECT app.scope('tags'::text, 'create'::text) AS scope) = 'agency'::text)));

CREATE POLICY tags_owner_find ON public.tags FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY tags_owner_revert ON public.tags FOR DELETE TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY tags_purge ON public.tags FOR DELETE TO gardenos_worker USING ((deleted_at IS NOT NULL));

CREATE POLICY tags_select ON public.tags FOR SELECT TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND (( SELECT app.scope('tags'::text, 'read'::text) AS scope) = 'agency'::text)));

CREATE POLICY tags_update ON public.tags FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND (( SELECT app.change_scope('tags'::text) AS change_scope) = 'agency'::text))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY tags_worker ON public.tags FOR SELECT TO gardenos_worker USING (true);

ALTER TABLE public.task_schedules ENABLE ROW LEVEL SECURITY;

CREATE POLICY task_schedules_delete ON public.task_schedules FOR DELETE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_write() AS can_write)));

CREATE POLICY task_schedules_insert ON public.task_schedules FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_write() AS can_write)));

CREATE POLICY task_schedules_owner_erase ON public.task_schedules FOR UPDATE TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY task_schedules_owner_find ON public.task_schedules FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY task_schedules_select ON public.task_schedules FOR SELECT TO authenticated USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY task_schedules_update ON public.task_schedules FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_write() AS can_write))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY task_schedules_worker ON public.task_schedules TO gardenos_worker USING (true) WITH CHECK (true);

ALTER TABLE public.tasks ENABLE ROW LEVEL SECURITY;

CREATE POLICY tasks_agent ON public.tasks FOR SELECT TO gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY tasks_delete ON public.tasks FOR DELETE TO authenticated USING (false);

CREATE POLICY tasks_insert ON public.tasks FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE ( SELECT app.scope('tasks'::text, 'create'::text) AS scope)
    WHEN 'agency'::text THEN true
    WHEN 'none'::text THEN false
    ELSE (COALESCE(assignee_id, created_by) = ANY (( SELECT app.owners('tasks'::text, 'create'::text) AS owners)::uuid[]))
END));

CREATE POLICY tasks_owner ON public.tasks TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY tasks_owner_erase ON public.tasks FOR UPDATE TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY tasks_owner_find ON public.tasks FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY tasks_purge ON public.tasks FOR DELETE TO gardenos_worker USING ((deleted_at IS NOT NULL));

CREATE POLICY tasks_select ON public.tasks FOR SELECT TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE ( SELECT app.scope('tasks'::text, 'read'::text) AS scope)
    WHEN 'agency'::text THEN true
    WHEN 'none'::text THEN false
    ELSE (COALESCE(assignee_id, created_by) = ANY (( SELECT app.owners('tasks'::text, 'read'::text) AS owners)::uuid[]))
END));

CREATE POLICY tasks_update ON public.tasks FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE ( SELECT app.change_scope('tasks'::text) AS change_scope)
    WHEN 'agency'::text THEN true
    WHEN 'none'::text THEN false
    ELSE (COALESCE(assignee_id, created_by) = ANY (( SELECT app.change_owners('tasks'::text) AS change_owners)::uuid[]))
END)) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY tasks_worker ON public.tasks FOR SELECT TO gardenos_worker USING (true);

ALTER TABLE public.team_members ENABLE ROW LEVEL SECURITY;

CREATE POLICY team_members_delete ON public.team_members FOR DELETE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer)));

CREATE POLICY team_members_insert ON public.team_members FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer)));

CREATE POLICY team_members_owner ON public.team_members FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY team_members_select ON public.team_members FOR SELECT TO authenticated USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY team_members_update ON public.team_members FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

ALTER TABLE public.teams ENABLE ROW LEVEL SECURITY;

CREATE POLICY teams_delete ON public.teams FOR DELETE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer)));

CREATE POLICY teams_insert ON public.teams FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer)));

CREATE POLICY teams_owner ON public.teams FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY teams_select ON public.teams FOR SELECT TO authenticated USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY teams_update ON public.teams FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

ALTER TABLE public.views ENABLE ROW LEVEL SECURITY;

CREATE POLICY views_agent ON public.views FOR SELECT TO gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY views_delete ON public.views FOR DELETE TO authenticated USING (false);

CREATE POLICY views_insert ON public.views FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE ( SELECT app.scope('views'::text, 'create'::text) AS scope)
    WHEN 'agency'::text THEN true
    WHEN 'none'::text THEN false
    ELSE (COALESCE(created_by, created_by) = ANY (( SELECT app.owners('views'::text, 'create'::text) AS owners)::uuid[]))
END));

CREATE POLICY views_owner_erase ON public.views FOR UPDATE TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY views_owner_find ON public.views FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY views_private ON public.views AS RESTRICTIVE TO authenticated USING (
CASE
    WHEN shared THEN true
    ELSE (created_by = ( SELECT app.user_id() AS user_id))
END);

CREATE POLICY views_purge ON public.views FOR DELETE TO gardenos_worker USING ((deleted_at IS NOT NULL));

CREATE POLICY views_select ON public.views FOR SELECT TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE ( SELECT app.scope('views'::text, 'read'::text) AS scope)
    WHEN 'agency'::text THEN true
    WHEN 'none'::text THEN false
    ELSE (COALESCE(created_by, created_by) = ANY (( SELECT app.owners('views'::text, 'read'::text) AS owners)::uuid[]))
END));

CREATE POLICY views_update ON public.views FOR UPDATE TO authenticated USING (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND
CASE ( SELECT app.change_scope('views'::text) AS change_scope)
    WHEN 'agency'::text THEN true
    WHEN 'none'::text THEN false
    ELSE (COALESCE(created_by, created_by) = ANY (( SELECT app.change_owners('views'::text) AS change_owners)::uuid[]))
END)) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY views_worker ON public.views FOR SELECT TO gardenos_worker USING (true);

ALTER TABLE public.webhook_deliveries ENABLE ROW LEVEL SECURITY;

CREATE POLICY webhook_deliveries_delete ON public.webhook_deliveries FOR DELETE TO authenticated USING (false);

CREATE POLICY webhook_deliveries_deliver ON public.webhook_deliveries FOR SELECT TO gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY webhook_deliveries_fan_out ON public.webhook_deliveries TO gardenos_worker USING (true) WITH CHECK (true);

CREATE POLICY webhook_deliveries_insert ON public.webhook_deliveries FOR INSERT TO authenticated WITH CHECK (((agency_id = ( SELECT app.agency_id() AS agency_id)) AND ( SELECT app.can_administer() AS can_administer)));

CREATE POLICY webhook_deliveries_note ON public.webhook_deliveries FOR UPDATE TO gardenos_agent USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY webhook_deliveries_owner_erase ON public.webhook_deliveries FOR UPDATE TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id))) WITH CHECK ((agency_id = ( SELECT app.agency_id() AS agency_id)));

CREATE POLICY webhook_deliveries_owner_find ON public.webhook_deliveries FOR SELECT TO gardenos_owner USING ((agency_id = ( SELECT app.agency_id() AS agency_id)));

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
GRANT USAGE ON SCHEMA app TO gardenos_search;

GRANT USAGE ON SCHEMA auth TO anon;
GRANT USAGE ON SCHEMA auth TO authenticated;
GRANT USAGE ON SCHEMA auth TO service_role;
GRANT USAGE ON SCHEMA auth TO gardenos_agent;
GRANT USAGE ON SCHEMA auth TO gardenos_auth;
GRANT USAGE ON SCHEMA auth TO gardenos_owner;

GRANT ALL ON SCHEMA public TO gardenos_owner;

REVOKE ALL ON FUNCTION app.activities_search_fill() FROM PUBLIC;

GRANT DELETE ON TABLE app.likeness_keys TO gardenos_worker;

GRANT SELECT(agency_id) ON TABLE app.likeness_keys TO gardenos_worker;

GRANT SELECT(entity) ON TABLE app.likeness_keys TO gardenos_worker;

GRANT SELECT(record_id) ON TABLE app.likeness_keys TO gardenos_worker;

REVOKE ALL ON FUNCTION app.alike(kind text, keys text[], most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.alike(kind text, keys text[], most integer) TO authenticated;

REVOKE ALL ON FUNCTION app.begin_merge(kind text, kept uuid, gone uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION app.begin_merge(kind text, kept uuid, gone uuid) TO authenticated;

GRANT SELECT ON TABLE app.default_permissions TO authenticated;
GRANT SELECT ON TABLE app.default_permissions TO gardenos_agent;
GRANT SELECT ON TABLE app.default_permissions TO gardenos_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.permissions TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.team_members TO authenticated;

REVOKE ALL ON FUNCTION app.companies_search_fill() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.contacts_search_fill() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.count_references(kind text, id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION app.count_references(kind text, id uuid) TO authenticated;

GRANT SELECT,INSERT,UPDATE ON TABLE public.custom_fields TO authenticated;
GRANT SELECT ON TABLE public.custom_fields TO gardenos_agent;

GRANT SELECT(id) ON TABLE public.custom_fields TO gardenos_worker;

GRANT SELECT(agency_id) ON TABLE public.custom_fields TO gardenos_worker;

GRANT SELECT(deleted_at) ON TABLE public.custom_fields TO gardenos_worker;

REVOKE ALL ON FUNCTION app.deals_search_fill() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.end_merge(merge uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION app.end_merge(merge uuid) TO authenticated;

REVOKE ALL ON FUNCTION app.erase(lead_ids uuid[], contact_ids uuid[], emails text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION app.erase(lead_ids uuid[], contact_ids uuid[], emails text[]) TO authenticated;

REVOKE ALL ON FUNCTION app.erase_imports(lead_ids uuid[], contact_ids uuid[], emails text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION app.erase_records(lead_ids uuid[], contact_ids uuid[], emails text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION app.fold_counts() FROM PUBLIC;
GRANT ALL ON FUNCTION app.fold_counts() TO gardenos_worker;

REVOKE ALL ON FUNCTION app.forget_words() FROM PUBLIC;
GRANT ALL ON FUNCTION app.forget_words() TO authenticated;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.field_masks TO authenticated;

REVOKE ALL ON FUNCTION app.keep_keys(kind text, by_record jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION app.keep_keys(kind text, by_record jsonb) TO authenticated;

REVOKE ALL ON FUNCTION app.keep_pairs(kind text, ids uuid[], pairs jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION app.keep_pairs(kind text, ids uuid[], pairs jsonb) TO authenticated;

REVOKE ALL ON FUNCTION app.leads_search_fill() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.learn_words(agency uuid, said text) FROM PUBLIC;

REVOKE ALL ON FUNCTION app.meant_words(agency uuid, said text) FROM PUBLIC;
GRANT ALL ON FUNCTION app.meant_words(agency uuid, said text) TO gardenos_owner;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.users TO gardenos_auth;
GRANT REFERENCES ON TABLE auth.users TO gardenos_owner;

GRANT SELECT(id) ON TABLE auth.users TO gardenos_owner;

GRANT SELECT(email) ON TABLE auth.users TO gardenos_owner;

GRANT SELECT(last_sign_in_at) ON TABLE auth.users TO gardenos_owner;

GRANT SELECT(raw_user_meta_data) ON TABLE auth.users TO gardenos_owner;

GRANT SELECT,INSERT ON TABLE public.members TO gardenos_auth;
GRANT SELECT,DELETE ON TABLE public.members TO authenticated;
GRANT SELECT ON TABLE public.members TO gardenos_agent;
GRANT SELECT ON TABLE public.members TO supabase_auth_admin;

GRANT UPDATE(role) ON TABLE public.members TO authenticated;

REVOKE ALL ON FUNCTION app.move_references(merge uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION app.move_references(merge uuid) TO authenticated;

GRANT SELECT ON TABLE app.likeness_swept TO gardenos_worker;

REVOKE ALL ON FUNCTION app.note_swept(kind text, at timestamp with time zone, record_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION app.note_swept(kind text, at timestamp with time zone, record_id uuid) TO authenticated;

REVOKE ALL ON FUNCTION app.protect(entity text, owner text) FROM PUBLIC;

REVOKE ALL ON FUNCTION app.purge_deleted(keep interval, most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.purge_deleted(keep interval, most integer) TO gardenos_worker;

REVOKE ALL ON FUNCTION app.purge_imports(keep interval, most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.purge_imports(keep interval, most integer) TO gardenos_worker;

REVOKE ALL ON FUNCTION app.purge_jobs(keep interval, most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.purge_jobs(keep interval, most integer) TO gardenos_worker;

REVOKE ALL ON FUNCTION app.record(relation regclass, without text[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION app.record_changes() FROM PUBLIC;

REVOKE ALL ON FUNCTION app.revert_chunk(import uuid, chunk integer, OUT removed integer, OUT restored integer, OUT kept integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.revert_chunk(import uuid, chunk integer, OUT removed integer, OUT restored integer, OUT kept integer) TO authenticated;

REVOKE ALL ON FUNCTION app.search(q text, kinds text[], most integer, best integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.search(q text, kinds text[], most integer, best integer) TO authenticated;

REVOKE ALL ON FUNCTION app.search_kind(agency uuid, kind text, owners uuid[], said tsquery, either tsquery, whole tsquery, most integer, best integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.search_kind(agency uuid, kind text, owners uuid[], said tsquery, either tsquery, whole tsquery, most integer, best integer) TO gardenos_owner;

REVOKE ALL ON FUNCTION app.sweep_words(most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.sweep_words(most integer) TO gardenos_worker;

REVOKE ALL ON FUNCTION app.swept(kind text, OUT at timestamp with time zone, OUT record_id uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION app.swept(kind text, OUT at timestamp with time zone, OUT record_id uuid) TO authenticated;

REVOKE ALL ON FUNCTION app.undo_merge(merge uuid) FROM PUBLIC;
GRANT ALL ON FUNCTION app.undo_merge(merge uuid) TO authenticated;

GRANT SELECT,UPDATE ON TABLE public.agencies TO authenticated;
GRANT SELECT ON TABLE public.agencies TO gardenos_agent;
GRANT SELECT,INSERT ON TABLE public.agencies TO gardenos_auth;

GRANT SELECT(id) ON TABLE public.agencies TO gardenos_worker;

GRANT SELECT,INSERT,UPDATE ON TABLE public.companies TO authenticated;
GRANT SELECT ON TABLE public.companies TO gardenos_agent;
GRANT DELETE ON TABLE public.companies TO gardenos_worker;

GRANT SELECT(id) ON TABLE public.companies TO gardenos_worker;

GRANT SELECT(agency_id) ON TABLE public.companies TO gardenos_worker;

GRANT SELECT(updated_at) ON TABLE public.companies TO gardenos_worker;

GRANT SELECT(deleted_at) ON TABLE public.companies TO gardenos_worker;

GRANT SELECT,INSERT,UPDATE ON TABLE public.contacts TO authenticated;
GRANT SELECT ON TABLE public.contacts TO gardenos_agent;
GRANT DELETE ON TABLE public.contacts TO gardenos_worker;

GRANT SELECT(id) ON TABLE public.contacts TO gardenos_worker;

GRANT SELECT(agency_id) ON TABLE public.contacts TO gardenos_worker;

GRANT SELECT(updated_at) ON TABLE public.contacts TO gardenos_worker;

GRANT SELECT(deleted_at) ON TABLE public.contacts TO gardenos_worker;

GRANT SELECT,INSERT,UPDATE ON TABLE public.leads TO authenticated;
GRANT SELECT ON TABLE public.leads TO gardenos_agent;
GRANT DELETE ON TABLE public.leads TO gardenos_worker;

GRANT SELECT(id) ON TABLE public.leads TO gardenos_worker;

GRANT SELECT(agency_id) ON TABLE public.leads TO gardenos_worker;

GRANT UPDATE(quality_score) ON TABLE public.leads TO gardenos_agent;

GRANT UPDATE(conversion_probability) ON TABLE public.leads TO gardenos_agent;

GRANT UPDATE(scored_at) ON TABLE public.leads TO gardenos_agent;

GRANT SELECT(updated_at) ON TABLE public.leads TO gardenos_worker;

GRANT SELECT(deleted_at) ON TABLE public.leads TO gardenos_worker;

REVOKE ALL ON FUNCTION app.unswept(margin interval, most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION app.unswept(margin interval, most integer) TO gardenos_worker;

REVOKE ALL ON FUNCTION public.custom_access_token_hook(event jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION public.custom_access_token_hook(event jsonb) TO gardenos_auth;
GRANT ALL ON FUNCTION public.custom_access_token_hook(event jsonb) TO supabase_auth_admin;

GRANT SELECT ON TABLE app.entities TO authenticated;
GRANT SELECT ON TABLE app.entities TO gardenos_agent;
GRANT SELECT ON TABLE app.entities TO gardenos_worker;

GRANT SELECT,DELETE ON TABLE app.erased_files TO gardenos_worker;

GRANT SELECT,UPDATE ON TABLE app.feed TO gardenos_worker;

GRANT SELECT ON TABLE app.migrations TO gardenos_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE app.rate_buckets TO gardenos_auth;

GRANT SELECT,DELETE ON TABLE app.record_count_changes TO gardenos_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE app.record_counts TO gardenos_worker;

GRANT SELECT ON TABLE app.search_documents TO gardenos_worker;
GRANT SELECT ON TABLE app.search_documents TO gardenos_search;

GRANT SELECT,DELETE ON TABLE app.search_words TO gardenos_worker;
GRANT SELECT ON TABLE app.search_words TO gardenos_search;

GRANT SELECT,DELETE,UPDATE ON TABLE app.search_words_gone TO gardenos_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE app.sign_in_attempts TO gardenos_auth;

GRANT SELECT,UPDATE ON TABLE app.webhook_cursor TO gardenos_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.identities TO gardenos_auth;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.refresh_tokens TO gardenos_auth;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE auth.sessions TO gardenos_auth;

GRANT SELECT,INSERT ON TABLE public.activities TO authenticated;
GRANT SELECT,INSERT ON TABLE public.activities TO gardenos_agent;

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

GRANT SELECT,INSERT,UPDATE ON TABLE public.attachments TO authenticated;
GRANT SELECT ON TABLE public.attachments TO gardenos_agent;
GRANT DELETE ON TABLE public.attachments TO gardenos_worker;

GRANT SELECT(id) ON TABLE public.attachments TO gardenos_worker;

GRANT SELECT(agency_id) ON TABLE public.attachments TO gardenos_worker;

GRANT SELECT(state) ON TABLE public.attachments TO gardenos_worker;

GRANT SELECT(storage_key) ON TABLE public.attachments TO gardenos_worker;

GRANT SELECT(created_at) ON TABLE public.attachments TO gardenos_worker;

GRANT SELECT(deleted_at) ON TABLE public.attachments TO gardenos_worker;

GRANT SELECT ON TABLE public.audit_log TO authenticated;

GRANT SELECT ON TABLE public.bulk_chunks TO authenticated;

GRANT INSERT(agency_id) ON TABLE public.bulk_chunks TO authenticated;

GRANT INSERT(job_id) ON TABLE public.bulk_chunks TO authenticated;

GRANT INSERT(number) ON TABLE public.bulk_chunks TO authenticated;

GRANT INSERT(operations),UPDATE(operations) ON TABLE public.bulk_chunks TO authenticated;

GRANT UPDATE(results) ON TABLE public.bulk_chunks TO authenticated;

GRANT SELECT ON TABLE public.bulk_jobs TO authenticated;
GRANT SELECT ON TABLE public.bulk_jobs TO gardenos_agent;
GRANT DELETE ON TABLE public.bulk_jobs TO gardenos_worker;

GRANT SELECT(id) ON TABLE public.bulk_jobs TO gardenos_worker;

GRANT INSERT(agency_id) ON TABLE public.bulk_jobs TO authenticated;

GRANT INSERT(entity) ON TABLE public.bulk_jobs TO authenticated;

GRANT INSERT(created_by) ON TABLE public.bulk_jobs TO authenticated;

GRANT INSERT(role) ON TABLE public.bulk_jobs TO authenticated;

GRANT INSERT(key_id) ON TABLE public.bulk_jobs TO authenticated;

GRANT INSERT(scopes) ON TABLE public.bulk_jobs TO authenticated;

GRANT UPDATE(task_id) ON TABLE public.bulk_jobs TO authenticated;
GRANT SELECT(task_id) ON TABLE public.bulk_jobs TO gardenos_worker;

GRANT INSERT(total) ON TABLE public.bulk_jobs TO authenticated;

GRANT UPDATE(succeeded) ON TABLE public.bulk_jobs TO authenticated;

GRANT UPDATE(failed) ON TABLE public.bulk_jobs TO authenticated;

GRANT SELECT(created_at) ON TABLE public.bulk_jobs TO gardenos_worker;

GRANT UPDATE(started_at) ON TABLE public.bulk_jobs TO authenticated;

GRANT UPDATE(finished_at) ON TABLE public.bulk_jobs TO authenticated;
GRANT SELECT(finished_at) ON TABLE public.bulk_jobs TO gardenos_worker;

GRANT SELECT ON TABLE public.custom_values TO authenticated;
GRANT DELETE ON TABLE public.custom_values TO gardenos_worker;

GRANT SELECT(record_id) ON TABLE public.custom_values TO gardenos_worker;

GRANT SELECT ON TABLE public.deal_stages TO authenticated;

GRANT SELECT,INSERT,UPDATE ON TABLE public.deals TO authenticated;
GRANT SELECT ON TABLE public.deals TO gardenos_agent;
GRANT DELETE ON TABLE public.deals TO gardenos_worker;

GRANT SELECT(id) ON TABLE public.deals TO gardenos_worker;

GRANT SELECT(agency_id) ON TABLE public.deals TO gardenos_worker;

GRANT SELECT(pipeline_id) ON TABLE public.deals TO gardenos_worker;

GRANT SELECT(deleted_at) ON TABLE public.deals TO gardenos_worker;

GRANT SELECT ON TABLE public.dispatch_limits TO authenticated;
GRANT SELECT ON TABLE public.dispatch_limits TO gardenos_agent;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.dispatch_limits TO gardenos_worker;

GRANT SELECT,INSERT,DELETE ON TABLE public.dispatch_pauses TO authenticated;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.dispatch_pauses TO gardenos_worker;

GRANT SELECT ON TABLE public.duplicates TO authenticated;
GRANT DELETE ON TABLE public.duplicates TO gardenos_worker;

GRANT SELECT(agency_id) ON TABLE public.duplicates TO gardenos_worker;

GRANT SELECT(entity) ON TABLE public.duplicates TO gardenos_worker;

GRANT SELECT(first_id) ON TABLE public.duplicates TO gardenos_worker;

GRANT SELECT(second_id) ON TABLE public.duplicates TO gardenos_worker;

GRANT UPDATE(state) ON TABLE public.duplicates TO authenticated;

GRANT UPDATE(decided_by) ON TABLE public.duplicates TO authenticated;

GRANT UPDATE(decided_at) ON TABLE public.duplicates TO authenticated;

GRANT SELECT ON TABLE public.follow_ups TO authenticated;
GRANT SELECT,INSERT ON TABLE public.follow_ups TO gardenos_agent;

GRANT SELECT(id) ON TABLE public.follow_ups TO gardenos_worker;

GRANT SELECT(agency_id) ON TABLE public.follow_ups TO gardenos_worker;

GRANT SELECT(task_id) ON TABLE public.follow_ups TO gardenos_worker;

GRANT UPDATE(state) ON TABLE public.follow_ups TO authenticated;

GRANT SELECT,INSERT,UPDATE ON TABLE public.idempotency_keys TO authenticated;
GRANT DELETE ON TABLE public.idempotency_keys TO gardenos_worker;

GRANT SELECT(created_at) ON TABLE public.idempotency_keys TO gardenos_worker;

GRANT SELECT ON TABLE public.import_chunks TO authenticated;
GRANT DELETE ON TABLE public.import_chunks TO gardenos_worker;

GRANT INSERT(agency_id) ON TABLE public.import_chunks TO authenticated;

GRANT INSERT(import_id) ON TABLE public.import_chunks TO authenticated;
GRANT SELECT(import_id) ON TABLE public.import_chunks TO gardenos_worker;

GRANT INSERT(number) ON TABLE public.import_chunks TO authenticated;

GRANT INSERT(first_row) ON TABLE public.import_chunks TO authenticated;

GRANT INSERT(rows) ON TABLE public.import_chunks TO authenticated;

GRANT INSERT(data),UPDATE(data) ON TABLE public.import_chunks TO authenticated;

GRANT INSERT(rejected),UPDATE(rejected) ON TABLE public.import_chunks TO authenticated;

GRANT INSERT(created),UPDATE(created) ON TABLE public.import_chunks TO authenticated;

GRANT INSERT(tagged),UPDATE(tagged) ON TABLE public.import_chunks TO authenticated;

GRANT INSERT(new_tags),UPDATE(new_tags) ON TABLE public.import_chunks TO authenticated;

GRANT INSERT(undo),UPDATE(undo) ON TABLE public.import_chunks TO authenticated;

GRANT INSERT(done_at),UPDATE(done_at) ON TABLE public.import_chunks TO authenticated;

GRANT SELECT ON TABLE public.imports TO authenticated;
GRANT SELECT ON TABLE public.imports TO gardenos_agent;
GRANT DELETE ON TABLE public.imports TO gardenos_worker;

GRANT SELECT(id) ON TABLE public.imports TO gardenos_worker;

GRANT INSERT(agency_id) ON TABLE public.imports TO authenticated;

GRANT INSERT(filename) ON TABLE public.imports TO authenticated;

GRANT UPDATE(rows_read) ON TABLE public.imports TO authenticated;

GRANT UPDATE(imported) ON TABLE public.imports TO authenticated;

GRANT UPDATE(duplicates) ON TABLE public.imports TO authenticated;

GRANT UPDATE(rejected) ON TABLE public.imports TO authenticated;

GRANT INSERT(created_by) ON TABLE public.imports TO authenticated;

GRANT SELECT(created_at) ON TABLE public.imports TO gardenos_worker;

GRANT INSERT(entity) ON TABLE public.imports TO authenticated;

GRANT INSERT(state),UPDATE(state) ON TABLE public.imports TO authenticated;
GRANT SELECT(state) ON TABLE public.imports TO gardenos_worker;

GRANT INSERT(format) ON TABLE public.imports TO authenticated;

GRANT INSERT(encoding) ON TABLE public.imports TO authenticated;

GRANT INSERT(delimiter) ON TABLE public.imports TO authenticated;

GRANT INSERT(headers) ON TABLE public.imports TO authenticated;

GRANT INSERT(options),UPDATE(options) ON TABLE public.imports TO authenticated;

GRANT INSERT(digest) ON TABLE public.imports TO authenticated;

GRANT INSERT(again),UPDATE(again) ON TABLE public.imports TO authenticated;

GRANT INSERT(rows_total),UPDATE(rows_total) ON TABLE public.imports TO authenticated;

GRANT UPDATE(updated) ON TABLE public.imports TO authenticated;

GRANT UPDATE(tasks_enqueued) ON TABLE public.imports TO authenticated;

GRANT UPDATE(removed) ON TABLE public.imports TO authenticated;

GRANT UPDATE(restored) ON TABLE public.imports TO authenticated;

GRANT UPDATE(kept) ON TABLE public.imports TO authenticated;

GRANT INSERT(role) ON TABLE public.imports TO authenticated;

GRANT INSERT(key_id) ON TABLE public.imports TO authenticated;

GRANT INSERT(scopes) ON TABLE public.imports TO authenticated;

GRANT UPDATE(task_id) ON TABLE public.imports TO authenticated;
GRANT SELECT(task_id) ON TABLE public.imports TO gardenos_worker;

GRANT UPDATE(started_at) ON TABLE public.imports TO authenticated;

GRANT UPDATE(finished_at) ON TABLE public.imports TO authenticated;
GRANT SELECT(finished_at) ON TABLE public.imports TO gardenos_worker;

GRANT SELECT(purged_at),UPDATE(purged_at) ON TABLE public.imports TO gardenos_worker;

GRANT DELETE ON TABLE public.invitations TO authenticated;
GRANT SELECT ON TABLE public.invitations TO gardenos_auth;

GRANT SELECT(id),INSERT(id) ON TABLE public.invitations TO authenticated;

GRANT SELECT(agency_id),INSERT(agency_id) ON TABLE public.invitations TO authenticated;

GRANT SELECT(email),INSERT(email) ON TABLE public.invitations TO authenticated;

GRANT SELECT(role),INSERT(role) ON TABLE public.invitations TO authenticated;

GRANT INSERT(digest) ON TABLE public.invitations TO authenticated;

GRANT SELECT(invited_by),INSERT(invited_by) ON TABLE public.invitations TO authenticated;

GRANT SELECT(expires_at),INSERT(expires_at) ON TABLE public.invitations TO authenticated;

GRANT SELECT(accepted_at) ON TABLE public.invitations TO authenticated;
GRANT UPDATE(accepted_at) ON TABLE public.invitations TO gardenos_auth;

GRANT SELECT(accepted_by) ON TABLE public.invitations TO authenticated;
GRANT UPDATE(accepted_by) ON TABLE public.invitations TO gardenos_auth;

GRANT SELECT(created_at) ON TABLE public.invitations TO authenticated;

GRANT SELECT,INSERT ON TABLE public.lead_conversions TO authenticated;

GRANT UPDATE(undone_by) ON TABLE public.lead_conversions TO authenticated;

GRANT UPDATE(undone_at) ON TABLE public.lead_conversions TO authenticated;

GRANT SELECT ON TABLE public.lead_scores TO authenticated;
GRANT SELECT,INSERT ON TABLE public.lead_scores TO gardenos_agent;

GRANT SELECT(id) ON TABLE public.lead_scores TO gardenos_worker;

GRANT SELECT(agency_id) ON TABLE public.lead_scores TO gardenos_worker;

GRANT SELECT(task_id) ON TABLE public.lead_scores TO gardenos_worker;

GRANT SELECT ON TABLE public.llm_calls TO authenticated;
GRANT SELECT,INSERT ON TABLE public.llm_calls TO gardenos_agent;
GRANT SELECT ON TABLE public.llm_calls TO gardenos_worker;

GRANT SELECT ON TABLE public.llm_spend TO authenticated;
GRANT SELECT ON TABLE public.llm_spend TO gardenos_worker;
GRANT SELECT,INSERT,UPDATE ON TABLE public.llm_spend TO gardenos_agent;

GRANT DELETE ON TABLE public.merges TO gardenos_worker;

GRANT SELECT(id) ON TABLE public.merges TO authenticated;

GRANT SELECT(agency_id) ON TABLE public.merges TO authenticated;
GRANT SELECT(agency_id) ON TABLE public.merges TO gardenos_worker;

GRANT SELECT(entity) ON TABLE public.merges TO authenticated;
GRANT SELECT(entity) ON TABLE public.merges TO gardenos_worker;

GRANT SELECT(kept_id) ON TABLE public.merges TO authenticated;
GRANT SELECT(kept_id) ON TABLE public.merges TO gardenos_worker;

GRANT SELECT(gone_id) ON TABLE public.merges TO authenticated;
GRANT SELECT(gone_id) ON TABLE public.merges TO gardenos_worker;

GRANT SELECT(moved) ON TABLE public.merges TO authenticated;

GRANT SELECT(merged_by) ON TABLE public.merges TO authenticated;

GRANT SELECT(merged_at) ON TABLE public.merges TO authenticated;

GRANT SELECT(undone_by) ON TABLE public.merges TO authenticated;

GRANT SELECT(undone_at) ON TABLE public.merges TO authenticated;

GRANT SELECT,INSERT ON TABLE public.operator_actions TO gardenos_worker;

GRANT SELECT,UPDATE ON TABLE public.orchestrator_lease TO gardenos_worker;

GRANT SELECT,DELETE ON TABLE public.outbox TO gardenos_worker;

GRANT SELECT,INSERT,UPDATE ON TABLE public.pipelines TO authenticated;
GRANT SELECT ON TABLE public.pipelines TO gardenos_agent;
GRANT DELETE ON TABLE public.pipelines TO gardenos_worker;

GRANT SELECT(id) ON TABLE public.pipelines TO gardenos_worker;

GRANT SELECT(agency_id) ON TABLE public.pipelines TO gardenos_worker;

GRANT SELECT(deleted_at) ON TABLE public.pipelines TO gardenos_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.stages TO authenticated;
GRANT SELECT ON TABLE public.stages TO gardenos_agent;

GRANT SELECT,INSERT,DELETE ON TABLE public.taggings TO authenticated;
GRANT SELECT ON TABLE public.taggings TO gardenos_agent;

GRANT SELECT,INSERT,UPDATE ON TABLE public.tags TO authenticated;
GRANT SELECT ON TABLE public.tags TO gardenos_agent;
GRANT DELETE ON TABLE public.tags TO gardenos_worker;

GRANT SELECT(id) ON TABLE public.tags TO gardenos_worker;

GRANT SELECT(agency_id) ON TABLE public.tags TO gardenos_worker;

GRANT SELECT(deleted_at) ON TABLE public.tags TO gardenos_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.task_schedules TO authenticated;
GRANT SELECT,UPDATE ON TABLE public.task_schedules TO gardenos_worker;

GRANT SELECT,INSERT,UPDATE ON TABLE public.tasks TO authenticated;
GRANT SELECT ON TABLE public.tasks TO gardenos_agent;
GRANT DELETE ON TABLE public.tasks TO gardenos_worker;

GRANT SELECT(id) ON TABLE public.tasks TO gardenos_worker;

GRANT SELECT(agency_id) ON TABLE public.tasks TO gardenos_worker;

GRANT SELECT(deleted_at) ON TABLE public.tasks TO gardenos_worker;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE public.teams TO authenticated;

GRANT SELECT,INSERT,UPDATE ON TABLE public.views TO authenticated;
GRANT SELECT ON TABLE public.views TO gardenos_agent;
GRANT DELETE ON TABLE public.views TO gardenos_worker;

GRANT SELECT(id) ON TABLE public.views TO gardenos_worker;

GRANT SELECT(agency_id) ON TABLE public.views TO gardenos_worker;

GRANT SELECT(deleted_at) ON TABLE public.views TO gardenos_worker;

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
