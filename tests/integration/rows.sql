-- A row of each table whose rows cannot be made of samples alone: of the agency of this transaction's
-- claims, and of its member. Further entities add theirs.
INSERT INTO companies (agency_id, name) SELECT app.agency_id(), 'Analytical Engines';
INSERT INTO contacts (agency_id, last_name, company_id)
SELECT agency_id, 'Lovelace', id FROM companies WHERE agency_id = app.agency_id();
INSERT INTO pipelines (agency_id, name) SELECT app.agency_id(), 'Sales';
INSERT INTO stages (agency_id, pipeline_id, name, position)
SELECT agency_id, id, 'New', 0 FROM pipelines WHERE agency_id = app.agency_id();
INSERT INTO deals (agency_id, name, pipeline_id, stage_id)
SELECT agency_id, 'Engine', pipeline_id, id FROM stages WHERE agency_id = app.agency_id();
INSERT INTO activities (agency_id, kind, company_id)
SELECT agency_id, 'note', id FROM companies WHERE agency_id = app.agency_id();
INSERT INTO tasks (agency_id, title) SELECT app.agency_id(), 'Call Ada';
INSERT INTO teams (agency_id, name) SELECT app.agency_id(), 'Outbound';
INSERT INTO team_members (agency_id, team_id, user_id)
SELECT t.agency_id, t.id, app.user_id() FROM teams t WHERE t.agency_id = app.agency_id();
INSERT INTO permissions (agency_id, role, entity, verb, scope)
SELECT app.agency_id(), 'agent', 'deals', 'delete', 'none';
INSERT INTO field_masks (agency_id, role, entity, field, access)
SELECT app.agency_id(), 'agent', 'deals', 'amount', 'hidden';
INSERT INTO custom_fields (agency_id, entity, key, label, kind) SELECT app.agency_id(), 'companies', 'tier', 'Tier', 'text';
INSERT INTO tags (agency_id, name) SELECT app.agency_id(), 'vip';
INSERT INTO taggings (agency_id, tag_id, company_id)
SELECT t.agency_id, t.id, c.id FROM tags t JOIN companies c ON c.agency_id = t.agency_id WHERE t.agency_id = app.agency_id();
INSERT INTO views (agency_id, entity, name, shared) SELECT app.agency_id(), 'leads', 'Mine', true;
INSERT INTO attachments (agency_id, company_id, name, media_type, bytes)
SELECT agency_id, id, 'offer.pdf', 'application/pdf', 1 FROM companies WHERE agency_id = app.agency_id();
INSERT INTO leads (agency_id, last_name) SELECT app.agency_id(), 'Byron';
INSERT INTO lead_conversions (agency_id, lead_id, status_before)
SELECT agency_id, id, 'new' FROM leads WHERE agency_id = app.agency_id();
INSERT INTO invitations (agency_id, email, role, digest, expires_at)
SELECT app.agency_id(), 'bob@example.org', 'agent', sha256('token'), now();
INSERT INTO bulk_jobs (agency_id, entity, created_by, role, total) SELECT app.agency_id(), 'leads', app.user_id(), app.user_role(), 1;
INSERT INTO bulk_chunks (agency_id, job_id, number, operations)
SELECT agency_id, id, 0, '[]' FROM bulk_jobs WHERE agency_id = app.agency_id();
INSERT INTO app.likeness_keys (agency_id, entity, key, record_id)
SELECT agency_id, 'companies', 'name:anal', id FROM companies WHERE agency_id = app.agency_id();
INSERT INTO app.likeness_swept (agency_id, entity, at, record_id)
SELECT agency_id, 'companies', now(), id FROM companies WHERE agency_id = app.agency_id();
INSERT INTO companies (agency_id, name) SELECT app.agency_id(), 'Analytical Engine';
INSERT INTO duplicates (agency_id, entity, first_id, second_id, score, reasons)
SELECT app.agency_id(), 'companies', min(id::text)::uuid, max(id::text)::uuid, 0.8, '{name}' FROM companies WHERE agency_id = app.agency_id();
INSERT INTO merges (agency_id, entity, kept_id, gone_id, kept_before, gone_before, merged_by)
SELECT agency_id, 'companies', first_id, second_id, '{}', '{}', app.user_id() FROM duplicates WHERE agency_id = app.agency_id();
INSERT INTO imports (agency_id, created_by, role, state, rows_total)
SELECT app.agency_id(), app.user_id(), app.user_role(), 'running', 1;
INSERT INTO import_chunks (agency_id, import_id, number, first_row, rows, data)
SELECT agency_id, id, 0, 1, 1, '[]' FROM imports WHERE agency_id = app.agency_id();
