-- Who changed what, kept for people, and what has changed, kept a short while for programs that follow
-- along. One trigger per statement writes both, whoever runs the statement. docs/audit.md says more.

-- Without a reference to the agency: the log outlives what it speaks of.
CREATE TABLE public.audit_log (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  agency_id  uuid NOT NULL,
  at         timestamptz NOT NULL DEFAULT now(),
  actor      uuid,
  actor_kind text NOT NULL CHECK (actor_kind IN ('member', 'key', 'agent', 'system')),
  request_id text CHECK (char_length(request_id) <= 64),
  entity     text NOT NULL,
  record_id  text NOT NULL,
  verb       text NOT NULL CHECK (verb IN ('create', 'update', 'delete', 'restore', 'purge', 'erase')),
  changes    jsonb NOT NULL DEFAULT '{}',
  erased_at  timestamptz
);
COMMENT ON COLUMN public.audit_log.record_id IS 'The id; of a row without one its key, joined by slashes.';
COMMENT ON COLUMN public.audit_log.changes IS '{field: [before, after]} of the fields that changed; of a create {field: after}, which costs a sixth. app.told() makes one of both.';
COMMENT ON COLUMN public.audit_log.erased_at IS 'When the values were taken out for a person; the fields stay.';
CREATE INDEX audit_log_at_idx ON public.audit_log (agency_id, at DESC, id DESC);
CREATE INDEX audit_log_record_idx ON public.audit_log (agency_id, record_id, at DESC, id DESC);

-- A reader goes on behind (txid, seq), up to the oldest transaction still at work: seq alone would pass
-- over what commits late.
CREATE TABLE public.outbox (
  seq       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  txid      xid8 NOT NULL DEFAULT pg_current_xact_id(),
  agency_id uuid NOT NULL,
  entity    text NOT NULL,
  record_id text NOT NULL,
  verb      text NOT NULL,
  at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_agency_idx ON public.outbox (agency_id, txid, seq);
CREATE INDEX outbox_txid_idx ON public.outbox (txid, seq);
CREATE INDEX outbox_at_idx ON public.outbox USING brin (at);

INSERT INTO app.entities (name, scoped) VALUES ('audit', false);
INSERT INTO app.default_permissions (role, entity, verb, scope)
SELECT role, 'audit', verb, CASE WHEN role IN ('owner', 'admin') AND verb = 'read' THEN 'agency' ELSE 'none' END
  FROM unnest(ARRAY['owner', 'admin', 'manager', 'agent', 'read_only']) AS role,
       unnest(ARRAY['read', 'create', 'update', 'delete']) AS verb;

ALTER TABLE public.audit_log ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.audit_log FORCE ROW LEVEL SECURITY;
CREATE POLICY audit_log_select ON public.audit_log FOR SELECT TO authenticated
  USING (agency_id = (SELECT app.agency_id()) AND (SELECT app.scope('audit', 'read')) = 'agency');
CREATE POLICY audit_log_insert ON public.audit_log FOR INSERT TO authenticated WITH CHECK (false);
CREATE POLICY audit_log_update ON public.audit_log FOR UPDATE TO authenticated USING (false);
CREATE POLICY audit_log_delete ON public.audit_log FOR DELETE TO authenticated USING (false);
-- Only app.record_changes() and app.erase() run as the owner; nobody has a policy for removing.
CREATE POLICY audit_log_record ON public.audit_log FOR INSERT TO gardenos_owner WITH CHECK (true);
CREATE POLICY audit_log_find ON public.audit_log FOR SELECT TO gardenos_owner USING (agency_id = (SELECT app.agency_id()));
CREATE POLICY audit_log_erase ON public.audit_log FOR UPDATE TO gardenos_owner
  USING (agency_id = (SELECT app.agency_id())) WITH CHECK (agency_id = (SELECT app.agency_id()));
GRANT SELECT ON public.audit_log TO authenticated;

ALTER TABLE public.outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.outbox FORCE ROW LEVEL SECURITY;
CREATE POLICY outbox_select ON public.outbox FOR SELECT TO authenticated USING (agency_id = (SELECT app.agency_id()));
CREATE POLICY outbox_insert ON public.outbox FOR INSERT TO authenticated WITH CHECK (false);
CREATE POLICY outbox_update ON public.outbox FOR UPDATE TO authenticated USING (false);
CREATE POLICY outbox_delete ON public.outbox FOR DELETE TO authenticated USING (false);
CREATE POLICY outbox_record ON public.outbox FOR INSERT TO gardenos_owner WITH CHECK (true);
CREATE POLICY outbox_read ON public.outbox FOR SELECT TO gardenos_worker USING (true);
CREATE POLICY outbox_prune ON public.outbox FOR DELETE TO gardenos_worker USING (true);
-- Ids of rows that a narrower scope hides: read by the worker, which asks before it tells.
GRANT SELECT, DELETE ON public.outbox TO gardenos_worker;

-- The values of an agency's own, each as a field under the name that masks have for it: custom.NAME.
CREATE FUNCTION app.flat(record jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce((SELECT jsonb_object_agg('custom.' || v.key, v.value) FROM jsonb_each(record -> 'custom') v), '{}');

-- The fields in which two states of a record differ. Both have the same columns.
CREATE FUNCTION app.changed(before jsonb, after jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
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

CREATE FUNCTION app.removed(record jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce((
  SELECT jsonb_object_agg(f.key, jsonb_build_array(f.value, NULL))
    FROM jsonb_each(jsonb_strip_nulls(record - 'custom' || app.flat(record))) f), '{}');

-- An entry's changes as people read them, without the fields that are hidden from them.
CREATE FUNCTION app.told(verb text, changes jsonb, hidden text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
  WHEN verb <> 'create' THEN changes - hidden
  ELSE coalesce((
    SELECT jsonb_object_agg(f.key, jsonb_build_array(NULL, f.value))
      FROM jsonb_each((changes - 'custom' || app.flat(changes)) - hidden) f), '{}')
  END;

CREATE FUNCTION app.key_of(record jsonb, keys text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE cardinality(keys) WHEN 1 THEN record ->> keys[1]
  ELSE (SELECT string_agg(record ->> k, '/' ORDER BY n) FROM unnest(keys) WITH ORDINALITY AS w(k, n)) END;

-- Arguments: the entity, the column of the agency, those of the key, those left out of `changes`.
CREATE FUNCTION app.record_changes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
REVOKE EXECUTE ON FUNCTION app.record_changes FROM PUBLIC;

-- Puts a table under the log: `SELECT app.record('public.things')`. Its key is the primary one without
-- the agency. What is computed, what every change touches, and `without` is left out of `changes`: say it
-- again after adding a generated column.
CREATE FUNCTION app.record(relation regclass, without text[] DEFAULT '{}') RETURNS void
LANGUAGE plpgsql AS $$
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
REVOKE EXECUTE ON FUNCTION app.record FROM PUBLIC;

SELECT app.record(name::regclass)
  FROM unnest(ARRAY['public.agencies', 'public.members', 'public.teams', 'public.team_members',
                    'public.permissions', 'public.field_masks', 'public.imports', 'public.leads',
                    'public.companies', 'public.contacts', 'public.pipelines', 'public.stages',
                    'public.deals', 'public.tasks']) AS name;
-- Texts that nothing changes are kept where they are, and not here once more.
SELECT app.record('public.activities', ARRAY['subject', 'body', 'details']);
SELECT app.record('public.follow_ups', ARRAY['subject', 'body', 'full_message']);
