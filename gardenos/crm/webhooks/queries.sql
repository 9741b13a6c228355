-- name: create_webhook
INSERT INTO webhooks (agency_id, url, description, entities, verbs, active, secret, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
RETURNING id, url, description, entities, verbs, active, old_secret_until, version, created_at, updated_at

-- name: list_webhooks
SELECT id, url, description, entities, verbs, active, old_secret_until, version, created_at, updated_at
  FROM webhooks
 WHERE agency_id = (SELECT app.agency_id()) AND ($1::uuid IS NULL OR id < $1)
 ORDER BY id DESC
 LIMIT $2

-- name: get_webhook
SELECT id, url, description, entities, verbs, active, old_secret_until, version, created_at, updated_at
  FROM webhooks
 WHERE id = $1

-- name: change_webhook
-- $2 has the fields that were sent; null is a value.
UPDATE webhooks w
   SET url = CASE WHEN $2::jsonb ? 'url' THEN n.url ELSE w.url END,
       description = CASE WHEN $2::jsonb ? 'description' THEN n.description ELSE w.description END,
       entities = CASE WHEN $2::jsonb ? 'entities' THEN n.entities ELSE w.entities END,
       verbs = CASE WHEN $2::jsonb ? 'verbs' THEN n.verbs ELSE w.verbs END,
       active = CASE WHEN $2::jsonb ? 'active' THEN n.active ELSE w.active END
  FROM jsonb_to_record($2::jsonb) AS n(url text, description text, entities text[], verbs text[], active boolean)
 WHERE w.id = $1 AND ($3::bigint[] IS NULL OR w.version = ANY ($3))
RETURNING w.id, w.url, w.description, w.entities, w.verbs, w.active, w.old_secret_until, w.version,
          w.created_at, w.updated_at

-- name: delete_webhook
DELETE FROM webhooks
 WHERE id = $1 AND ($2::bigint[] IS NULL OR version = ANY ($2))
RETURNING true AS deleted

-- name: rotate_secret
UPDATE webhooks
   SET secret = $2
 WHERE id = $1
RETURNING id, url, description, entities, verbs, active, old_secret_until, version, created_at, updated_at

-- name: create_delivery
INSERT INTO webhook_deliveries (agency_id, webhook_id, entity, record_id, verb)
VALUES ($1, $2, $3, $4, $5)
RETURNING id, entity, record_id, verb, at, state, tries, status, took_ms, answer, error, tried_at,
          next_try_at, created_at

-- name: list_deliveries
SELECT id, entity, record_id, verb, at, state, tries, status, took_ms, answer, error, tried_at,
       next_try_at, created_at
  FROM webhook_deliveries
 WHERE agency_id = (SELECT app.agency_id()) AND webhook_id = $1
   AND ($2::text IS NULL OR state = $2) AND ($3::uuid IS NULL OR id < $3)
 ORDER BY id DESC
 LIMIT $4

-- name: replay_delivery
UPDATE webhook_deliveries
   SET state = 'pending', tries = 0, next_try_at = now()
 WHERE webhook_id = $1 AND id = $2 AND state <> 'pending'
RETURNING id, entity, record_id, verb, at, state, tries, status, took_ms, answer, error, tried_at,
          next_try_at, created_at

-- name: get_delivery
SELECT id, entity, record_id, verb, at, state, tries, status, took_ms, answer, error, tried_at,
       next_try_at, created_at
  FROM webhook_deliveries
 WHERE webhook_id = $1 AND id = $2

-- name: lock_cursor
-- Of the gateways, one hands changes on; the others look again later.
SELECT txid::text::bigint AS txid, seq FROM app.webhook_cursor FOR UPDATE SKIP LOCKED

-- name: fan_out
-- Changes become deliveries and deliveries tasks, and the cursor moves: all of it or nothing.
WITH changes AS MATERIALIZED (
  SELECT o.agency_id, o.txid, o.seq, o.entity, o.record_id, o.verb, o.at
    FROM outbox o
   WHERE (o.txid, o.seq) > ($1::bigint::text::xid8, $2)
     AND o.txid < pg_snapshot_xmin(pg_current_snapshot())
   ORDER BY o.txid, o.seq
   LIMIT $3
), made AS (
  INSERT INTO webhook_deliveries (agency_id, webhook_id, seq, entity, record_id, verb, at, next_try_at)
  SELECT w.agency_id, w.id, c.seq, c.entity, c.record_id, c.verb, c.at, now()
    FROM changes c
    JOIN webhooks w ON w.agency_id = c.agency_id
   WHERE w.active AND c.at >= w.created_at
     -- How programs are answered is no record of theirs: a webhook is not told of itself.
     AND c.entity NOT IN ('webhooks', 'api_keys')
     AND (w.entities IS NULL OR c.entity = ANY (w.entities))
     AND (w.verbs IS NULL OR c.verb = ANY (w.verbs))
   ORDER BY c.txid, c.seq
  ON CONFLICT (webhook_id, seq) DO NOTHING
  RETURNING id, agency_id
), queued AS (
  INSERT INTO agent_tasks (agency_id, agent_type, payload, priority, max_retries)
  SELECT m.agency_id, 'webhook_delivery', jsonb_build_object('delivery_id', m.id), 4, $4
    FROM made m
   ORDER BY m.id
  RETURNING agent_type
), moved AS (
  UPDATE app.webhook_cursor w
     SET txid = l.txid, seq = l.seq
    FROM (SELECT txid, seq FROM changes ORDER BY txid DESC, seq DESC LIMIT 1) l
), hinted AS (
  SELECT count(pg_notify('gardenos_task_queued', t.agent_type)) AS hints
    FROM (SELECT DISTINCT agent_type FROM queued) t
)
SELECT (SELECT count(*) FROM changes) AS changes, (SELECT count(*) FROM queued) AS deliveries, h.hints
  FROM hinted h

-- name: prune_deliveries
WITH gone AS (
  DELETE FROM webhook_deliveries
   WHERE id IN (SELECT d.id FROM webhook_deliveries d WHERE d.created_at < now() - interval '30 days' LIMIT $1)
  RETURNING id
)
SELECT count(*) AS pruned FROM gone

-- name: load_deliveries
-- What is to be sent, and with which secrets: for a day after it was replaced with the old one, too.
SELECT d.id, d.entity, d.record_id, d.verb, d.at, d.state, d.tries, w.id AS webhook_id, w.url, w.active,
       w.secret, CASE WHEN w.old_secret_until > now() THEN w.old_secret END AS old_secret
  FROM webhook_deliveries d
  JOIN webhooks w ON w.id = d.webhook_id
 WHERE d.id = ANY ($1::uuid[])

-- name: note_tries
UPDATE webhook_deliveries d
   SET state = t.state, tries = d.tries + 1, status = t.status, took_ms = t.took_ms, answer = t.answer,
       error = t.error, tried_at = t.tried_at, next_try_at = t.next_try_at
  FROM jsonb_to_recordset($1::jsonb) AS t(
         id uuid, state text, status smallint, took_ms integer, answer text, error text,
         tried_at timestamptz, next_try_at timestamptz)
 WHERE d.id = t.id

-- name: switch_off
UPDATE webhooks SET active = false WHERE id = ANY ($1::uuid[]) AND active
