-- No statement names the agency: the policies do.

-- name: list_teams
SELECT id, name, version, created_at, updated_at,
       ARRAY(SELECT m.user_id FROM team_members m WHERE m.team_id = t.id ORDER BY m.user_id) AS members
  FROM teams t
 ORDER BY lower(name), id

-- name: get_team
SELECT id, name, version, created_at, updated_at,
       ARRAY(SELECT m.user_id FROM team_members m WHERE m.team_id = t.id ORDER BY m.user_id) AS members
  FROM teams t
 WHERE id = $1

-- name: create_team
INSERT INTO teams (agency_id, name) VALUES ($1, $2)
ON CONFLICT (agency_id, lower(name)) DO NOTHING
RETURNING id

-- name: touch_team
-- Also where only its members change: the version speaks of them, too.
UPDATE teams
   SET name = coalesce($2, name)
 WHERE id = $1 AND ($3::bigint[] IS NULL OR version = ANY ($3))
RETURNING id

-- name: drop_members
DELETE FROM team_members WHERE team_id = $1 AND user_id <> ALL ($2::uuid[])

-- name: add_members
INSERT INTO team_members (agency_id, team_id, user_id)
SELECT $1, $2, u FROM unnest($3::uuid[]) AS u
ON CONFLICT DO NOTHING

-- name: delete_team
DELETE FROM teams WHERE id = $1 AND ($2::bigint[] IS NULL OR version = ANY ($2))
