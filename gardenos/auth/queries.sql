-- name: find_user_by_email
SELECT id, aud, role, email, encrypted_password, email_confirmed_at, invited_at, last_sign_in_at,
       raw_app_meta_data, raw_user_meta_data, is_anonymous, banned_until, created_at, updated_at
  FROM auth.users
 WHERE email = $1 AND is_sso_user = false AND deleted_at IS NULL

-- name: find_user
SELECT id, aud, role, email, encrypted_password, email_confirmed_at, invited_at, last_sign_in_at,
       raw_app_meta_data, raw_user_meta_data, is_anonymous, banned_until, created_at, updated_at
  FROM auth.users
 WHERE id = $1 AND deleted_at IS NULL

-- name: find_operator
SELECT id, aud, role, email, encrypted_password, email_confirmed_at, invited_at, last_sign_in_at,
       raw_app_meta_data, raw_user_meta_data, is_anonymous, banned_until, created_at, updated_at
  FROM auth.users
 WHERE is_super_admin AND deleted_at IS NULL
 ORDER BY created_at, id
 LIMIT 1

-- name: list_identities
SELECT id, provider_id, user_id, identity_data, provider, email, last_sign_in_at, created_at, updated_at
  FROM auth.identities
 WHERE user_id = $1
 ORDER BY created_at, id

-- name: create_user
-- GoTrue looks users up by an instance_id of zeros. The address is taken as confirmed: no mail goes out.
INSERT INTO auth.users (
  instance_id, aud, role, email, encrypted_password, email_confirmed_at,
  raw_app_meta_data, raw_user_meta_data, is_super_admin
)
VALUES (
  '00000000-0000-0000-0000-000000000000', $1, 'authenticated', $2, $3, now(),
  '{"provider": "email", "providers": ["email"]}', $4, $5
)
ON CONFLICT (email) WHERE is_sso_user = false DO NOTHING
RETURNING id, aud, role, email, encrypted_password, email_confirmed_at, invited_at, last_sign_in_at,
          raw_app_meta_data, raw_user_meta_data, is_anonymous, banned_until, created_at, updated_at

-- name: create_identity
INSERT INTO auth.identities (provider_id, user_id, identity_data, provider, last_sign_in_at)
VALUES ($1::uuid::text, $1, $2, 'email', now())

-- name: create_agency
WITH agency AS (
  INSERT INTO agencies (name) VALUES ($1) RETURNING id
)
INSERT INTO members (agency_id, user_id, role)
SELECT agency.id, $2, 'owner' FROM agency

-- name: note_sign_in
UPDATE auth.users
   SET last_sign_in_at = now(), updated_at = now()
 WHERE id = $1

-- name: change_password
UPDATE auth.users
   SET encrypted_password = $2, updated_at = now()
 WHERE id = $1

-- name: change_user_data
-- As GoTrue merges: what comes as null is taken out.
UPDATE auth.users
   SET raw_user_meta_data = (
         SELECT coalesce(jsonb_object_agg(entry.key, entry.value), '{}')
           FROM jsonb_each(raw_user_meta_data || $2) AS entry
          WHERE NOT ($2::jsonb ? entry.key AND entry.value = 'null')),
       updated_at = now()
 WHERE id = $1
RETURNING raw_user_meta_data

-- name: create_session
INSERT INTO auth.sessions (user_id, user_agent, ip)
VALUES ($1, $2, $3::text::inet)
RETURNING id, user_id, aal, created_at, not_after

-- name: find_session
SELECT id, user_id, aal, created_at, not_after
  FROM auth.sessions
 WHERE id = $1 AND user_id = $2 AND (not_after IS NULL OR not_after > now())

-- name: lock_session_of_token
-- Whoever holds the session's row is the only one to exchange its tokens.
SELECT s.id, s.user_id, s.aal, s.created_at, s.not_after
  FROM auth.sessions s
  JOIN auth.refresh_tokens t ON t.session_id = s.id
 WHERE t.token = $1
   FOR UPDATE OF s

-- name: find_refresh_token
SELECT revoked, extract(epoch FROM clock_timestamp() - updated_at)::float8 AS age_s
  FROM auth.refresh_tokens
 WHERE token = $1

-- name: find_active_refresh_token
SELECT token
  FROM auth.refresh_tokens
 WHERE session_id = $1 AND NOT revoked
 ORDER BY id DESC
 LIMIT 1

-- name: create_refresh_token
INSERT INTO auth.refresh_tokens (token, user_id, session_id, parent)
VALUES ($1, $2::uuid::text, $3, $4)

-- name: revoke_refresh_token
UPDATE auth.refresh_tokens
   SET revoked = true, updated_at = clock_timestamp()
 WHERE token = $1

-- name: note_refresh
UPDATE auth.sessions
   SET refreshed_at = now(), updated_at = now()
 WHERE id = $1

-- name: end_session
WITH revoked AS (
  UPDATE auth.refresh_tokens
     SET revoked = true, updated_at = clock_timestamp()
   WHERE session_id = $1 AND NOT revoked
)
UPDATE auth.sessions
   SET not_after = now(), updated_at = now()
 WHERE id = $1

-- name: delete_session
DELETE FROM auth.sessions WHERE id = $1

-- name: delete_other_sessions
DELETE FROM auth.sessions WHERE user_id = $1 AND id IS DISTINCT FROM $2::uuid

-- name: count_attempt
INSERT INTO app.sign_in_attempts AS a (subject, attempts, until)
VALUES ($1, 1, now() + $2::interval)
ON CONFLICT (subject) DO UPDATE
   SET attempts = CASE WHEN a.until <= now() THEN 1 ELSE a.attempts + 1 END,
       until = CASE WHEN a.until <= now() THEN now() + $2::interval ELSE a.until END
RETURNING attempts, extract(epoch FROM until - now())::float8 AS left_s

-- name: forgive_attempts
DELETE FROM app.sign_in_attempts WHERE subject = $1

-- name: prune_attempts
DELETE FROM app.sign_in_attempts
 WHERE subject IN (
   SELECT subject FROM app.sign_in_attempts
    WHERE until <= now()
    LIMIT 100
      FOR UPDATE SKIP LOCKED)

-- name: prune_refresh_tokens
-- A thief who waits this long is told that the token is unknown, and the session goes on.
DELETE FROM auth.refresh_tokens
 WHERE session_id = $1 AND revoked AND updated_at < now() - interval '30 days'

-- name: call_access_token_hook
SELECT public.custom_access_token_hook($1) AS event

-- name: lock_operators
SELECT pg_advisory_xact_lock(hashtextextended('gardenos.operators', 0))

-- name: find_invitation
SELECT a.name AS agency, i.email, i.role, i.expires_at
  FROM invitations i JOIN agencies a ON a.id = i.agency_id
 WHERE i.digest = $1 AND i.accepted_at IS NULL AND i.expires_at > now()

-- name: accept_invitation
-- Whoever is a member already keeps their role.
WITH taken AS (
  UPDATE invitations
     SET accepted_at = now(), accepted_by = $2
   WHERE digest = $1 AND email = $3 AND accepted_at IS NULL AND expires_at > now()
  RETURNING agency_id, role
), joined AS (
  INSERT INTO members (agency_id, user_id, role)
  SELECT agency_id, $2, role FROM taken
  ON CONFLICT (agency_id, user_id) DO NOTHING
)
UPDATE auth.users u
   SET raw_app_meta_data = u.raw_app_meta_data || jsonb_build_object('entered_agency', taken.agency_id)
  FROM taken
 WHERE u.id = $2
RETURNING taken.agency_id

-- name: list_memberships
SELECT m.agency_id, a.name AS agency, m.role, m.created_at AS since
  FROM members m JOIN agencies a ON a.id = m.agency_id
 WHERE m.user_id = $1
 ORDER BY m.created_at, m.agency_id

-- name: enter_agency
UPDATE auth.users u
   SET raw_app_meta_data = u.raw_app_meta_data || jsonb_build_object('entered_agency', m.agency_id)
  FROM members m
 WHERE u.id = $1 AND m.user_id = $1 AND m.agency_id = $2
RETURNING m.agency_id
