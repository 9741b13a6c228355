-- Bulk requests too large to be answered at once: they are worked off by and by, as whoever sent them.

CREATE TABLE public.bulk_jobs (
  id          uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id   uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  entity      text NOT NULL CHECK (entity ~ '^[a-z][a-z_]{0,39}$'),
  created_by  uuid NOT NULL,
  role        text NOT NULL CHECK (role IN ('owner', 'admin', 'manager', 'agent', 'read_only')),
  key_id      uuid,
  scopes      text[],
  task_id     uuid,
  total       integer NOT NULL CHECK (total > 0),
  succeeded   integer NOT NULL DEFAULT 0 CHECK (succeeded >= 0),
  failed      integer NOT NULL DEFAULT 0 CHECK (failed >= 0),
  created_at  timestamptz NOT NULL DEFAULT now(),
  started_at  timestamptz,
  finished_at timestamptz,
  UNIQUE (agency_id, id),
  CONSTRAINT no_more_is_done_than_there_is CHECK (succeeded + failed <= total)
);
COMMENT ON COLUMN public.bulk_jobs.role IS 'Of whoever sent it, at that time; so are key_id and scopes.';
CREATE INDEX bulk_jobs_agency_idx ON public.bulk_jobs (agency_id, id DESC);

-- The operations of a job, until what became of them takes their place in the transaction that does them.
CREATE TABLE public.bulk_chunks (
  agency_id  uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  job_id     uuid NOT NULL,
  number     integer NOT NULL CHECK (number >= 0),
  operations bytea,
  results    bytea,
  PRIMARY KEY (agency_id, job_id, number),
  FOREIGN KEY (agency_id, job_id) REFERENCES public.bulk_jobs (agency_id, id) ON DELETE CASCADE,
  CONSTRAINT done_or_to_be_done CHECK ((operations IS NULL) <> (results IS NULL))
);
COMMENT ON COLUMN public.bulk_chunks.operations IS 'JSON as bytes: it may hold text that no jsonb can.';

ALTER TABLE public.bulk_jobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.bulk_jobs FORCE ROW LEVEL SECURITY;
ALTER TABLE public.bulk_chunks ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.bulk_chunks FORCE ROW LEVEL SECURITY;
-- One's own; for those who run the agency everybody's.
CREATE POLICY bulk_jobs_select ON public.bulk_jobs FOR SELECT TO authenticated
  USING (agency_id = (SELECT app.agency_id())
         AND CASE WHEN (SELECT app.can_administer()) THEN true ELSE created_by = (SELECT app.user_id()) END);
-- Nobody has something done as another, or by more than they may.
CREATE POLICY bulk_jobs_insert ON public.bulk_jobs FOR INSERT TO authenticated
  WITH CHECK (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_write())
              AND created_by = (SELECT app.user_id()) AND role = (SELECT app.user_role())
              AND key_id IS NOT DISTINCT FROM ((SELECT app.claims()) ->> 'key_id')::uuid
              AND to_jsonb(scopes) IS NOT DISTINCT FROM ((SELECT app.claims()) -> 'scopes'));
CREATE POLICY bulk_jobs_update ON public.bulk_jobs FOR UPDATE TO authenticated
  USING (agency_id = (SELECT app.agency_id()) AND created_by = (SELECT app.user_id()))
  WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY bulk_jobs_delete ON public.bulk_jobs FOR DELETE TO authenticated USING (false);
CREATE POLICY bulk_jobs_work ON public.bulk_jobs FOR SELECT TO gardenos_agent USING (agency_id = (SELECT app.agency_id()));
CREATE POLICY bulk_chunks_select ON public.bulk_chunks FOR SELECT TO authenticated
  USING (agency_id = (SELECT app.agency_id()) AND EXISTS (SELECT FROM public.bulk_jobs j WHERE j.id = job_id));
CREATE POLICY bulk_chunks_insert ON public.bulk_chunks FOR INSERT TO authenticated
  WITH CHECK (agency_id = (SELECT app.agency_id()) AND EXISTS (
    SELECT FROM public.bulk_jobs j
     WHERE j.id = job_id AND j.task_id IS NULL
       AND j.created_by = (SELECT app.user_id()) AND j.role = (SELECT app.user_role())
       AND j.key_id IS NOT DISTINCT FROM ((SELECT app.claims()) ->> 'key_id')::uuid));
CREATE POLICY bulk_chunks_update ON public.bulk_chunks FOR UPDATE TO authenticated
  USING (agency_id = (SELECT app.agency_id()) AND EXISTS (
    SELECT FROM public.bulk_jobs j
     WHERE j.id = job_id AND j.created_by = (SELECT app.user_id()) AND j.role = (SELECT app.user_role())
       AND j.key_id IS NOT DISTINCT FROM ((SELECT app.claims()) ->> 'key_id')::uuid))
  WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY bulk_chunks_delete ON public.bulk_chunks FOR DELETE TO authenticated USING (false);
GRANT SELECT, INSERT (agency_id, entity, created_by, role, key_id, scopes, total),
      UPDATE (task_id, succeeded, failed, started_at, finished_at)
  ON public.bulk_jobs TO authenticated;
GRANT SELECT ON public.bulk_jobs TO gardenos_agent;
GRANT SELECT, INSERT (agency_id, job_id, number, operations), UPDATE (operations, results) ON public.bulk_chunks TO authenticated;

SELECT app.record('public.bulk_jobs', ARRAY['task_id', 'succeeded', 'failed', 'started_at', 'finished_at']);
