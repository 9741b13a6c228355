-- name: read_timeline
-- $1 noun, $2 id; $3, $4, $5: time, kind and id of the entry to go on behind, null for the first page;
-- $6 how many. Each source gives as many as the page could hold, by its own index.
WITH subject AS MATERIALIZED (
  SELECT id FROM leads WHERE $1::text = 'leads' AND id = $2::uuid AND deleted_at IS NULL
  UNION ALL
  SELECT id FROM contacts WHERE $1 = 'contacts' AND id = $2 AND deleted_at IS NULL
  UNION ALL
  SELECT id FROM companies WHERE $1 = 'companies' AND id = $2 AND deleted_at IS NULL
  UNION ALL
  SELECT id FROM deals WHERE $1 = 'deals' AND id = $2 AND deleted_at IS NULL
), was AS MATERIALIZED (
  -- The leads that it is or was made of: what happened with them happened with it.
  SELECT l.id
    FROM subject s
    JOIN leads l ON $1 = 'leads' AND l.id = s.id
                 OR $1 = 'contacts' AND l.converted_contact_id = s.id
                 OR $1 = 'companies' AND l.converted_company_id = s.id
                 OR $1 = 'deals' AND l.converted_deal_id = s.id
), entries AS (
  (SELECT a.occurred_at AS at, 'activity' COLLATE "C" AS kind, a.id::text COLLATE "C" AS id,
          a.created_by AS actor, a.lead_id,
          jsonb_strip_nulls(jsonb_build_object(
            'kind', a.kind, 'subject', a.subject, 'body', a.body, 'direction', a.direction,
            'outcome', a.outcome, 'duration_s', a.duration_s, 'details', a.details,
            'contact_id', a.contact_id, 'company_id', a.company_id, 'deal_id', a.deal_id))
          - (SELECT app.hidden_fields('activities')) AS data
     FROM activities a
    WHERE a.lead_id = ANY (ARRAY(SELECT id FROM was))
      AND ($3::timestamptz IS NULL OR a.occurred_at <= $3
           AND (a.occurred_at, 'activity', a.id::text COLLATE "C") < ($3, $4::text COLLATE "C", $5::text COLLATE "C"))
    ORDER BY a.occurred_at DESC, a.id DESC
    LIMIT $6)
  UNION ALL
  (SELECT a.occurred_at, 'activity', a.id::text, a.created_by, a.lead_id,
          jsonb_strip_nulls(jsonb_build_object(
            'kind', a.kind, 'subject', a.subject, 'body', a.body, 'direction', a.direction,
            'outcome', a.outcome, 'duration_s', a.duration_s, 'details', a.details,
            'contact_id', a.contact_id, 'company_id', a.company_id, 'deal_id', a.deal_id))
          - (SELECT app.hidden_fields('activities'))
     FROM activities a
    WHERE ($1 = 'contacts' AND a.contact_id = (SELECT id FROM subject)
        OR $1 = 'companies' AND a.company_id = (SELECT id FROM subject)
        OR $1 = 'deals' AND a.deal_id = (SELECT id FROM subject))
      AND (a.lead_id IS NULL OR a.lead_id <> ALL (ARRAY(SELECT id FROM was)))
      AND ($3 IS NULL OR a.occurred_at <= $3
           AND (a.occurred_at, 'activity', a.id::text COLLATE "C") < ($3, $4 COLLATE "C", $5 COLLATE "C"))
    ORDER BY a.occurred_at DESC, a.id DESC
    LIMIT $6)
  UNION ALL
  (SELECT l.at, 'change', lpad(l.id::text, 20, '0'), l.actor, NULL,
          jsonb_build_object('verb', l.verb, 'actor_kind', l.actor_kind,
                             'changes', app.told(l.verb, l.changes, (SELECT app.hidden_fields($1))))
     FROM audit_log l
    WHERE l.entity = $1 AND l.record_id = (SELECT id::text FROM subject)
      AND ($3 IS NULL OR l.at <= $3
           AND (l.at, 'change', lpad(l.id::text, 20, '0') COLLATE "C") < ($3, $4 COLLATE "C", $5 COLLATE "C"))
    ORDER BY l.at DESC, l.id DESC
    LIMIT $6)
  UNION ALL
  (SELECT s.created_at, 'score', s.id::text, NULL, s.lead_id,
          jsonb_build_object('quality_score', s.quality_score, 'conversion_probability', s.conversion_probability,
                             'reasons', s.reasons, 'next_actions', s.next_actions, 'task_id', s.task_id,
                             'provider', s.provider, 'model', s.model) - (SELECT app.hidden_fields('leads'))
     FROM lead_scores s
    WHERE s.lead_id = ANY (ARRAY(SELECT id FROM was))
      AND ($3 IS NULL OR s.created_at <= $3
           AND (s.created_at, 'score', s.id::text COLLATE "C") < ($3, $4 COLLATE "C", $5 COLLATE "C"))
    ORDER BY s.created_at DESC, s.id DESC
    LIMIT $6)
  UNION ALL
  (SELECT f.created_at, 'follow_up', f.id::text, NULL, f.lead_id,
          jsonb_build_object('state', f.state, 'subject', f.subject, 'body', f.body, 'task_id', f.task_id,
                             'provider', f.provider, 'model', f.model)
     FROM follow_ups f
    WHERE f.lead_id = ANY (ARRAY(SELECT id FROM was))
      AND ($3 IS NULL OR f.created_at <= $3
           AND (f.created_at, 'follow_up', f.id::text COLLATE "C") < ($3, $4 COLLATE "C", $5 COLLATE "C"))
    ORDER BY f.created_at DESC, f.id DESC
    LIMIT $6)
)
SELECT at, kind, id, actor, lead_id, data
  FROM entries
 ORDER BY at DESC, kind DESC, id DESC
 LIMIT $6
