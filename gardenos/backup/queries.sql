-- name: describe_server
SELECT
  s.system_identifier,
  current_setting('server_version_num')::integer AS version,
  current_setting('server_version') AS version_name,
  pg_size_bytes(current_setting('wal_segment_size'))::integer AS segment_size,
  (SELECT count(*) FROM pg_tablespace WHERE spcname NOT IN ('pg_default', 'pg_global'))::integer
    AS tablespaces
FROM pg_control_system() AS s

-- name: current_position
SELECT
  CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_flush_lsn() END::text

-- name: find_slot
SELECT
  slot.restart_lsn::text AS restart_lsn,
  slot.wal_status,
  checkpoint.timeline_id AS timeline,
  pg_size_bytes(current_setting('wal_segment_size'))::integer AS segment_size
FROM pg_replication_slots AS slot, pg_control_checkpoint() AS checkpoint
WHERE slot.slot_name = $1

-- name: create_slot
SELECT slot_name FROM pg_create_physical_replication_slot($1, true)

-- name: advance_slot
SELECT end_lsn FROM pg_replication_slot_advance($1, $2::text::pg_lsn)

-- name: drop_slot
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1
