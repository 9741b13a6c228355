-- Two records that are one become one: what refers to the one that goes refers to the other from then on, and all of
-- it can be taken back.

CREATE TABLE public.merges (
  id          uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id   uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  entity      text NOT NULL CHECK (entity IN ('leads', 'contacts', 'companies')),
  kept_id     uuid NOT NULL,
  gone_id     uuid NOT NULL CHECK (gone_id <> kept_id),
  kept_before jsonb NOT NULL,
  kept_after  jsonb,
  gone_before jsonb NOT NULL,
  moved       jsonb NOT NULL DEFAULT '{}',
  dropped     jsonb NOT NULL DEFAULT '[]',
  merged_by   uuid NOT NULL,
  merged_at   timestamptz NOT NULL DEFAULT now(),
  undone_by   uuid,
  undone_at   timestamptz
);
COMMENT ON COLUMN public.merges.moved IS 'The rows that referred to the record that went: ids, by table and column.';
COMMENT ON COLUMN public.merges.dropped IS 'Tags that both carried, as they stood on the one that went.';
CREATE INDEX merges_kept_idx ON public.merges (agency_id, kept_id);
CREATE INDEX merges_gone_idx ON public.merges (agency_id, gone_id);
ALTER TABLE public.merges ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.merges FORCE ROW LEVEL SECURITY;
CREATE POLICY merges_owner ON public.merges TO gardenos_owner
  USING (agency_id = (SELECT app.agency_id())) WITH CHECK (agency_id = (SELECT app.agency_id()));
-- For whoever reads the record that was kept.
CREATE POLICY merges_select ON public.merges FOR SELECT TO authenticated
  USING (agency_id = (SELECT app.agency_id())
         AND CASE entity
               WHEN 'leads' THEN EXISTS (SELECT FROM public.leads r WHERE r.id = kept_id)
               WHEN 'contacts' THEN EXISTS (SELECT FROM public.contacts r WHERE r.id = kept_id)
               ELSE EXISTS (SELECT FROM public.companies r WHERE r.id = kept_id) END);
CREATE POLICY merges_insert ON public.merges FOR INSERT TO authenticated WITH CHECK (false);
CREATE POLICY merges_update ON public.merges FOR UPDATE TO authenticated USING (false);
CREATE POLICY merges_delete ON public.merges FOR DELETE TO authenticated USING (false);
-- What the records were is for the functions alone: it holds fields that a role may not see.
GRANT SELECT (id, agency_id, entity, kept_id, gone_id, moved, merged_by, merged_at, undone_by, undone_at) ON public.merges TO authenticated;
CREATE POLICY taggings_owner_merge ON public.taggings FOR UPDATE TO gardenos_owner
  USING (agency_id = (SELECT app.agency_id())) WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY taggings_owner_unmerge ON public.taggings FOR INSERT TO gardenos_owner WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY lead_conversions_owner_merge ON public.lead_conversions FOR UPDATE TO gardenos_owner
  USING (agency_id = (SELECT app.agency_id())) WITH CHECK (agency_id = (SELECT app.agency_id()));
SELECT app.record('public.merges', ARRAY['kept_before', 'kept_after', 'gone_before', 'moved', 'dropped']);

-- Where records of a kind are referred to: by foreign keys, and by the ids that conversions keep.
CREATE FUNCTION app.references_to(kind text) RETURNS TABLE (relation text, field text)
LANGUAGE sql STABLE SET search_path = pg_catalog
BEGIN ATOMIC
  SELECT r.relname::text, a.attname::text
    FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid
    JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[cardinality(c.conkey)]
   WHERE c.contype = 'f' AND c.confrelid = ('public.' || kind)::regclass AND r.relnamespace = 'public'::regnamespace
  UNION SELECT 'lead_conversions', 'contact_id' WHERE kind = 'contacts'
  UNION SELECT 'lead_conversions', 'company_id' WHERE kind = 'companies'
   ORDER BY 1, 2;
END;

-- How many rows refer to a record, by table and column.
CREATE FUNCTION app.count_references(kind text, id uuid) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
$$;

-- Keeps what two records were, before anything of them changes.
CREATE FUNCTION app.begin_merge(kind text, kept uuid, gone uuid) RETURNS uuid
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
$$;

-- Has what refers to the record that goes refer to the one that is kept.
CREATE FUNCTION app.move_references(merge uuid) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
$$;

CREATE FUNCTION app.end_merge(merge uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
$$;

-- Takes a merge back; null where that was done, else the fields that were changed since and would be lost, which leave
-- all as it is. `version` and `updated_at` move on.
CREATE FUNCTION app.undo_merge(merge uuid) RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
$$;
DO $$
DECLARE
  signature text;
BEGIN
  FOREACH signature IN ARRAY ARRAY['app.count_references(text, uuid)', 'app.begin_merge(text, uuid, uuid)',
    'app.move_references(uuid)', 'app.end_merge(uuid)', 'app.undo_merge(uuid)'] LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', signature);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO authenticated', signature);
  END LOOP;
END
$$;

-- What a merge keeps of records goes with them.
CREATE OR REPLACE FUNCTION app.forget_likeness() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
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
CREATE POLICY merges_purge ON public.merges FOR DELETE TO gardenos_worker USING (true);
CREATE POLICY merges_purged ON public.merges FOR SELECT TO gardenos_worker USING (true);
GRANT SELECT (agency_id, entity, kept_id, gone_id), DELETE ON public.merges TO gardenos_worker;

CREATE OR REPLACE FUNCTION app.erase(lead_ids uuid[], contact_ids uuid[], emails text[]) RETURNS TABLE (entity text, rows bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
