-- Imports of any size: the rows of a file wait in chunks, are carried out one chunk a transaction as whoever
-- sent them, and can be taken back.

ALTER TABLE public.imports
  ADD COLUMN entity         text NOT NULL DEFAULT 'leads' CHECK (entity IN ('leads')),
  ADD COLUMN state          text NOT NULL DEFAULT 'finished'
                            CHECK (state IN ('staged', 'running', 'finished', 'reverting', 'reverted')),
  ADD COLUMN format         text CHECK (format IN ('csv', 'xlsx', 'jsonl')),
  ADD COLUMN encoding       text,
  ADD COLUMN delimiter      text,
  ADD COLUMN headers        text[] NOT NULL DEFAULT '{}',
  ADD COLUMN options        jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(options) = 'object'),
  ADD COLUMN digest         bytea,
  ADD COLUMN again          boolean NOT NULL DEFAULT false,
  ADD COLUMN rows_total     integer CHECK (rows_total >= 0),
  ADD COLUMN updated        integer NOT NULL DEFAULT 0 CHECK (updated >= 0),
  ADD COLUMN tasks_enqueued integer NOT NULL DEFAULT 0 CHECK (tasks_enqueued >= 0),
  ADD COLUMN removed        integer NOT NULL DEFAULT 0 CHECK (removed >= 0),
  ADD COLUMN restored       integer NOT NULL DEFAULT 0 CHECK (restored >= 0),
  ADD COLUMN kept           integer NOT NULL DEFAULT 0 CHECK (kept >= 0),
  ADD COLUMN role           text CHECK (role IN ('owner', 'admin', 'manager', 'agent', 'read_only')),
  ADD COLUMN key_id         uuid,
  ADD COLUMN scopes         text[],
  ADD COLUMN task_id        uuid,
  ADD COLUMN started_at     timestamptz,
  ADD COLUMN finished_at    timestamptz,
  ADD COLUMN purged_at      timestamptz,
  DROP CONSTRAINT every_row_is_accounted_for,
  ADD CONSTRAINT every_row_is_accounted_for CHECK (rows_read = imported + updated + duplicates + rejected),
  ADD CONSTRAINT no_more_is_read_than_there_is CHECK (rows_read <= rows_total),
  ADD CONSTRAINT all_is_read_when_finished CHECK (state <> 'finished' OR rows_read = rows_total),
  ADD CONSTRAINT imports_agency_id_id_key UNIQUE (agency_id, id);
COMMENT ON COLUMN public.imports.role IS 'Of whoever sent it, at that time; so are key_id and scopes.';
COMMENT ON COLUMN public.imports.digest IS 'SHA-256 of the file as it was sent.';
COMMENT ON COLUMN public.imports.removed IS 'Of the records it made, those a revert took away; kept are those that others have worked on since.';
COMMENT ON COLUMN public.imports.purged_at IS 'When its chunks went with what was rejected and what a revert needs.';
-- Whoever sends a file twice is told, also where both arrive at once, unless they say that they mean it.
CREATE UNIQUE INDEX imports_file_key ON public.imports (agency_id, digest)
  WHERE digest IS NOT NULL AND NOT again AND state IN ('running', 'finished');

CREATE TABLE public.import_chunks (
  agency_id   uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  import_id   uuid NOT NULL,
  number      integer NOT NULL CHECK (number >= 0),
  first_row   integer NOT NULL CHECK (first_row > 0),
  rows        integer NOT NULL CHECK (rows > 0),
  data        bytea,
  rejected    bytea,
  created     uuid[],
  tagged      uuid[],
  new_tags    uuid[],
  undo        jsonb,
  done_at     timestamptz,
  reverted_at timestamptz,
  PRIMARY KEY (agency_id, import_id, number),
  FOREIGN KEY (agency_id, import_id) REFERENCES public.imports (agency_id, id) ON DELETE CASCADE,
  CONSTRAINT done_or_to_be_done CHECK ((data IS NULL) = (done_at IS NOT NULL))
);
COMMENT ON COLUMN public.import_chunks.data IS 'JSON as bytes, a list of cells for each row: it may hold text that no jsonb can.';
COMMENT ON COLUMN public.import_chunks.rejected IS 'JSON as bytes: [row, code, column, detail, cells] for each.';
COMMENT ON COLUMN public.import_chunks.undo IS 'Of records that were there: their ids, and each changed column before and after.';
CREATE INDEX import_chunks_waiting_idx ON public.import_chunks (agency_id, import_id, number) WHERE done_at IS NULL;

ALTER TABLE public.import_chunks ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.import_chunks FORCE ROW LEVEL SECURITY;
-- What a file says is for whoever sent it and for those who run the agency; that there was one is for all.
CREATE POLICY import_chunks_select ON public.import_chunks FOR SELECT TO authenticated
  USING (agency_id = (SELECT app.agency_id()) AND EXISTS (
    SELECT FROM public.imports i
     WHERE i.id = import_id AND CASE WHEN (SELECT app.can_administer()) THEN true ELSE i.created_by = (SELECT app.user_id()) END));
CREATE POLICY import_chunks_insert ON public.import_chunks FOR INSERT TO authenticated
  WITH CHECK (agency_id = (SELECT app.agency_id()) AND EXISTS (
    SELECT FROM public.imports i
     WHERE i.id = import_id AND i.created_by = (SELECT app.user_id()) AND i.role = (SELECT app.user_role())
       AND i.finished_at IS NULL));
CREATE POLICY import_chunks_update ON public.import_chunks FOR UPDATE TO authenticated
  USING (agency_id = (SELECT app.agency_id()) AND EXISTS (
    SELECT FROM public.imports i
     WHERE i.id = import_id AND i.created_by = (SELECT app.user_id()) AND i.role = (SELECT app.user_role())))
  WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY import_chunks_delete ON public.import_chunks FOR DELETE TO authenticated USING (false);
CREATE POLICY import_chunks_owner ON public.import_chunks TO gardenos_owner
  USING (agency_id = (SELECT app.agency_id())) WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY taggings_owner_revert ON public.taggings FOR DELETE TO gardenos_owner USING (agency_id = (SELECT app.agency_id()));
CREATE POLICY tags_owner_find ON public.tags FOR SELECT TO gardenos_owner USING (agency_id = (SELECT app.agency_id()));
CREATE POLICY tags_owner_revert ON public.tags FOR DELETE TO gardenos_owner USING (agency_id = (SELECT app.agency_id()));
GRANT SELECT,
      INSERT (agency_id, import_id, number, first_row, rows, data, rejected, created, tagged, new_tags, undo, done_at),
      UPDATE (data, rejected, created, tagged, new_tags, undo, done_at)
  ON public.import_chunks TO authenticated;

-- Nobody has something done as another, or by more than they may; nobody goes on with another's.
DROP POLICY imports_insert ON public.imports;
DROP POLICY imports_update ON public.imports;
CREATE POLICY imports_insert ON public.imports FOR INSERT TO authenticated
  WITH CHECK (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_write())
              AND created_by = (SELECT app.user_id()) AND role = (SELECT app.user_role())
              AND key_id IS NOT DISTINCT FROM ((SELECT app.claims()) ->> 'key_id')::uuid
              AND to_jsonb(scopes) IS NOT DISTINCT FROM ((SELECT app.claims()) -> 'scopes'));
CREATE POLICY imports_update ON public.imports FOR UPDATE TO authenticated
  USING (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_write())
         AND CASE WHEN (SELECT app.can_administer()) THEN true ELSE created_by = (SELECT app.user_id()) END)
  WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY imports_work ON public.imports FOR SELECT TO gardenos_agent USING (agency_id = (SELECT app.agency_id()));
GRANT SELECT ON public.imports TO gardenos_agent;
REVOKE INSERT, UPDATE ON public.imports FROM authenticated;
GRANT INSERT (agency_id, created_by, role, key_id, scopes, entity, state, filename, format, encoding, delimiter, headers,
              options, digest, again, rows_total),
      UPDATE (state, options, again, rows_total, rows_read, imported, updated, duplicates, rejected, tasks_enqueued,
              removed, restored, kept, task_id, started_at, finished_at)
  ON public.imports TO authenticated;
SELECT app.record('public.imports', ARRAY['encoding', 'delimiter', 'headers', 'options', 'digest', 'again', 'rows_total',
  'rows_read', 'imported', 'updated', 'duplicates', 'rejected', 'tasks_enqueued', 'removed', 'restored', 'kept',
  'role', 'key_id', 'scopes', 'task_id', 'started_at', 'finished_at', 'purged_at']);

-- Takes a chunk of an import back, in the transaction of whoever may: what it changed is as it was, where nobody
-- has changed it since; what it made is gone, where nobody has worked on it since. How many of each, and how many
-- were kept. Chunks are taken back from the last to the first. `version` and `updated_at` move on, for whoever
-- read a record in between must not write over it.
CREATE FUNCTION app.revert_chunk(import uuid, chunk integer, OUT removed integer, OUT restored integer, OUT kept integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
REVOKE EXECUTE ON FUNCTION app.revert_chunk FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.revert_chunk TO authenticated;

-- Rows of a chunk without those that say one of the words: what is left in their place is rejected as erased.
CREATE FUNCTION app.unread(cells bytea, words text[]) RETURNS bytea
LANGUAGE sql STABLE
RETURN CASE WHEN cells IS NOT NULL THEN (SELECT convert_to('[' || coalesce(string_agg(
          CASE WHEN app.says(app.spoken(p.said), words) THEN 'null' ELSE p.said END, ',' ORDER BY p.n), '') || ']', 'UTF8')
          FROM app.parts(cells) p) END;
CREATE FUNCTION app.unexplained(rejected bytea, words text[]) RETURNS bytea
LANGUAGE sql STABLE
RETURN CASE WHEN rejected IS NOT NULL THEN (SELECT convert_to('[' || coalesce(string_agg(
          CASE WHEN app.says(app.spoken(p.said), words)
               THEN '[' || coalesce(substring(p.said FROM '^\[\s*([0-9]+)'), '0') || ',"erased",null,"This row was erased with a person.",[]]'
               ELSE p.said END, ',' ORDER BY p.n), '') || ']', 'UTF8')
          FROM app.parts(rejected) p) END;

-- Erasing reaches what imports keep, first: the rest takes away what the person is known by.
ALTER FUNCTION app.erase(uuid[], uuid[], text[]) RENAME TO erase_records;
REVOKE EXECUTE ON FUNCTION app.erase_records FROM PUBLIC, authenticated;
CREATE FUNCTION app.erase(lead_ids uuid[], contact_ids uuid[], emails text[]) RETURNS TABLE (entity text, rows bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
REVOKE EXECUTE ON FUNCTION app.erase FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.erase TO authenticated;

-- What imports that ended so long ago keep; and the imports that were never begun.
CREATE FUNCTION app.purge_imports(keep interval, most integer) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
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
REVOKE EXECUTE ON FUNCTION app.purge_imports FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.purge_imports TO gardenos_worker;
CREATE POLICY imports_worker ON public.imports FOR SELECT TO gardenos_worker USING (true);
CREATE POLICY imports_purge ON public.imports FOR DELETE TO gardenos_worker USING (state = 'staged');
CREATE POLICY imports_purged ON public.imports FOR UPDATE TO gardenos_worker USING (true) WITH CHECK (true);
CREATE POLICY import_chunks_worker ON public.import_chunks FOR SELECT TO gardenos_worker USING (true);
CREATE POLICY import_chunks_purge ON public.import_chunks FOR DELETE TO gardenos_worker USING (true);
GRANT SELECT (id, state, task_id, created_at, finished_at, purged_at), UPDATE (purged_at), DELETE ON public.imports TO gardenos_worker;
GRANT SELECT (import_id), DELETE ON public.import_chunks TO gardenos_worker;
CREATE INDEX imports_age_idx ON public.imports ((coalesce(finished_at, created_at))) WHERE purged_at IS NULL;
