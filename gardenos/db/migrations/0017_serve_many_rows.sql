-- What a team looks at all day costs the same in an agency of 100,000 leads as in one of 100.

-- How many records there are, by owner, and leads by status, too. Whoever writes adds a line to the changes
-- and waits for nobody; the orchestrator folds them into the counts now and then. The sum of both is exact.
CREATE TABLE app.record_counts (
  agency_id uuid NOT NULL,
  entity    text NOT NULL,
  owner_id  uuid,
  status    text NOT NULL,
  n         bigint NOT NULL,
  UNIQUE NULLS NOT DISTINCT (agency_id, entity, owner_id, status)
);
CREATE TABLE app.record_count_changes (
  agency_id uuid NOT NULL,
  entity    text NOT NULL,
  owner_id  uuid,
  status    text NOT NULL,
  n         bigint NOT NULL
);
CREATE INDEX record_count_changes_idx ON app.record_count_changes (agency_id, entity);
COMMENT ON COLUMN app.record_counts.owner_id IS 'Whom row scopes go by: the owner, without one who made the record.';
COMMENT ON COLUMN app.record_counts.status IS 'Of leads; empty for what has none.';

-- Members read sums of them, through the functions below; triggers write for whatever agency a row has; the
-- orchestrator folds.
DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['record_counts', 'record_count_changes'] LOOP
    EXECUTE format('ALTER TABLE app.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE app.%I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY %I ON app.%I FOR SELECT TO gardenos_owner, authenticated
      USING (agency_id = (SELECT app.agency_id()))',
      name || '_sum', name);
    EXECUTE format('CREATE POLICY %I ON app.%I TO gardenos_worker USING (true) WITH CHECK (true)', name || '_fold', name);
  END LOOP;
END
$$;
CREATE POLICY record_count_changes_record ON app.record_count_changes FOR INSERT TO gardenos_owner WITH CHECK (true);
GRANT SELECT, DELETE ON app.record_count_changes TO gardenos_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON app.record_counts TO gardenos_worker;

CREATE FUNCTION app.count_inserts() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  IF TG_TABLE_NAME = 'leads' THEN
    INSERT INTO app.record_count_changes
    SELECT agency_id, 'leads', coalesce(owner_id, created_by), status, count(*)
      FROM new_rows WHERE deleted_at IS NULL GROUP BY 1, 3, 4;
  ELSE
    INSERT INTO app.record_count_changes
    SELECT agency_id, TG_TABLE_NAME, coalesce(owner_id, created_by), '', count(*)
      FROM new_rows WHERE deleted_at IS NULL GROUP BY 1, 3;
  END IF;
  RETURN NULL;
END
$$;
CREATE FUNCTION app.count_deletes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  IF TG_TABLE_NAME = 'leads' THEN
    INSERT INTO app.record_count_changes
    SELECT agency_id, 'leads', coalesce(owner_id, created_by), status, -count(*)
      FROM old_rows WHERE deleted_at IS NULL GROUP BY 1, 3, 4;
  ELSE
    INSERT INTO app.record_count_changes
    SELECT agency_id, TG_TABLE_NAME, coalesce(owner_id, created_by), '', -count(*)
      FROM old_rows WHERE deleted_at IS NULL GROUP BY 1, 3;
  END IF;
  RETURN NULL;
END
$$;
-- For each row, because most changes touch nothing that is counted, and then this is not called.
CREATE FUNCTION app.count_update() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  was text := '';
  is_now text := '';
BEGIN
  IF TG_TABLE_NAME = 'leads' THEN
    was := OLD.status;
    is_now := NEW.status;
  END IF;
  INSERT INTO app.record_count_changes
  SELECT c.* FROM (VALUES
    (OLD.agency_id, TG_TABLE_NAME::text, coalesce(OLD.owner_id, OLD.created_by), was, -1),
    (NEW.agency_id, TG_TABLE_NAME::text, coalesce(NEW.owner_id, NEW.created_by), is_now, 1)) AS c (agency_id, entity, owner_id, status, n)
   WHERE CASE c.n WHEN 1 THEN NEW.deleted_at ELSE OLD.deleted_at END IS NULL;
  RETURN NULL;
END
$$;
DO $$
DECLARE
  noun text;
BEGIN
  FOREACH noun IN ARRAY ARRAY['leads', 'contacts', 'companies'] LOOP
    EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON public.%I REFERENCING NEW TABLE AS new_rows
      FOR EACH STATEMENT EXECUTE FUNCTION app.count_inserts()', noun || '_count_inserts', noun);
    EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON public.%I REFERENCING OLD TABLE AS old_rows
      FOR EACH STATEMENT EXECUTE FUNCTION app.count_deletes()', noun || '_count_deletes', noun);
    EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON public.%I FOR EACH ROW
      WHEN ((OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL)
            OR coalesce(OLD.owner_id, OLD.created_by) IS DISTINCT FROM coalesce(NEW.owner_id, NEW.created_by) %s)
      EXECUTE FUNCTION app.count_update()', noun || '_count_update', noun,
      CASE noun WHEN 'leads' THEN 'OR OLD.status <> NEW.status' ELSE '' END);
  END LOOP;
END
$$;

-- Adds what changed to the counts; how many lines it was. One does it at a time.
CREATE FUNCTION app.fold_counts() RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  folded bigint;
BEGIN
  IF NOT pg_try_advisory_xact_lock(hashtextextended('gardenos.fold_counts', 0)) THEN
    RETURN 0;
  END IF;
  WITH changes AS (
    DELETE FROM app.record_count_changes RETURNING *
  ), sums AS (
    SELECT agency_id, entity, owner_id, status, sum(n)::bigint AS n, count(*) AS changes
      FROM changes GROUP BY 1, 2, 3, 4
  ), kept AS (
    INSERT INTO app.record_counts AS c
    SELECT agency_id, entity, owner_id, status, n FROM sums WHERE n <> 0
    ON CONFLICT (agency_id, entity, owner_id, status) DO UPDATE SET n = c.n + excluded.n
  )
  SELECT coalesce(sum(changes), 0)::bigint INTO folded FROM sums;
  -- Of owners and agencies that are gone, nothing stays.
  DELETE FROM app.record_counts WHERE n = 0;
  RETURN folded;
END
$$;
REVOKE EXECUTE ON FUNCTION app.fold_counts FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.fold_counts TO gardenos_worker;

-- How many records the caller may read, by status. It says of rows no more than their policies show.
CREATE FUNCTION app.count_readable(entity text) RETURNS TABLE (status text, n bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  WITH reach AS MATERIALIZED (
    SELECT app.scope(count_readable.entity, 'read') AS scope, app.owners(count_readable.entity, 'read') AS owners
  )
  SELECT c.status, sum(c.n)::bigint
    FROM (SELECT agency_id, entity, owner_id, status, n FROM app.record_counts
          UNION ALL SELECT agency_id, entity, owner_id, status, n FROM app.record_count_changes) c, reach r
   WHERE c.agency_id = (SELECT app.agency_id()) AND c.entity = count_readable.entity
     AND (r.scope = 'agency' OR r.scope <> 'none' AND c.owner_id = ANY (r.owners))
   GROUP BY c.status
  HAVING sum(c.n) > 0
$$;

-- What happened since, by kind, for a caller who reads all of the agency's activities; for others nothing.
CREATE FUNCTION app.count_activities(since timestamptz) RETURNS TABLE (kind text, n bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  SELECT a.kind, count(*)
    FROM public.activities a
   WHERE a.agency_id = (SELECT app.agency_id()) AND (SELECT app.scope('activities', 'read')) = 'agency'
     AND a.occurred_at >= since AND a.occurred_at <= now()
   GROUP BY a.kind
$$;

-- Of all agencies, which policies let nobody see, the owner of the tables included: unless for a moment.
ALTER TABLE public.leads NO FORCE ROW LEVEL SECURITY;
ALTER TABLE public.contacts NO FORCE ROW LEVEL SECURITY;
ALTER TABLE public.companies NO FORCE ROW LEVEL SECURITY;
ALTER TABLE app.record_counts NO FORCE ROW LEVEL SECURITY;
INSERT INTO app.record_counts
SELECT agency_id, 'leads', coalesce(owner_id, created_by), status, count(*) FROM public.leads
 WHERE deleted_at IS NULL GROUP BY 1, 3, 4
UNION ALL
SELECT agency_id, 'contacts', coalesce(owner_id, created_by), '', count(*) FROM public.contacts
 WHERE deleted_at IS NULL GROUP BY 1, 3
UNION ALL
SELECT agency_id, 'companies', coalesce(owner_id, created_by), '', count(*) FROM public.companies
 WHERE deleted_at IS NULL GROUP BY 1, 3;
ALTER TABLE public.leads FORCE ROW LEVEL SECURITY;
ALTER TABLE public.contacts FORCE ROW LEVEL SECURITY;
ALTER TABLE public.companies FORCE ROW LEVEL SECURITY;
ALTER TABLE app.record_counts FORCE ROW LEVEL SECURITY;

-- Counts and sums read an index alone: it holds what they ask for, and what policies ask of each row.
DROP INDEX public.leads_created_idx;
CREATE INDEX leads_created_idx ON public.leads (agency_id, created_at DESC, id DESC) INCLUDE (owner_id, created_by)
  WHERE deleted_at IS NULL;
DROP INDEX public.deals_board_idx;
CREATE INDEX deals_board_idx ON public.deals (agency_id, pipeline_id, stage_id, id DESC)
  INCLUDE (amount, currency, owner_id, created_by) WHERE deleted_at IS NULL;
CREATE INDEX deals_status_idx ON public.deals (agency_id, status, closed_at)
  INCLUDE (stage_id, amount, currency, expected_close, owner_id, created_by) WHERE deleted_at IS NULL;
DROP INDEX public.tasks_due_idx;
CREATE INDEX tasks_due_idx ON public.tasks (agency_id, due_at, id) INCLUDE (assignee_id, created_by)
  WHERE deleted_at IS NULL AND status = 'open';
DROP INDEX public.activities_occurred_idx;
CREATE INDEX activities_occurred_idx ON public.activities (agency_id, occurred_at DESC, id DESC) INCLUDE (kind);

-- What lists are filtered by, besides the status and the owner.
CREATE INDEX leads_company_idx ON public.leads (agency_id, company) WHERE company IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX leads_city_idx ON public.leads (agency_id, city) WHERE city IS NOT NULL AND deleted_at IS NULL;
