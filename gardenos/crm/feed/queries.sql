-- name: read_edge
-- Every change of a transaction below this one has been committed, or never will be.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS edge

-- name: read_changes
-- Of some agencies after a position, in the order in which transactions began. A transaction that is
-- still open holds back those that began after it: none is passed over.
SELECT e.edge, o.agency_id, o.txid, o.seq, o.entity, o.record_id, o.verb, o.at
  FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS edge) e
  LEFT JOIN LATERAL (
    SELECT b.agency_id, b.txid::text::bigint AS txid, b.seq, b.entity, b.record_id, b.verb, b.at
      FROM outbox b
     WHERE (b.txid, b.seq) > ($1::bigint::text::xid8, $2) AND b.agency_id = ANY ($3::uuid[])
       AND b.txid < pg_snapshot_xmin(pg_current_snapshot())
     ORDER BY b.txid, b.seq
     LIMIT $4) o ON true
 ORDER BY o.txid, o.seq

-- name: read_pruned
SELECT txid::text::bigint AS txid, seq FROM app.feed

-- name: prune_changes
-- What is old and was handed to every webhook. The last of them is noted, for those who come back.
WITH gone AS (
  DELETE FROM outbox b
   USING (SELECT o.seq
            FROM outbox o
            CROSS JOIN app.webhook_cursor w
           WHERE o.at < now() - $1::interval AND (o.txid, o.seq) <= (w.txid, w.seq)
           ORDER BY o.txid, o.seq
           LIMIT $2) old
   WHERE b.seq = old.seq
  RETURNING b.txid, b.seq
), last AS (
  SELECT txid, seq FROM gone ORDER BY txid DESC, seq DESC LIMIT 1
), noted AS (
  UPDATE app.feed f
     SET txid = l.txid, seq = l.seq
    FROM last l
   WHERE (l.txid, l.seq) > (f.txid, f.seq)
)
SELECT count(*) AS pruned FROM gone

-- name: find_read_by_all
SELECT name FROM unnest($1::text[]) AS name WHERE app.reads_all(name)

-- name: find_readable
SELECT place FROM app.readable($1::text[], $2::text[]) AS place
