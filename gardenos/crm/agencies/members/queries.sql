-- No statement names the agency: the policies do.

-- name: list_members
SELECT m.user_id, n.email, n.name, m.role, n.last_sign_in_at, m.version, m.created_at, m.updated_at,
       ARRAY(SELECT t.team_id FROM team_members t WHERE t.user_id = m.user_id ORDER BY t.team_id) AS teams
  FROM members m JOIN app.member_names() n ON n.user_id = m.user_id
 ORDER BY n.email, m.user_id

-- name: get_member
SELECT m.user_id, n.email, n.name, m.role, n.last_sign_in_at, m.version, m.created_at, m.updated_at,
       ARRAY(SELECT t.team_id FROM team_members t WHERE t.user_id = m.user_id ORDER BY t.team_id) AS teams
  FROM members m JOIN app.member_names() n ON n.user_id = m.user_id
 WHERE m.user_id = $1

-- name: change_role
UPDATE members
   SET role = $2
 WHERE user_id = $1 AND ($3::bigint[] IS NULL OR version = ANY ($3))

-- name: remove_member
DELETE FROM members
 WHERE user_id = $1 AND ($2::bigint[] IS NULL OR version = ANY ($2))

-- name: list_invitations
SELECT id, email, role, invited_by, expires_at, accepted_at, accepted_by, created_at
  FROM invitations
 ORDER BY id DESC
 LIMIT 1000

-- name: drop_expired
DELETE FROM invitations WHERE email = $1 AND accepted_at IS NULL AND expires_at <= now()

-- name: is_member
SELECT EXISTS (SELECT FROM app.member_names() WHERE email = $1)

-- name: create_invitation
INSERT INTO invitations (agency_id, email, role, digest, invited_by, expires_at)
VALUES ($1, $2, $3, $4, $5, now() + $6::interval)
ON CONFLICT (agency_id, email) WHERE accepted_at IS NULL DO NOTHING
RETURNING id, email, role, invited_by, expires_at, accepted_at, accepted_by, created_at

-- name: withdraw_invitation
DELETE FROM invitations WHERE id = $1 AND accepted_at IS NULL
