-- name: read_key
SELECT storage_key
  FROM attachments
 WHERE id = $1 AND deleted_at IS NULL

-- name: confirm_attachment
UPDATE attachments
   SET state = 'stored', sha256 = $2
 WHERE id = $1 AND state = 'pending' AND deleted_at IS NULL
RETURNING id

-- name: find_keys
SELECT storage_key, state
  FROM attachments
 WHERE storage_key = ANY ($1::text[])

-- name: forget_abandoned
DELETE FROM attachments
 WHERE state = 'pending' AND created_at < $1

-- name: find_erased
SELECT storage_key
  FROM app.erased_files
 ORDER BY erased_at, storage_key
 LIMIT $1

-- name: forget_erased
DELETE FROM app.erased_files
 WHERE storage_key = ANY ($1::text[])
