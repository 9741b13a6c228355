-- Erasing a person reaches what it passed over: attachments, bulk jobs, saved views, names of files and
-- schedules, answers of webhooks, and what the log says of records that are gone.

-- What the function below reaches besides, which runs as the owner: the caller's agency, as for everybody.
DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['bulk_jobs', 'bulk_chunks', 'views', 'imports', 'webhook_deliveries'] LOOP
    EXECUTE format('CREATE POLICY %I ON public.%I FOR SELECT TO gardenos_owner
      USING (agency_id = (SELECT app.agency_id()))', name || '_owner_find', name);
    EXECUTE format('CREATE POLICY %I ON public.%I FOR UPDATE TO gardenos_owner
      USING (agency_id = (SELECT app.agency_id())) WITH CHECK (agency_id = (SELECT app.agency_id()))',
      name || '_owner_erase', name);
  END LOOP;
END
$$;
CREATE POLICY attachments_owner_lock ON public.attachments FOR UPDATE TO gardenos_owner
  USING (agency_id = (SELECT app.agency_id())) WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY attachments_owner_erase ON public.attachments FOR DELETE TO gardenos_owner
  USING (agency_id = (SELECT app.agency_id()));

-- Files whose attachments were erased: noted in the transaction that erases, removed after it, and forgotten
-- only then. Whoever dies in between leaves the rest to the next sweep.
CREATE TABLE app.erased_files (
  storage_key text PRIMARY KEY,
  erased_at   timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT, DELETE ON app.erased_files TO gardenos_worker;

-- Bytes as text, whatever they are.
CREATE FUNCTION app.text_of(said bytea) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN convert_from(said, 'UTF8');
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
  RETURN encode(said, 'escape');
END
$$;

-- JSON as lower-case text to search in: without escapes, where it holds nothing that only escapes can say. Step by
-- step: in one expression, the planner would try the cast before it is known whether it can be done.
CREATE FUNCTION app.spoken(said text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
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

-- The operations and results of a chunk one by one, each as text; what is no list is one.
CREATE FUNCTION app.parts(chunk bytea) RETURNS TABLE (said text, n bigint)
LANGUAGE plpgsql STABLE AS $$
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

-- Whether it is worth looking at the parts of a chunk. What is not ASCII may be escaped in it.
CREATE FUNCTION app.may_say(chunk bytea, words text[]) RETURNS boolean
LANGUAGE sql STABLE
RETURN app.says(lower(app.text_of(chunk)), words)
  OR EXISTS (SELECT FROM unnest(words) w WHERE octet_length(w) > char_length(w));

-- Operations without those that say one of the words: what is left in their place fails. A deletion says
-- nothing but an id.
CREATE FUNCTION app.unasked(operations bytea, words text[]) RETURNS bytea
LANGUAGE sql STABLE
RETURN CASE WHEN operations IS NOT NULL THEN (SELECT convert_to('[' || coalesce(string_agg(
          CASE WHEN p.said NOT LIKE '{"op": "delete"%' AND app.says(app.spoken(p.said), words)
               THEN '{"op": "erased"}' ELSE p.said END, ', ' ORDER BY p.n), '') || ']', 'UTF8')
          FROM app.parts(operations) p) END;

-- Results without the sentences of those problems that say one of the words.
CREATE FUNCTION app.untold(results bytea, words text[]) RETURNS bytea
LANGUAGE sql STABLE
RETURN CASE WHEN results IS NOT NULL THEN (SELECT convert_to('[' || coalesce(string_agg(
          CASE WHEN p.said LIKE '%"problem":%' AND app.says(app.spoken(p.said), words)
               THEN '{"status":' || s.status || coalesce(',"id":' || substring(p.said FROM '"id":("[0-9a-f-]{36}")'), '')
                    || ',"problem":{"type":"urn:gardenos:problem:erased","title":"Erased","status":' || s.status
                    || ',"detail":"What went wrong was erased with a person."}}'
               ELSE p.said END, ',' ORDER BY p.n), '') || ']', 'UTF8')
          FROM app.parts(results) p, LATERAL (SELECT coalesce(substring(p.said FROM '"status":([1-5][0-9]{2})'), '410')) AS s (status)) END;

-- Replaces what is known of the people that these leads, contacts and e-mails are; how many rows of each table
-- changed. Done once, it finds nothing more to replace.
CREATE OR REPLACE FUNCTION app.erase(lead_ids uuid[], contact_ids uuid[], emails text[]) RETURNS TABLE (entity text, rows bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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

-- Jobs that were worked off, or given up, so long ago, with their operations and results.
CREATE FUNCTION app.purge_jobs(keep interval, most integer) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
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
REVOKE EXECUTE ON FUNCTION app.purge_jobs FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.purge_jobs TO gardenos_worker;
CREATE POLICY bulk_jobs_worker ON public.bulk_jobs FOR SELECT TO gardenos_worker USING (true);
CREATE POLICY bulk_jobs_purge ON public.bulk_jobs FOR DELETE TO gardenos_worker USING (true);
GRANT SELECT (id, task_id, created_at, finished_at), DELETE ON public.bulk_jobs TO gardenos_worker;
CREATE INDEX bulk_jobs_age_idx ON public.bulk_jobs ((coalesce(finished_at, created_at)));
