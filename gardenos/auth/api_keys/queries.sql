-- name: create_key
INSERT INTO api_keys (agency_id, user_id, name, role, scopes, digest, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
RETURNING id, user_id, name, role, scopes, created_at, expires_at, last_used_at, revoked_at

-- name: list_keys
SELECT id, user_id, name, role, scopes, created_at, expires_at, last_used_at, revoked_at
  FROM api_keys
 WHERE agency_id = (SELECT app.agency_id()) AND ($1::uuid IS NULL OR id < $1)
 ORDER BY id DESC
 LIMIT $2

-- name: get_key
SELECT id, user_id, name, role, scopes, created_at, expires_at, last_used_at, revoked_at
  FROM api_keys
 WHERE id = $1

-- name: revoke_key
UPDATE api_keys
   SET revoked_at = coalesce(revoked_at, now())
 WHERE id = $1
RETURNING true AS revoked

-- name: use_key
-- What is known of a key, and that it was used: written at most once a minute, and never waited for.
-- The member's role may have become less than the key's since; the account may have been banned.
WITH used AS (
  UPDATE api_keys
     SET last_used_at = now()
   WHERE id = (SELECT k.id
                 FROM api_keys k
                WHERE k.id = $1 AND k.digest = $2 AND k.revoked_at IS NULL
                  AND (k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 minute')
                  FOR NO KEY UPDATE SKIP LOCKED)
)
SELECT k.agency_id, k.user_id, k.role, k.scopes, k.expires_at, k.revoked_at, m.role AS member_role,
       u.email, u.deleted_at IS NOT NULL OR coalesce(u.banned_until > now(), false) AS barred
  FROM api_keys k
  JOIN members m ON m.agency_id = k.agency_id AND m.user_id = k.user_id
  JOIN auth.users u ON u.id = k.user_id
 WHERE k.id = $1 AND k.digest = $2
