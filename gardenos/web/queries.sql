-- name: claim_key
-- A concurrent request with the same key waits here for the first one's transaction to end.
INSERT INTO idempotency_keys (agency_id, key, fingerprint)
VALUES ($1, $2, $3)
ON CONFLICT (agency_id, key) DO NOTHING

-- name: read_answer
SELECT fingerprint, status, headers, body
  FROM idempotency_keys
 WHERE key = $1

-- name: keep_answer
UPDATE idempotency_keys
   SET status = $2, headers = $3, body = $4
 WHERE key = $1

-- name: lease_tokens
SELECT subject, granted, tokens FROM app.lease_tokens($1, $2, $3, $4, $5)

-- name: forget_buckets
DELETE FROM app.rate_buckets WHERE at < now() - interval '1 hour'
