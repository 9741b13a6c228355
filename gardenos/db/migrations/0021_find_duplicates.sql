-- Records that may be the same: what they are found by, and the pairs a sweep has found.

ALTER TABLE public.agencies
  ADD COLUMN default_country text CHECK (default_country ~ '^[A-Z]{2}$'),
  ADD COLUMN duplicate_check text NOT NULL DEFAULT 'fuzzy' CHECK (duplicate_check IN ('off', 'exact', 'fuzzy'));
COMMENT ON COLUMN public.agencies.default_country IS 'Where telephone numbers without an international prefix are dialled, by ISO 3166.';

-- What records are found by: e-mail addresses, telephone numbers in E.164, domains, and the beginnings of names.
-- They stand beside the records, so that neither an import nor a save waits for them.
CREATE TABLE app.likeness_keys (
  agency_id uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  entity    text NOT NULL CHECK (entity IN ('leads', 'contacts', 'companies')),
  key       text NOT NULL CHECK (key ~ '^(email|phone|domain|name):'),
  record_id uuid NOT NULL,
  PRIMARY KEY (agency_id, entity, key, record_id)
);
CREATE INDEX likeness_keys_record_idx ON app.likeness_keys (agency_id, entity, record_id);

-- How far the sweep has read.
CREATE TABLE app.likeness_swept (
  agency_id uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  entity    text NOT NULL CHECK (entity IN ('leads', 'contacts', 'companies')),
  at        timestamptz NOT NULL,
  record_id uuid NOT NULL,
  PRIMARY KEY (agency_id, entity)
);

CREATE TABLE public.duplicates (
  id         uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id  uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  entity     text NOT NULL CHECK (entity IN ('leads', 'contacts', 'companies')),
  first_id   uuid NOT NULL,
  second_id  uuid NOT NULL,
  score      double precision NOT NULL CHECK (score > 0 AND score <= 1),
  reasons    text[] NOT NULL,
  state      text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'dismissed')),
  decided_by uuid,
  decided_at timestamptz,
  found_at   timestamptz NOT NULL DEFAULT now(),
  UNIQUE (agency_id, entity, first_id, second_id),
  CONSTRAINT each_pair_once CHECK (first_id < second_id)
);
CREATE INDEX duplicates_open_idx ON public.duplicates (agency_id, entity, id DESC) WHERE state = 'open';
CREATE INDEX duplicates_second_idx ON public.duplicates (agency_id, entity, second_id);

ALTER TABLE app.likeness_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.likeness_keys FORCE ROW LEVEL SECURITY;
ALTER TABLE app.likeness_swept ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.likeness_swept FORCE ROW LEVEL SECURITY;
ALTER TABLE public.duplicates ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.duplicates FORCE ROW LEVEL SECURITY;
CREATE POLICY likeness_keys_owner ON app.likeness_keys TO gardenos_owner
  USING (agency_id = (SELECT app.agency_id())) WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY likeness_swept_owner ON app.likeness_swept TO gardenos_owner
  USING (agency_id = (SELECT app.agency_id())) WITH CHECK (agency_id = (SELECT app.agency_id()));
-- Granted to nobody but by the functions below; were it, an agency would see its own.
CREATE POLICY likeness_keys_select ON app.likeness_keys FOR SELECT TO authenticated USING (agency_id = (SELECT app.agency_id()));
CREATE POLICY likeness_swept_select ON app.likeness_swept FOR SELECT TO authenticated USING (agency_id = (SELECT app.agency_id()));
CREATE POLICY likeness_swept_worker ON app.likeness_swept FOR SELECT TO gardenos_worker USING (true);
GRANT SELECT ON app.likeness_swept TO gardenos_worker;
CREATE POLICY agencies_worker ON public.agencies FOR SELECT TO gardenos_worker USING (true);
GRANT SELECT (id) ON public.agencies TO gardenos_worker;
GRANT SELECT (updated_at) ON public.leads, public.contacts, public.companies TO gardenos_worker;
CREATE POLICY duplicates_owner ON public.duplicates TO gardenos_owner
  USING (agency_id = (SELECT app.agency_id())) WITH CHECK (agency_id = (SELECT app.agency_id()));

-- A pair is for whoever reads both.
CREATE POLICY duplicates_select ON public.duplicates FOR SELECT TO authenticated
  USING (agency_id = (SELECT app.agency_id())
         AND CASE entity
               WHEN 'leads' THEN EXISTS (SELECT FROM public.leads r WHERE r.id = first_id AND r.deleted_at IS NULL)
                         AND EXISTS (SELECT FROM public.leads r WHERE r.id = second_id AND r.deleted_at IS NULL)
               WHEN 'contacts' THEN EXISTS (SELECT FROM public.contacts r WHERE r.id = first_id AND r.deleted_at IS NULL)
                         AND EXISTS (SELECT FROM public.contacts r WHERE r.id = second_id AND r.deleted_at IS NULL)
               ELSE EXISTS (SELECT FROM public.companies r WHERE r.id = first_id AND r.deleted_at IS NULL)
                         AND EXISTS (SELECT FROM public.companies r WHERE r.id = second_id AND r.deleted_at IS NULL) END);
CREATE POLICY duplicates_insert ON public.duplicates FOR INSERT TO authenticated WITH CHECK (false);
CREATE POLICY duplicates_update ON public.duplicates FOR UPDATE TO authenticated
  USING (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_write())) WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY duplicates_delete ON public.duplicates FOR DELETE TO authenticated USING (false);
GRANT SELECT, UPDATE (state, decided_by, decided_at) ON public.duplicates TO authenticated;
SELECT app.record('public.duplicates', ARRAY['score', 'reasons', 'found_at']);

-- Which records of the caller's agency have one of these keys, and which: at most so many for each key. It says
-- ids alone; whoever may not read a record learns no more of it by asking.
CREATE FUNCTION app.alike(kind text, keys text[], most integer) RETURNS TABLE (record_id uuid, key text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT f.record_id, f.key
    FROM unnest(keys) AS w (key),
         LATERAL (SELECT k.record_id, k.key FROM app.likeness_keys k
                   WHERE k.agency_id = (SELECT app.agency_id()) AND k.entity = kind AND k.key = w.key
                   LIMIT most) f;
END;

-- Sets what records are found by: an object of lists, by record.
CREATE FUNCTION app.keep_keys(kind text, by_record jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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

-- Sets the pairs that some records are in: what they are alike by no more is no pair any more, what somebody
-- dismissed stays so. Each pair is {"one", "other", "score", "reasons"}.
CREATE FUNCTION app.keep_pairs(kind text, ids uuid[], pairs jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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

CREATE FUNCTION app.note_swept(kind text, at timestamptz, record_id uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  INSERT INTO app.likeness_swept AS s (agency_id, entity, at, record_id)
  VALUES (app.agency_id(), note_swept.kind, note_swept.at, note_swept.record_id)
      ON CONFLICT (agency_id, entity) DO UPDATE SET at = EXCLUDED.at, record_id = EXCLUDED.record_id;
END;
CREATE FUNCTION app.swept(kind text, OUT at timestamptz, OUT record_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT s.at, s.record_id FROM app.likeness_swept s
   WHERE s.agency_id = (SELECT app.agency_id()) AND s.entity = kind;
END;

-- Agencies with records that changed since they were swept, as the orchestrator's role sees them.
CREATE FUNCTION app.unswept(margin interval, most integer) RETURNS TABLE (agency_id uuid)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT a.id
    FROM public.agencies a
   WHERE EXISTS (SELECT FROM public.leads r
                  WHERE r.agency_id = a.id AND r.deleted_at IS NULL AND r.updated_at < now() - margin
                    AND r.updated_at > coalesce((SELECT s.at FROM app.likeness_swept s WHERE s.agency_id = a.id AND s.entity = 'leads'), '-infinity'))
      OR EXISTS (SELECT FROM public.contacts r
                  WHERE r.agency_id = a.id AND r.deleted_at IS NULL AND r.updated_at < now() - margin
                    AND r.updated_at > coalesce((SELECT s.at FROM app.likeness_swept s WHERE s.agency_id = a.id AND s.entity = 'contacts'), '-infinity'))
      OR EXISTS (SELECT FROM public.companies r
                  WHERE r.agency_id = a.id AND r.deleted_at IS NULL AND r.updated_at < now() - margin
                    AND r.updated_at > coalesce((SELECT s.at FROM app.likeness_swept s WHERE s.agency_id = a.id AND s.entity = 'companies'), '-infinity'))
   LIMIT most;
END;
DO $$
DECLARE
  signature text;
BEGIN
  FOREACH signature IN ARRAY ARRAY['app.alike(text, text[], integer)', 'app.keep_keys(text, jsonb)',
    'app.keep_pairs(text, uuid[], jsonb)', 'app.note_swept(text, timestamptz, uuid)', 'app.swept(text)'] LOOP
    EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', signature);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO authenticated', signature);
  END LOOP;
END
$$;
REVOKE EXECUTE ON FUNCTION app.unswept FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.unswept TO gardenos_worker;

-- What a record is found by, and the pairs it is in, go when it is erased or purged.
CREATE FUNCTION app.forget_likeness() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  DELETE FROM app.likeness_keys k USING old_rows o
   WHERE k.agency_id = o.agency_id AND k.entity = TG_TABLE_NAME AND k.record_id = o.id;
  DELETE FROM public.duplicates d USING old_rows o
   WHERE d.agency_id = o.agency_id AND d.entity = TG_TABLE_NAME AND o.id IN (d.first_id, d.second_id);
  RETURN NULL;
END
$$;
CREATE POLICY likeness_keys_purge ON app.likeness_keys FOR DELETE TO gardenos_worker USING (true);
CREATE POLICY likeness_keys_purged ON app.likeness_keys FOR SELECT TO gardenos_worker USING (true);
CREATE POLICY duplicates_purge ON public.duplicates FOR DELETE TO gardenos_worker USING (true);
CREATE POLICY duplicates_purged ON public.duplicates FOR SELECT TO gardenos_worker USING (true);
GRANT SELECT (agency_id, entity, record_id), DELETE ON app.likeness_keys TO gardenos_worker;
GRANT SELECT (agency_id, entity, first_id, second_id), DELETE ON public.duplicates TO gardenos_worker;
CREATE TRIGGER leads_forget_likeness AFTER DELETE ON public.leads REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION app.forget_likeness();
CREATE TRIGGER contacts_forget_likeness AFTER DELETE ON public.contacts REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION app.forget_likeness();
CREATE TRIGGER companies_forget_likeness AFTER DELETE ON public.companies REFERENCING OLD TABLE AS old_rows
  FOR EACH STATEMENT EXECUTE FUNCTION app.forget_likeness();

ALTER FUNCTION app.erase(uuid[], uuid[], text[]) RENAME TO erase_imports;
REVOKE EXECUTE ON FUNCTION app.erase_imports FROM PUBLIC, authenticated;
CREATE FUNCTION app.erase(lead_ids uuid[], contact_ids uuid[], emails text[]) RETURNS TABLE (entity text, rows bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NOT app.can_administer() THEN
    RAISE insufficient_privilege USING MESSAGE = 'Only an owner or admin of the agency erases people.';
  END IF;
  DELETE FROM app.likeness_keys k WHERE k.record_id = ANY (lead_ids || contact_ids);
  DELETE FROM public.duplicates d WHERE d.first_id = ANY (lead_ids || contact_ids) OR d.second_id = ANY (lead_ids || contact_ids);
  RETURN QUERY SELECT r.entity, r.rows FROM app.erase_imports(lead_ids, contact_ids, emails) r;
END
$$;
REVOKE EXECUTE ON FUNCTION app.erase FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.erase TO authenticated;
