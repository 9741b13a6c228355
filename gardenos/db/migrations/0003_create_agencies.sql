CREATE TABLE public.agencies (
  id         uuid PRIMARY KEY DEFAULT uuidv7(),
  name       text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
  version    bigint NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER agencies_touch BEFORE UPDATE ON public.agencies FOR EACH ROW EXECUTE FUNCTION app.touch();

CREATE TABLE public.members (
  agency_id  uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  user_id    uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
  role       text NOT NULL CHECK (role IN ('owner', 'admin', 'manager', 'agent', 'read_only')),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (agency_id, user_id)
);
CREATE INDEX members_user_id_idx ON public.members (user_id);

ALTER TABLE public.agencies ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.agencies FORCE ROW LEVEL SECURITY;
ALTER TABLE public.members ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.members FORCE ROW LEVEL SECURITY;

CREATE POLICY agencies_select ON public.agencies FOR SELECT TO authenticated, gardenos_agent
  USING (id = (SELECT app.agency_id()));
CREATE POLICY agencies_insert ON public.agencies FOR INSERT TO gardenos_auth WITH CHECK (true);
CREATE POLICY agencies_update ON public.agencies FOR UPDATE TO authenticated
  USING (id = (SELECT app.agency_id()) AND (SELECT app.can_administer()))
  WITH CHECK (id = (SELECT app.agency_id()));
CREATE POLICY agencies_delete ON public.agencies FOR DELETE TO authenticated USING (false);
CREATE POLICY agencies_sign_in ON public.agencies FOR SELECT TO gardenos_auth USING (true);

CREATE POLICY members_select ON public.members FOR SELECT TO authenticated, gardenos_agent
  USING (agency_id = (SELECT app.agency_id()));
CREATE POLICY members_insert ON public.members FOR INSERT TO authenticated
  WITH CHECK (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_administer()));
CREATE POLICY members_update ON public.members FOR UPDATE TO authenticated
  USING (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_administer()))
  WITH CHECK (agency_id = (SELECT app.agency_id()));
CREATE POLICY members_delete ON public.members FOR DELETE TO authenticated
  USING (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_administer()));
CREATE POLICY members_sign_in ON public.members FOR SELECT TO gardenos_auth, supabase_auth_admin USING (true);
CREATE POLICY members_sign_up ON public.members FOR INSERT TO gardenos_auth WITH CHECK (true);

GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role, gardenos_agent, gardenos_worker, gardenos_auth, supabase_auth_admin;
GRANT SELECT, UPDATE ON public.agencies TO authenticated;
GRANT SELECT ON public.agencies TO gardenos_agent;
GRANT SELECT, INSERT ON public.agencies, public.members TO gardenos_auth;
-- Who is a member is read here and changed by the members routes that a later version adds.
GRANT SELECT ON public.members TO authenticated, gardenos_agent, supabase_auth_admin;

-- The access-token hook, in the shape GoTrue calls: event in, event with claims out.
CREATE FUNCTION public.custom_access_token_hook(event jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
  membership record;
BEGIN
  SELECT m.agency_id, m.role INTO membership
    FROM public.members m
   WHERE m.user_id = (event ->> 'user_id')::uuid
   ORDER BY m.created_at, m.agency_id
   LIMIT 1;
  IF NOT FOUND THEN
    RETURN event;
  END IF;
  RETURN jsonb_set(
    event, '{claims}',
    coalesce(event -> 'claims', '{}') || jsonb_build_object(
      'agency_id', membership.agency_id,
      'user_role', membership.role,
      'operator', coalesce((SELECT u.is_super_admin FROM auth.users u
                             WHERE u.id = (event ->> 'user_id')::uuid), false)));
END
$$;
REVOKE EXECUTE ON FUNCTION public.custom_access_token_hook FROM PUBLIC;
GRANT EXECUTE ON FUNCTION public.custom_access_token_hook TO gardenos_auth, supabase_auth_admin;
