-- Who belongs to an agency is changed by those who run it; who owns it, by its owners alone.

ALTER TABLE public.members
  ADD COLUMN version bigint NOT NULL DEFAULT 1,
  ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();
CREATE TRIGGER members_touch BEFORE UPDATE ON public.members FOR EACH ROW EXECUTE FUNCTION app.touch();
GRANT UPDATE (role), DELETE ON public.members TO authenticated;

-- What members are called only the sign-in knows: read for those of the caller's agency, and no others.
RESET ROLE;
SET LOCAL ROLE supabase_auth_admin;
GRANT SELECT (id, email, raw_user_meta_data, last_sign_in_at) ON auth.users TO gardenos_owner;
RESET ROLE;
SET LOCAL ROLE gardenos_owner;
CREATE POLICY members_named ON public.members FOR SELECT TO gardenos_owner USING (agency_id = (SELECT app.agency_id()));
CREATE FUNCTION app.member_names() RETURNS TABLE (user_id uuid, email text, name text, last_sign_in_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT u.id, u.email::text, u.raw_user_meta_data ->> 'name', u.last_sign_in_at
    FROM public.members m JOIN auth.users u ON u.id = m.user_id
   WHERE m.agency_id = (SELECT app.agency_id());
END;

CREATE FUNCTION app.guard_members() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
  touched boolean := false;
BEGIN
  -- Nobody but a member comes here with rights of their own; the sign-in adds, and removes who is gone.
  IF current_user <> 'authenticated' THEN
    RETURN NULL;
  END IF;
  IF TG_OP = 'UPDATE' THEN
    touched := EXISTS (SELECT FROM old_rows o JOIN new_rows n USING (agency_id, user_id)
                        WHERE o.role <> n.role AND 'owner' IN (o.role, n.role));
  ELSE
    touched := EXISTS (SELECT FROM old_rows o WHERE o.role = 'owner');
  END IF;
  IF NOT touched THEN
    RETURN NULL;
  END IF;
  IF app.user_role() <> 'owner' THEN
    RAISE insufficient_privilege USING MESSAGE = 'Only an owner of the agency makes or unmakes owners.';
  END IF;
  -- Two owners who remove each other take turns, and the second one finds the first gone.
  PERFORM pg_advisory_xact_lock(hashtextextended('gardenos.owners:' || app.agency_id(), 0));
  IF NOT EXISTS (SELECT FROM public.members m WHERE m.agency_id = app.agency_id() AND m.role = 'owner') THEN
    RAISE check_violation USING
      MESSAGE = 'The last owner of the agency stays. Make another member an owner first.',
      CONSTRAINT = 'an_agency_has_an_owner', TABLE = 'members';
  END IF;
  RETURN NULL;
END
$$;
CREATE TRIGGER members_guard_updates AFTER UPDATE ON public.members
  REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.guard_members();
CREATE TRIGGER members_guard_deletes AFTER DELETE ON public.members
  REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION app.guard_members();

CREATE TABLE public.invitations (
  id          uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id   uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  email       text NOT NULL CHECK (char_length(email) <= 255 AND email = lower(email)),
  role        text NOT NULL CHECK (role IN ('owner', 'admin', 'manager', 'agent', 'read_only')),
  digest      bytea NOT NULL UNIQUE CHECK (octet_length(digest) = 32),
  invited_by  uuid,
  expires_at  timestamptz NOT NULL,
  accepted_at timestamptz,
  accepted_by uuid,
  created_at  timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT accepted_by_somebody CHECK (accepted_at IS NULL OR accepted_by IS NOT NULL)
);
COMMENT ON COLUMN public.invitations.digest IS 'SHA-256 of the token; never the token itself.';
CREATE UNIQUE INDEX invitations_open_key ON public.invitations (agency_id, email) WHERE accepted_at IS NULL;

ALTER TABLE public.invitations ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.invitations FORCE ROW LEVEL SECURITY;
CREATE POLICY invitations_select ON public.invitations FOR SELECT TO authenticated
  USING (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_administer()));
CREATE POLICY invitations_insert ON public.invitations FOR INSERT TO authenticated
  WITH CHECK (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_administer())
    AND accepted_at IS NULL AND invited_by = (SELECT app.user_id())
    AND CASE role WHEN 'owner' THEN (SELECT app.user_role()) = 'owner' ELSE true END);
CREATE POLICY invitations_update ON public.invitations FOR UPDATE TO authenticated USING (false);
CREATE POLICY invitations_delete ON public.invitations FOR DELETE TO authenticated
  USING (agency_id = (SELECT app.agency_id()) AND (SELECT app.can_administer()) AND accepted_at IS NULL);
CREATE POLICY invitations_open ON public.invitations FOR SELECT TO gardenos_auth USING (true);
CREATE POLICY invitations_accept ON public.invitations FOR UPDATE TO gardenos_auth USING (true) WITH CHECK (true);
GRANT SELECT (id, agency_id, email, role, invited_by, expires_at, accepted_at, accepted_by, created_at),
      INSERT (id, agency_id, email, role, digest, invited_by, expires_at), DELETE
  ON public.invitations TO authenticated;
GRANT SELECT, UPDATE (accepted_at, accepted_by) ON public.invitations TO gardenos_auth;
SELECT app.record('public.invitations', ARRAY['digest']);

-- Of several agencies a user acts for the one they last entered, else for the first they belonged to.
-- Not noted as `agency_id`: a token's app_metadata.agency_id counts where the hook names no agency.
CREATE OR REPLACE FUNCTION public.custom_access_token_hook(event jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE AS $$
DECLARE
  person record;
  membership record;
BEGIN
  SELECT u.is_super_admin, u.raw_app_meta_data ->> 'entered_agency' AS entered INTO person
    FROM auth.users u WHERE u.id = (event ->> 'user_id')::uuid;
  SELECT m.agency_id, m.role INTO membership
    FROM public.members m
   WHERE m.user_id = (event ->> 'user_id')::uuid
   ORDER BY m.agency_id::text IS NOT DISTINCT FROM person.entered DESC, m.created_at, m.agency_id
   LIMIT 1;
  IF NOT FOUND THEN
    RETURN event;
  END IF;
  RETURN jsonb_set(
    event, '{claims}',
    coalesce(event -> 'claims', '{}') || jsonb_build_object(
      'agency_id', membership.agency_id,
      'user_role', membership.role,
      'operator', coalesce(person.is_super_admin, false)));
END
$$;
