-- name: entities
-- args: those of the guard, where the entity is a table of records.
SELECT e.name, e.scoped, string_to_array(encode(t.tgargs, 'escape'), '\000') AS args
  FROM app.entities e
  LEFT JOIN pg_trigger t ON t.tgrelid = to_regclass('public.' || e.name)
                        AND t.tgfoid = 'app.guard_changes'::regproc
 ORDER BY e.name

-- name: defaults
SELECT role, entity, verb, scope FROM app.default_permissions

-- name: columns
-- distinct_: what a second record has to have another value of, also by way of a computed column.
SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type,
       a.attname IN (SELECT k.attname FROM pg_index i JOIN pg_attribute k
                      ON k.attrelid = i.indrelid AND k.attnum = ANY (i.indkey)
                   WHERE i.indrelid = a.attrelid AND i.indisunique AND NOT i.indisprimary)
    OR EXISTS (SELECT FROM pg_attribute g JOIN pg_attrdef d ON d.adrelid = g.attrelid AND d.adnum = g.attnum
                WHERE g.attrelid = a.attrelid AND g.attgenerated <> ''
                  AND pg_get_expr(d.adbin, d.adrelid) ~ ('\m' || a.attname || '\M')) AS distinct_
  FROM pg_attribute a
 WHERE a.attrelid = to_regclass('public.' || $1) AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
