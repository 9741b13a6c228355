-- The checker runs as the orchestrator: it may count effects and see whose they are, and read none.
CREATE POLICY lead_scores_worker ON public.lead_scores FOR SELECT TO gardenos_worker USING (true);
GRANT SELECT (id, agency_id, task_id) ON public.lead_scores TO gardenos_worker;
CREATE POLICY follow_ups_worker ON public.follow_ups FOR SELECT TO gardenos_worker USING (true);
GRANT SELECT (id, agency_id, task_id) ON public.follow_ups TO gardenos_worker;
-- The effects of a lead removed for good went with it; that it is gone shows by its id alone.
CREATE POLICY leads_worker ON public.leads FOR SELECT TO gardenos_worker USING (true);
GRANT SELECT (id, agency_id) ON public.leads TO gardenos_worker;
