-- name: make_table
CREATE TABLE IF NOT EXISTS ledger (
  writer     integer NOT NULL,
  seq        bigint NOT NULL,
  timeline   integer NOT NULL,
  server     text NOT NULL,
  written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (writer, seq)
)

-- name: empty_table
TRUNCATE ledger

-- name: write_row
INSERT INTO ledger (writer, seq, timeline, server)
VALUES (
  $1,
  $2,
  ('x' || substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8))::bit(32)::integer,
  host(inet_server_addr())
)
RETURNING timeline, server

-- name: read_rows
SELECT writer, seq FROM ledger

-- name: lose_row
DELETE FROM ledger
WHERE (writer, seq) = (SELECT writer, seq FROM ledger WHERE writer < 90 ORDER BY written_at LIMIT 1)

-- name: is_writable
SELECT NOT pg_is_in_recovery()
