-- name: list_defaults
SELECT d.role, d.entity, d.verb, d.scope, e.scoped
  FROM app.default_permissions d JOIN app.entities e ON e.name = d.entity
 ORDER BY d.entity, array_position(ARRAY['owner', 'admin', 'manager', 'agent', 'read_only'], d.role),
          array_position(ARRAY['read', 'create', 'update', 'delete'], d.verb)

-- name: list_matrix
SELECT d.role, d.entity, d.verb, coalesce(p.scope, d.scope) AS scope, d.scope AS default,
       p.scope IS NULL AS is_default
  FROM app.default_permissions d
  LEFT JOIN permissions p USING (role, entity, verb)
 ORDER BY d.entity, array_position(ARRAY['owner', 'admin', 'manager', 'agent', 'read_only'], d.role),
          array_position(ARRAY['read', 'create', 'update', 'delete'], d.verb)

-- name: list_entities
-- With the fields that a mask can name.
SELECT e.name, e.scoped,
       ARRAY(SELECT a.attname::text
               FROM pg_attribute a
              WHERE a.attrelid = to_regclass('public.' || e.name) AND a.attnum > 0 AND NOT a.attisdropped
                AND a.attgenerated = ''
                AND a.attname NOT IN ('id', 'agency_id', 'version', 'custom', 'created_by', 'created_at',
                                      'updated_at', 'deleted_at')
              ORDER BY a.attname) AS fields,
       EXISTS (SELECT FROM pg_attribute a
                WHERE a.attrelid = to_regclass('public.' || e.name) AND a.attname = 'custom') AS custom
  FROM app.entities e

-- name: set_cells
-- What equals the default is no decision of the agency's, and follows it from then on.
WITH given AS (
  SELECT g.role, g.entity, g.verb, nullif(g.scope, d.scope) AS scope
    FROM jsonb_to_recordset($2::jsonb) AS g(role text, entity text, verb text, scope text)
    JOIN app.default_permissions d USING (role, entity, verb)
), dropped AS (
  DELETE FROM permissions p
   USING given g
   WHERE g.scope IS NULL AND (p.role, p.entity, p.verb) = (g.role, g.entity, g.verb)
)
INSERT INTO permissions AS p (agency_id, role, entity, verb, scope)
SELECT $1, g.role, g.entity, g.verb, g.scope FROM given g WHERE g.scope IS NOT NULL
ON CONFLICT (agency_id, role, entity, verb) DO UPDATE SET scope = excluded.scope WHERE p.scope <> excluded.scope

-- name: list_masks
SELECT role, entity, field, access FROM field_masks ORDER BY entity, role, field

-- name: set_masks
WITH given AS (
  SELECT g.role, g.entity, g.field, g.access
    FROM jsonb_to_recordset($2::jsonb) AS g(role text, entity text, field text, access text)
), dropped AS (
  DELETE FROM field_masks m
   USING given g
   WHERE g.access IS NULL AND (m.role, m.entity, m.field) = (g.role, g.entity, g.field)
)
INSERT INTO field_masks AS m (agency_id, role, entity, field, access)
SELECT $1, g.role, g.entity, g.field, g.access FROM given g WHERE g.access IS NOT NULL
ON CONFLICT (agency_id, role, entity, field) DO UPDATE SET access = excluded.access WHERE m.access <> excluded.access
