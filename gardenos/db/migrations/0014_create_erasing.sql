-- A person's data is taken out on request: values are replaced where they stand, in what was written
-- about them, in answers that are kept, in what agents were given and gave, and in the audit log, whose
-- entries stay. docs/privacy.md lists every field; a test holds it to this.

-- What the function below reaches, which runs as the owner: the caller's agency, as for everybody.
DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['leads', 'contacts', 'deals', 'activities', 'tasks', 'lead_scores', 'follow_ups',
                              'agent_tasks', 'task_schedules', 'idempotency_keys'] LOOP
    EXECUTE format('CREATE POLICY %I ON public.%I FOR SELECT TO gardenos_owner
      USING (agency_id = (SELECT app.agency_id()))', name || '_owner_find', name);
    EXECUTE format('CREATE POLICY %I ON public.%I FOR UPDATE TO gardenos_owner
      USING (agency_id = (SELECT app.agency_id())) WITH CHECK (agency_id = (SELECT app.agency_id()))',
      name || '_owner_erase', name);
  END LOOP;
END
$$;

-- The changes of an entry with their fields and without their values.
CREATE FUNCTION app.emptied(verb text, changes jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce((
  SELECT jsonb_object_agg(f, CASE verb WHEN 'create' THEN 'null' ELSE '[null, null]' END::jsonb)
    FROM jsonb_object_keys(CASE verb WHEN 'create' THEN changes - 'custom' || app.flat(changes) ELSE changes END) f), '{}');

-- Whether a text, in lower case, says one of the words.
CREATE FUNCTION app.says(said text, words text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN EXISTS (SELECT FROM unnest(words) w WHERE strpos(said, w) > 0);

-- Replaces what is known of the people that these leads, contacts and e-mails are; how many rows of each table
-- changed. Done once, it finds nothing more to replace.
CREATE FUNCTION app.erase(lead_ids uuid[], contact_ids uuid[], emails text[]) RETURNS TABLE (entity text, rows bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  gone CONSTANT text := '[erased]';
  leads uuid[];
  contacts uuid[];
  deals uuid[];
  activities uuid[];
  things uuid[];
  words text[];
  tasks_run uuid[];
  records text[];
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
  words := ARRAY(
    SELECT lower(e) FROM unnest(emails) e WHERE char_length(e) > 2
    UNION SELECT lower(l.email) FROM public.leads l WHERE l.id = ANY (leads) AND l.email IS NOT NULL
    UNION SELECT lower(c.email) FROM public.contacts c WHERE c.id = ANY (contacts) AND c.email IS NOT NULL);
  tasks_run := ARRAY(
    SELECT t.id FROM public.agent_tasks t
     WHERE (t.payload ->> 'lead_id') = ANY (leads::text[])
        OR app.says(lower(t.payload::text), words) OR app.says(lower(t.result::text), words)
    UNION SELECT s.task_id FROM public.lead_scores s WHERE s.lead_id = ANY (leads)
    UNION SELECT f.task_id FROM public.follow_ups f WHERE f.lead_id = ANY (leads));
  records := leads::text[] || contacts::text[] || deals::text[] || activities::text[] || things::text[]
    || ARRAY(SELECT f.id::text FROM public.follow_ups f WHERE f.lead_id = ANY (leads) OR f.task_id = ANY (tasks_run));

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
         result = CASE WHEN t.result IS NOT NULL THEN '{}'::jsonb END,
         error = CASE WHEN t.error IS NOT NULL THEN '{"code": "erased", "detail": "What went wrong was erased with a person."}'::jsonb END,
         cancel_requested_at = CASE WHEN t.finished_at IS NULL THEN coalesce(t.cancel_requested_at, now()) ELSE t.cancel_requested_at END
   WHERE t.id = ANY (tasks_run)
     AND (t.payload - 'lead_id' <> '{}' OR t.result <> '{}' OR t.error ->> 'code' NOT IN ('erased', 'cancelled')
          OR t.finished_at IS NULL);
  GET DIAGNOSTICS rows = ROW_COUNT;
  RETURN NEXT;

  entity := 'task_schedules';
  UPDATE public.task_schedules s
     SET payload = '{}', enabled = false
   WHERE s.payload <> '{}'
     AND ((s.payload ->> 'lead_id') = ANY (leads::text[]) OR app.says(lower(s.payload::text), words));
  GET DIAGNOSTICS rows = ROW_COUNT;
  RETURN NEXT;

  -- A repeated request must neither be answered with them nor make them anew.
  entity := 'idempotency_keys';
  UPDATE public.idempotency_keys k
     SET status = 410, headers = '{"content-type": "application/problem+json"}',
         body = convert_to('{"type":"urn:gardenos:problem:erased","title":"Erased","status":410,"detail":"'
           || 'The answer to this request was erased with a person. Send it with a new key to do it anew."}', 'UTF8')
   WHERE k.status IS DISTINCT FROM 410 AND k.body IS NOT NULL
     AND app.says(lower(encode(k.body, 'escape')), words || leads::text[] || contacts::text[] || activities::text[] || things::text[] || deals::text[]);
  GET DIAGNOSTICS rows = ROW_COUNT;
  RETURN NEXT;

  -- Last, so that what the statements above left in the log is emptied with the rest; that becomes the
  -- entry of the erasing.
  entity := 'audit_log';
  UPDATE public.audit_log e
     SET changes = app.emptied(e.verb, e.changes), erased_at = now(),
         verb = CASE WHEN e.verb = 'update' AND e.at = now() THEN 'erase' ELSE e.verb END
   WHERE e.record_id = ANY (records) AND e.erased_at IS NULL;
  GET DIAGNOSTICS rows = ROW_COUNT;
  RETURN NEXT;
END
$$;
REVOKE EXECUTE ON FUNCTION app.erase FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.erase TO authenticated;
