-- name: add_person
-- A person in every table, of the agency of the claims: the e-mail $1, told apart from others by $2.
WITH lead AS (
  INSERT INTO leads (agency_id, external_id, first_name, last_name, email, phone, company, job_title, website,
                     city, country, notes, custom, source)
  SELECT app.agency_id(), 'secret-l-' || $2::int, 'Ada', 'Lovelace', $1, 'secret', 'Analytical', 'secret', 'secret', 'secret',
         'secret', 'secret', '{"a": "secret"}', 'web'
  RETURNING id
), contact AS (
  INSERT INTO contacts (agency_id, external_id, first_name, last_name, email, phone, mobile, job_title, website,
                        street, postal_code, city, region, country, notes, custom)
  SELECT app.agency_id(), 'secret-c-' || $2::int, 'Ada', 'Lovelace', upper($1), 'secret', 'secret', 'secret', 'secret',
         'Engine Street', 'secret', 'secret', 'secret', 'secret', 'secret', '{"a": "secret"}'
  RETURNING id
), pipeline AS (
  INSERT INTO pipelines (agency_id, name) SELECT app.agency_id(), 'Sales ' || $2::int RETURNING id
), stage AS (
  INSERT INTO stages (agency_id, pipeline_id, name, kind, probability, position)
  SELECT app.agency_id(), id, 'Lost', 'lost', 0, 0 FROM pipeline RETURNING id, pipeline_id
), deal AS (
  INSERT INTO deals (agency_id, external_id, name, pipeline_id, stage_id, contact_id, close_reason, notes, custom)
  SELECT app.agency_id(), 'secret-d-' || $2::int, 'For Ada', stage.pipeline_id, stage.id, contact.id, 'secret', 'secret',
         '{"a": "secret"}' FROM stage, contact
), activity AS (
  INSERT INTO activities (agency_id, kind, lead_id, subject, body, outcome, details)
  SELECT app.agency_id(), 'note', id, 'secret', 'secret', 'secret', '{"a": "secret"}' FROM lead
), task AS (
  INSERT INTO tasks (agency_id, title, description, contact_id, custom)
  SELECT app.agency_id(), 'Call Ada', 'secret', id, '{"a": "secret"}' FROM contact
), schedule AS (
  INSERT INTO task_schedules (agency_id, name, agent_type, payload, cron, next_run_at)
  SELECT app.agency_id(), 'Ada weekly ' || $2::int, 'follow_up', jsonb_build_object('lead_id', id), '0 0 * * 0', now() FROM lead
)
SELECT id FROM lead

-- name: add_work
-- What agents did, for agency $1, about lead $2 of the e-mail $3: done, failed, and not begun.
WITH done AS (
  INSERT INTO agent_tasks (agency_id, agent_type, payload, state, result, error, started_at, finished_at, fence)
  SELECT $1::uuid, 'lead_analysis', jsonb_build_object('lead_id', $2::uuid), 'succeeded', '{"a": "secret"}'::jsonb,
         NULL::jsonb, now(), now(), 1
  UNION ALL
  SELECT $1, 'follow_up', jsonb_build_object('lead_data', jsonb_build_object('email', $3::text, 'name', 'Lovelace')),
         'dead', NULL, '{"code": "x", "detail": "secret"}', now(), now(), 1
  RETURNING id, agent_type
), queued AS (
  INSERT INTO agent_tasks (agency_id, agent_type, payload)
  SELECT $1, 'follow_up', jsonb_build_object('lead_id', $2, 'context', 'secret')
), scored AS (
  INSERT INTO lead_scores (agency_id, task_id, lead_id, quality_score, conversion_probability, reasons, next_actions,
                           provider, model)
  SELECT $1, id, $2, 50, 0.5, '["secret"]', '["secret"]', 'rules', 'rules' FROM done WHERE agent_type = 'lead_analysis'
)
INSERT INTO follow_ups (agency_id, task_id, lead_id, subject, body, full_message, provider, model)
SELECT $1, id, $2, 'secret', 'secret', 'secret', 'rules', 'rules' FROM done WHERE agent_type = 'follow_up'

-- name: add_traces
-- Where else a person of the e-mail $3 leaves traces, for agency $1 and its member $4: with lead $2, in names that
-- people gave, in bulk jobs of which one waits, and in what a receiver of webhooks answered.
WITH attached AS (
  INSERT INTO attachments (agency_id, lead_id, name, media_type, bytes, sha256, state)
  VALUES ($1::uuid, $2::uuid, 'ada-lovelace.pdf', 'application/pdf', 6, repeat('0', 64), 'stored')
), seen AS (
  INSERT INTO views (agency_id, entity, name, filters)
  VALUES ($1, 'leads', 'About ' || $3::text, jsonb_build_object('email', $3, 'status', 'new'))
), imported AS (
  INSERT INTO imports (agency_id, filename) VALUES ($1, $3 || '.csv') RETURNING id
), waiting AS (
  INSERT INTO import_chunks (agency_id, import_id, number, first_row, rows, data)
  SELECT $1, id, 1, 3, 2, convert_to(format('[["Lovelace","%s"],["Hopper","grace@example.org"]]', upper($3)), 'UTF8')
    FROM imported
), done AS (
  INSERT INTO import_chunks (agency_id, import_id, number, first_row, rows, rejected, undo, done_at)
  SELECT $1, id, 0, 1, 2,
         convert_to(format('[[1,"refused",null,"Engine Street",["Lovelace","%s"]],[2,"refused",null,"",["Hopper"]]]', $3), 'UTF8'),
         jsonb_build_array(jsonb_build_object('id', $2::text, 'changes', '{"last_name": ["Lovelace", "Byron"]}'::jsonb)), now()
    FROM imported
), doubled AS (
  INSERT INTO merges (agency_id, entity, kept_id, gone_id, kept_before, gone_before, merged_by)
  VALUES ($1, 'leads', $2, uuidv7(), '{}', jsonb_build_object('last_name', 'Lovelace', 'email', $3), $4::uuid)
), hook AS (
  INSERT INTO webhooks (agency_id, url, secret) VALUES ($1, 'https://example.org/', 'whsec_AAAA') RETURNING id
), told AS (
  INSERT INTO webhook_deliveries (agency_id, webhook_id, entity, record_id, verb, state, answer, error)
  SELECT $1, id, 'leads', $2::text, 'update', 'failed', 'secret', 'secret' FROM hook
), job AS (
  INSERT INTO bulk_jobs (agency_id, entity, created_by, role, total) VALUES ($1, 'leads', $4::uuid, 'owner', 4) RETURNING id
)
INSERT INTO bulk_chunks (agency_id, job_id, number, operations, results)
SELECT $1, job.id, c.number, convert_to(c.operations, 'UTF8'), convert_to(c.results, 'UTF8')
  FROM job, (VALUES
    (1, format('[{"op": "create", "record": {"last_name": "Lovelace", "email": "%s"}}, '
               '{"op": "create", "record": {"last_name": "Hopper"}}]', upper($3)), NULL),
    (0, NULL, format('[{"status":409,"problem":{"detail":"%s is there already"}},{"status":201}]', $3)))
       AS c (number, operations, results)
