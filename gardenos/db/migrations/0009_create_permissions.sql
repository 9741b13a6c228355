-- Who may do what: for each role, entity and verb a scope; for each role and field a mask. Policies
-- and triggers read both, so SQL, PostgREST and the API agree. docs/permissions.md prints the defaults.

-- What can be spoken of; a migration that adds an entity adds its row here and its defaults below.
CREATE TABLE app.entities (
  name   text PRIMARY KEY CHECK (name ~ '^[a-z][a-z_]{0,39}$'),
  scoped boolean NOT NULL
);
COMMENT ON COLUMN app.entities.scoped IS 'Whether its rows have an owner; else a scope is agency or none.';
INSERT INTO app.entities (name, scoped) VALUES
  ('leads', true), ('contacts', true), ('companies', true), ('deals', true), ('pipelines', false),
  ('activities', true), ('tasks', true);

CREATE TABLE app.default_permissions (
  role   text NOT NULL CHECK (role IN ('owner', 'admin', 'manager', 'agent', 'read_only')),
  entity text NOT NULL REFERENCES app.entities (name),
  verb   text NOT NULL CHECK (verb IN ('read', 'create', 'update', 'delete')),
  scope  text NOT NULL CHECK (scope IN ('none', 'own', 'team', 'agency')),
  PRIMARY KEY (role, entity, verb)
);
INSERT INTO app.default_permissions (role, entity, verb, scope)
SELECT role, e.name, verb,
       CASE
         WHEN role IN ('owner', 'admin', 'manager') THEN 'agency'
         WHEN verb = 'read' THEN 'agency'
         WHEN role = 'read_only' OR e.name = 'pipelines' THEN 'none'
         WHEN verb = 'delete' THEN 'own'
         ELSE 'agency'
       END
  FROM unnest(ARRAY['owner', 'admin', 'manager', 'agent', 'read_only']) AS role,
       app.entities e,
       unnest(ARRAY['read', 'create', 'update', 'delete']) AS verb;
GRANT SELECT ON app.entities, app.default_permissions TO authenticated, gardenos_agent, gardenos_worker;

CREATE TABLE public.teams (
  id         uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id  uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  name       text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
  version    bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (agency_id, id)
);
CREATE TRIGGER teams_touch BEFORE UPDATE ON public.teams FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE UNIQUE INDEX teams_name_key ON public.teams (agency_id, lower(name));

CREATE TABLE public.team_members (
  agency_id uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  team_id   uuid NOT NULL,
  user_id   uuid NOT NULL,
  PRIMARY KEY (agency_id, team_id, user_id),
  FOREIGN KEY (agency_id, team_id) REFERENCES public.teams (agency_id, id) ON DELETE CASCADE,
  FOREIGN KEY (agency_id, user_id) REFERENCES public.members (agency_id, user_id) ON DELETE CASCADE
);
CREATE INDEX team_members_user_idx ON public.team_members (agency_id, user_id);

-- What an agency decided otherwise than the defaults.
CREATE TABLE public.permissions (
  agency_id uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  role      text NOT NULL CHECK (role IN ('admin', 'manager', 'agent', 'read_only')),
  entity    text NOT NULL REFERENCES app.entities (name),
  verb      text NOT NULL CHECK (verb IN ('read', 'create', 'update', 'delete')),
  scope     text NOT NULL CHECK (scope IN ('none', 'own', 'team', 'agency')),
  PRIMARY KEY (agency_id, role, entity, verb)
);

CREATE TABLE public.field_masks (
  agency_id uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  role      text NOT NULL CHECK (role IN ('admin', 'manager', 'agent', 'read_only')),
  entity    text NOT NULL REFERENCES app.entities (name),
  field     text NOT NULL CHECK (char_length(field) BETWEEN 1 AND 100),
  access    text NOT NULL CHECK (access IN ('hidden', 'read_only')),
  PRIMARY KEY (agency_id, role, entity, field)
);

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['teams', 'team_members', 'permissions', 'field_masks'] LOOP
    EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY %I ON public.%I FOR SELECT TO authenticated
      USING (agency_id = (SELECT app.agency_id()))', name || '_select', name);
    -- A function that runs as the owner asks app.scope(), too, and is to hear what the agency decided.
    EXECUTE format('CREATE POLICY %I ON public.%I FOR SELECT TO gardenos_owner
      USING (agency_id = (SELECT app.agency_id()))', name || '_owner', name);
    EXECUTE format('CREATE POLICY %I ON public.%I FOR INSERT TO authenticated
      WITH CHECK (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_administer()))', name || '_insert', name);
    EXECUTE format('CREATE POLICY %I ON public.%I FOR UPDATE TO authenticated
      USING (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_administer()))
      WITH CHECK (agency_id = (SELECT app.agency_id()))', name || '_update', name);
    EXECUTE format('CREATE POLICY %I ON public.%I FOR DELETE TO authenticated
      USING (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_administer()))', name || '_delete', name);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON public.%I TO authenticated', name);
  END LOOP;
END
$$;

-- An API key's claims name its scopes: `read`, `write`, `leads:read`, `leads:write`. Writing includes
-- reading. A token without `scopes` is held back by its role alone.
CREATE FUNCTION app.key_allows(entity text, verb text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN NOT coalesce(app.claims() ? 'scopes', false)
    OR app.claims() -> 'scopes' ?| CASE verb
         WHEN 'read' THEN ARRAY['read', 'write', entity || ':read', entity || ':write']
         ELSE ARRAY['write', entity || ':write']
       END;

CREATE OR REPLACE FUNCTION app.can_write() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(app.user_role() IN ('owner', 'admin', 'manager', 'agent'), false)
   AND app.key_allows('', 'write');

CREATE OR REPLACE FUNCTION app.can_administer() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(app.user_role() IN ('owner', 'admin'), false) AND app.key_allows('', 'write');

-- none, own, team or agency.
CREATE FUNCTION app.scope(entity text, verb text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN app.key_allows(entity, verb) THEN coalesce(
  (SELECT p.scope FROM public.permissions p
    WHERE p.agency_id = app.agency_id() AND p.role = app.user_role()
      AND p.entity = scope.entity AND p.verb = scope.verb),
  (SELECT d.scope FROM app.default_permissions d
    WHERE d.role = app.user_role() AND d.entity = scope.entity AND d.verb = scope.verb),
  'none') ELSE 'none' END;

-- The wider of the scopes for changing and for deleting: deleting marks a row, which is an update.
-- app.guard_changes() then tells the two apart.
CREATE FUNCTION app.change_scope(entity text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN (SELECT s FROM unnest(ARRAY['agency', 'team', 'own', 'none']) WITH ORDINALITY AS w(s, n)
         WHERE s IN (app.scope(entity, 'update'), app.scope(entity, 'delete')) ORDER BY n LIMIT 1);

-- Whose rows a scope reaches, of those narrower than the agency.
CREATE FUNCTION app.owners(scope text) RETURNS uuid[]
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE scope
  WHEN 'own' THEN ARRAY[app.user_id()]
  WHEN 'team' THEN ARRAY[app.user_id()] || ARRAY(
    SELECT mate.user_id
      FROM public.team_members mine
      JOIN public.team_members mate ON mate.agency_id = mine.agency_id AND mate.team_id = mine.team_id
     WHERE mine.agency_id = app.agency_id() AND mine.user_id = app.user_id())
  ELSE '{}'::uuid[]
END;
CREATE FUNCTION app.owners(entity text, verb text) RETURNS uuid[]
LANGUAGE sql STABLE PARALLEL SAFE
RETURN app.owners(app.scope(entity, verb));
CREATE FUNCTION app.change_owners(entity text) RETURNS uuid[]
LANGUAGE sql STABLE PARALLEL SAFE
RETURN app.owners(app.change_scope(entity));

-- The fields of an entity that the role may not see.
CREATE FUNCTION app.hidden_fields(entity text) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
RETURN ARRAY(SELECT m.field FROM public.field_masks m
              WHERE m.agency_id = app.agency_id() AND m.role = app.user_role()
                AND m.entity = hidden_fields.entity AND m.access = 'hidden'
              ORDER BY m.field);

-- For lists that filter or sort by fields: what may not be seen may not be guessed either.
CREATE FUNCTION app.require_readable(entity text, fields text[]) RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
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

-- After a statement, where policies cannot tell: what was deleted or restored needs the scope for
-- deleting, what changed otherwise the one for changing, and no field changes that the role may not set.
-- Arguments: the entity, the column of its owner; without one a scope narrower than the agency is none.
CREATE FUNCTION app.guard_changes() RETURNS trigger
LANGUAGE plpgsql AS $$
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

-- A row that is put in may hold nothing but a default where the role may not set the field.
CREATE FUNCTION app.guard_inserts() RETURNS trigger
LANGUAGE plpgsql AS $$
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

-- The fields of an entity that the role may not set.
CREATE FUNCTION app.masked_fields(entity text) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
RETURN ARRAY(SELECT m.field FROM public.field_masks m
              WHERE m.agency_id = app.agency_id() AND m.role = app.user_role()
                AND m.entity = masked_fields.entity
              ORDER BY m.field);

-- A field of a row: a column, or with `custom.` before its name a value of the agency's own.
CREATE FUNCTION app.field_of(record jsonb, field text) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN starts_with(field, 'custom.') THEN record -> 'custom' -> substr(field, 8) ELSE record -> field END;

-- What a column holds when nothing is said; null where that is nothing.
CREATE FUNCTION app.default_of(relation oid, field text) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
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

-- Puts a table of records under all of this. `owner` is the column that says whose a row is, null for
-- an entity whose rows have none. The table has id, agency_id, created_by, version, updated_at and
-- deleted_at. Whoever created a row that nobody owns counts as its owner.
CREATE FUNCTION app.protect(entity text, owner text) RETURNS void
LANGUAGE plpgsql AS $$
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
$$;
REVOKE EXECUTE ON FUNCTION app.protect FROM PUBLIC;
