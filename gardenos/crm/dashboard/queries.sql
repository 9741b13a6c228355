-- name: read_dashboard
-- $1: of how many days, up to now. Each count is exact, of what the caller may read; each reads an index or a counter.
WITH masks AS MATERIALIZED (
  SELECT app.hidden_fields('leads') AS leads, app.hidden_fields('deals') AS deals,
         app.hidden_fields('tasks') AS tasks, app.hidden_fields('activities') AS activities
), lead_statuses AS MATERIALIZED (
  SELECT status, n FROM app.count_readable('leads')
), deal_places AS MATERIALIZED (
  SELECT status, stage_id, currency, count(*) AS n, sum(amount) AS amount,
         count(*) FILTER (WHERE expected_close < current_date) AS overdue
    FROM deals
   WHERE deleted_at IS NULL AND (status = 'open' OR status IN ('won', 'lost') AND closed_at >= now() - make_interval(days => $1))
   GROUP BY status, stage_id, currency
), deal_sums AS MATERIALIZED (
  SELECT p.status, p.currency, sum(p.amount) AS amount, round(sum(p.amount * s.probability / 100), 4) AS weighted
    FROM deal_places p LEFT JOIN stages s ON s.id = p.stage_id
   WHERE p.currency IS NOT NULL
   GROUP BY p.status, p.currency
), deal_counts AS MATERIALIZED (
  SELECT k.status, coalesce(sum(p.n), 0)::bigint AS n, coalesce(sum(p.overdue), 0)::bigint AS overdue,
         (SELECT coalesce(jsonb_agg(jsonb_build_object('currency', s.currency, 'amount', trim_scale(s.amount)::text,
                                                       'weighted', trim_scale(s.weighted)::text) ORDER BY s.currency), '[]')
            FROM deal_sums s WHERE s.status = k.status) AS sums
    FROM (VALUES ('open'), ('won'), ('lost')) AS k(status) LEFT JOIN deal_places p ON p.status = k.status
   GROUP BY k.status
), open_tasks AS MATERIALIZED (
  SELECT count(*) AS n, count(*) FILTER (WHERE due_at < now()) AS overdue,
         count(*) FILTER (WHERE due_at >= now() AND due_at < now() + interval '1 day') AS due_soon,
         count(*) FILTER (WHERE assignee_id = (SELECT app.user_id())) AS mine
    FROM tasks WHERE deleted_at IS NULL AND status = 'open'
)
SELECT jsonb_build_object(
         'total', (SELECT coalesce(sum(n), 0)::bigint FROM lead_statuses),
         'new', CASE WHEN 'created_at' <> ALL (m.leads) THEN
                  (SELECT count(*) FROM leads WHERE deleted_at IS NULL AND created_at >= now() - make_interval(days => $1)) END,
         'by_status', CASE WHEN 'status' <> ALL (m.leads) THEN
                        (SELECT coalesce(jsonb_object_agg(status, n), '{}') FROM lead_statuses) END) AS leads,
       (SELECT coalesce(sum(n), 0)::bigint FROM app.count_readable('contacts')) AS contacts,
       (SELECT coalesce(sum(n), 0)::bigint FROM app.count_readable('companies')) AS companies,
       CASE WHEN 'status' <> ALL (m.deals) THEN
         (SELECT jsonb_object_agg(status, jsonb_build_object(
                   'count', n, 'sums', CASE WHEN NOT m.deals && ARRAY['amount', 'currency'] THEN sums END))
            FROM deal_counts) END AS deals,
       CASE WHEN NOT m.deals && ARRAY['status', 'expected_close'] THEN
         (SELECT overdue FROM deal_counts WHERE status = 'open') END AS deals_overdue,
       CASE WHEN NOT m.tasks && ARRAY['status', 'due_at', 'assignee_id'] THEN
         (SELECT jsonb_build_object('open', n, 'overdue', overdue, 'due_soon', due_soon, 'mine', mine) FROM open_tasks)
       END AS tasks,
       CASE WHEN NOT m.activities && ARRAY['kind', 'occurred_at'] THEN
         (SELECT coalesce(jsonb_object_agg(kind, n), '{}')
            FROM (SELECT kind, n FROM app.count_activities(now() - make_interval(days => $1))
                  UNION ALL
                  SELECT kind, count(*) FROM activities
                   WHERE (SELECT app.scope('activities', 'read')) <> 'agency'
                     AND occurred_at >= now() - make_interval(days => $1) AND occurred_at <= now()
                   GROUP BY kind) k)
       END AS activities
  FROM masks m
