-- Fields of an agency's own, tags, saved views, attachments, and what a converted lead became.

INSERT INTO app.entities (name, scoped) VALUES
  ('custom_fields', false), ('tags', false), ('views', true), ('attachments', true);
INSERT INTO app.default_permissions (role, entity, verb, scope)
SELECT role, entity, verb,
       CASE
         WHEN role IN ('owner', 'admin', 'manager') OR verb = 'read' THEN 'agency'
         -- Everybody keeps views for themselves; other people's shared ones are not theirs to change.
         WHEN entity = 'views' THEN 'own'
         WHEN role = 'read_only' OR entity = 'custom_fields' THEN 'none'
         WHEN entity = 'tags' THEN CASE verb WHEN 'create' THEN 'agency' ELSE 'none' END
         ELSE CASE verb WHEN 'create' THEN 'agency' ELSE 'own' END
       END
  FROM unnest(ARRAY['owner', 'admin', 'manager', 'agent', 'read_only']) AS role,
       unnest(ARRAY['custom_fields', 'tags', 'views', 'attachments']) AS entity,
       unnest(ARRAY['read', 'create', 'update', 'delete']) AS verb;

-- Custom fields -------------------------------------------------------------------------------

-- What is wrong with a value as one of this kind; null where nothing is.
CREATE FUNCTION app.custom_fault(kind text, options jsonb, value jsonb) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
  given CONSTANT text := jsonb_typeof(value);
  said CONSTANT text := CASE WHEN given = 'string' THEN value #>> '{}' END;
BEGIN
  IF value IS NULL OR given = 'null' THEN
    RETURN NULL;
  END IF;
  CASE kind
    WHEN 'number' THEN
      RETURN CASE WHEN given <> 'number' THEN 'is no number' END;
    WHEN 'boolean' THEN
      RETURN CASE WHEN given <> 'boolean' THEN 'is neither true nor false' END;
    WHEN 'money' THEN
      RETURN CASE WHEN given <> 'object' OR value - ARRAY['amount', 'currency'] <> '{}'
                    OR jsonb_typeof(value -> 'amount') IS DISTINCT FROM 'string'
                    OR value ->> 'amount' !~ '^-?[0-9]{1,14}(\.[0-9]{1,4})?$'
                    OR coalesce(value ->> 'currency', '') !~ '^[A-Z]{3}$'
                  THEN 'is no amount of money; send {"amount": "12.50", "currency": "EUR"}' END;
    WHEN 'date' THEN
      RETURN CASE WHEN coalesce(said, '') !~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' OR NOT pg_input_is_valid(said, 'date')
                  THEN 'is no date; send one such as "2026-11-30"' END;
    WHEN 'choice' THEN
      RETURN CASE WHEN said IS NULL OR NOT options -> 'choices' ? said THEN 'is none of the choices' END;
    WHEN 'multi_choice' THEN
      IF given <> 'array' THEN
        RETURN 'is no list of choices';
      END IF;
      RETURN CASE WHEN EXISTS (SELECT FROM jsonb_array_elements(value) AS one
                                WHERE jsonb_typeof(one) <> 'string' OR NOT options -> 'choices' ? (one #>> '{}'))
                  THEN 'holds something that is none of the choices'
                  WHEN (SELECT count(DISTINCT one) FROM jsonb_array_elements(value) AS one) < jsonb_array_length(value)
                  THEN 'holds a choice twice' END;
    WHEN 'relation' THEN
      RETURN CASE WHEN said IS NULL OR NOT pg_input_is_valid(said, 'uuid') THEN 'is no id of a record' END;
    ELSE
      IF said IS NULL OR said ~ '^\s*$' OR char_length(said) > 2000 THEN
        RETURN 'is no text of 1 to 2,000 characters';
      END IF;
  END CASE;
  RETURN CASE kind
    WHEN 'url' THEN CASE WHEN said !~ '^https?://[^\s/]+\S*$' THEN 'is no address that begins with https:// or http://' END
    WHEN 'email' THEN CASE WHEN said !~ '^[^@\s]+@[^@\s]+$' OR char_length(said) > 320 THEN 'is not an e-mail address' END
    WHEN 'phone' THEN CASE WHEN said !~ '^[0-9+() ./x-]*[0-9][0-9+() ./x-]*$' OR char_length(said) > 50 THEN 'is no telephone number' END
  END;
END
$$;

-- A value as one of another kind; null where it cannot become one without losing something.
CREATE FUNCTION app.custom_converted(kind text, options jsonb, value jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
  given CONSTANT text := jsonb_typeof(value);
  said CONSTANT text := CASE WHEN given IN ('string', 'number', 'boolean') THEN btrim(value #>> '{}') END;
  made jsonb;
BEGIN
  IF app.custom_fault(kind, options, value) IS NULL THEN
    RETURN value;
  END IF;
  IF given = 'array' AND kind <> 'multi_choice' AND jsonb_array_length(value) = 1 THEN
    RETURN app.custom_converted(kind, options, value -> 0);
  END IF;
  IF given = 'object' AND kind = 'text' AND app.custom_fault('money', '{}', value) IS NULL THEN
    RETURN to_jsonb((value ->> 'amount') || ' ' || (value ->> 'currency'));
  END IF;
  IF said IS NULL THEN
    RETURN NULL;
  END IF;
  made := CASE kind
    WHEN 'number' THEN CASE WHEN given = 'string' AND said ~ '^[+-]?[0-9]{1,15}(\.[0-9]{1,15})?$' THEN to_jsonb(said::numeric) END
    WHEN 'boolean' THEN CASE WHEN lower(said) IN ('true', 'yes', '1') THEN to_jsonb(true)
                             WHEN lower(said) IN ('false', 'no', '0') THEN to_jsonb(false) END
    WHEN 'money' THEN CASE WHEN said ~ '^[0-9.-]+ [A-Z]{3}$'
                           THEN jsonb_build_object('amount', split_part(said, ' ', 1), 'currency', split_part(said, ' ', 2))
                           WHEN options ? 'currency' THEN jsonb_build_object('amount', said, 'currency', options ->> 'currency') END
    WHEN 'choice' THEN (SELECT c FROM jsonb_array_elements(options -> 'choices') AS c WHERE lower(c #>> '{}') = lower(said) LIMIT 1)
    WHEN 'multi_choice' THEN (SELECT jsonb_build_array(c) FROM jsonb_array_elements(options -> 'choices') AS c
                               WHERE lower(c #>> '{}') = lower(said) LIMIT 1)
    ELSE to_jsonb(said)
  END;
  RETURN CASE WHEN app.custom_fault(kind, options, made) IS NULL THEN made END;
END
$$;

CREATE FUNCTION app.custom_options_fit(kind text, options jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
  WHEN jsonb_typeof(options) <> 'object' THEN false
  WHEN kind IN ('choice', 'multi_choice') THEN
    options - 'choices' = '{}' AND CASE WHEN jsonb_typeof(options -> 'choices') = 'array' THEN
      jsonb_array_length(options -> 'choices') BETWEEN 1 AND 200
      AND NOT jsonb_path_exists(options, 'strict $.choices[*] ? (@.type() != "string" || @ == "")')
      AND jsonb_array_length(options -> 'choices') = (SELECT count(DISTINCT c) FROM jsonb_array_elements(options -> 'choices') AS c)
    ELSE false END
  WHEN kind = 'relation' THEN
    options - 'entity' = '{}' AND coalesce(options ->> 'entity', '') IN ('leads', 'contacts', 'companies', 'deals', 'tasks')
  WHEN kind = 'money' THEN
    options - 'currency' = '{}' AND coalesce(options ->> 'currency', 'EUR') ~ '^[A-Z]{3}$'
  ELSE options = '{}'
END;

CREATE TABLE public.custom_fields (
  id         uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id  uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  entity     text NOT NULL CHECK (entity IN ('leads', 'contacts', 'companies', 'deals', 'tasks')),
  key        text NOT NULL CHECK (key ~ '^[a-z][a-z0-9_]{0,62}$'),
  label      text NOT NULL CHECK (char_length(label) BETWEEN 1 AND 200),
  kind       text NOT NULL CHECK (kind IN ('text', 'number', 'money', 'date', 'boolean', 'choice',
                                           'multi_choice', 'url', 'email', 'phone', 'relation')),
  options    jsonb NOT NULL DEFAULT '{}',
  required   boolean NOT NULL DEFAULT false,
  position   integer NOT NULL DEFAULT 0 CHECK (position BETWEEN 0 AND 10000),
  version    bigint NOT NULL DEFAULT 1,
  created_by uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz,
  CONSTRAINT custom_fields_options CHECK (app.custom_options_fit(kind, options)),
  UNIQUE (agency_id, id),
  CONSTRAINT custom_fields_key_key UNIQUE (agency_id, entity, key)
);
COMMENT ON COLUMN public.custom_fields.deleted_at IS 'Archived: its values stay, as free ones.';
CREATE INDEX custom_fields_created_idx ON public.custom_fields (agency_id, created_at DESC, id DESC);
SELECT app.protect('custom_fields', NULL);
-- A definition says what a key means; retention does not take that away from the values.
DROP POLICY custom_fields_purge ON public.custom_fields;
REVOKE DELETE ON public.custom_fields FROM gardenos_worker;
CREATE POLICY custom_fields_owner ON public.custom_fields FOR SELECT TO gardenos_owner
  USING (agency_id = (SELECT app.agency_id()));

-- The values of custom fields as lists filter and sort by them. A row for every record and field, one
-- without a value included, so that an index has a list's whole order; one for each choice of several.
-- An index on an expression over `custom` would serve nobody: behind row-level security a condition
-- reaches an index only where its operators are leakproof, and those of JSONB are not.
CREATE TABLE public.custom_values (
  agency_id    uuid NOT NULL,
  entity       text NOT NULL,
  field_id     uuid NOT NULL,
  record_id    uuid NOT NULL,
  ordinal      smallint NOT NULL DEFAULT 0,
  slot         text NOT NULL CHECK (slot IN ('text', 'number', 'date')),
  text_value   text CHECK (char_length(text_value) <= 320),
  number_value double precision,
  date_value   date,
  PRIMARY KEY (record_id, field_id, ordinal),
  FOREIGN KEY (agency_id, field_id) REFERENCES public.custom_fields (agency_id, id) ON DELETE CASCADE
);
COMMENT ON COLUMN public.custom_values.text_value IS 'Its first 320 characters.';
CREATE INDEX custom_values_text_idx ON public.custom_values (agency_id, field_id, text_value, record_id) WHERE slot = 'text';
CREATE INDEX custom_values_number_idx ON public.custom_values (agency_id, field_id, number_value, record_id) WHERE slot = 'number';
CREATE INDEX custom_values_date_idx ON public.custom_values (agency_id, field_id, date_value, record_id) WHERE slot = 'date';

CREATE FUNCTION app.custom_slot(kind text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN kind IN ('number', 'money', 'boolean') THEN 'number' WHEN kind = 'date' THEN 'date' ELSE 'text' END;

-- A value as it stands in custom_values. Plain SQL, which PostgreSQL puts into the statement.
CREATE FUNCTION app.custom_text(kind text, value jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE kind WHEN 'number' THEN NULL WHEN 'money' THEN NULL WHEN 'boolean' THEN NULL WHEN 'date' THEN NULL
                 WHEN 'email' THEN left(lower(value #>> '{}'), 320) WHEN 'relation' THEN lower(value #>> '{}')
                 ELSE left(value #>> '{}', 320) END;
CREATE FUNCTION app.custom_number(kind text, value jsonb) RETURNS double precision
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE kind WHEN 'number' THEN (value #>> '{}')::double precision WHEN 'money' THEN (value ->> 'amount')::double precision
                 WHEN 'boolean' THEN CASE value #>> '{}' WHEN 'true' THEN 1 WHEN 'false' THEN 0 END END;
CREATE FUNCTION app.custom_date(kind text, value jsonb) RETURNS date
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE kind WHEN 'date' THEN (value #>> '{}')::date END;
-- The values of which each gets a row: the choices of several, else the value itself, also where there is none.
CREATE FUNCTION app.custom_parts(kind text, value jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN kind = 'multi_choice' AND jsonb_typeof(value) = 'array' AND value <> '[]' THEN value
            ELSE jsonb_build_array(nullif(value, '[]')) END;

-- Writers of an agency's records of an entity share this lock; whoever changes what a field is has it alone.
CREATE FUNCTION app.custom_lock(agency_id uuid, entity text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hashtextextended('custom_fields:' || entity || ':' || agency_id, 0);

-- After records were put in or changed: the values set now fit the definitions, and are kept for lists.
-- A value that is missing since before its field was required is asked for when it is next set.
CREATE FUNCTION app.keep_custom_values() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  kind_of CONSTANT text := TG_TABLE_NAME;
  wrong record;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    IF NOT EXISTS (SELECT FROM old_rows o JOIN new_rows n ON n.id = o.id WHERE n.custom <> o.custom) THEN
      RETURN NULL;
    END IF;
  END IF;
  PERFORM pg_advisory_xact_lock_shared(app.custom_lock(a.agency_id, kind_of))
     FROM (SELECT DISTINCT agency_id FROM new_rows) a;
  IF NOT EXISTS (SELECT FROM public.custom_fields f WHERE f.entity = kind_of AND f.deleted_at IS NULL) THEN
    RETURN NULL;
  END IF;
  IF TG_OP = 'INSERT' THEN
    SELECT f.key, f.label, c.fault INTO wrong
      FROM new_rows n JOIN public.custom_fields f ON f.agency_id = n.agency_id,
           LATERAL (SELECT app.custom_refusal(f, n.custom -> f.key) OFFSET 0) AS c (fault)
     WHERE f.entity = kind_of AND f.deleted_at IS NULL AND c.fault IS NOT NULL
     ORDER BY f.position, f.key LIMIT 1;
  ELSE
    SELECT f.key, f.label, c.fault INTO wrong
      FROM old_rows o JOIN new_rows n ON n.id = o.id JOIN public.custom_fields f ON f.agency_id = n.agency_id,
           LATERAL (SELECT CASE WHEN n.custom -> f.key IS DISTINCT FROM o.custom -> f.key
                                THEN app.custom_refusal(f, n.custom -> f.key) END OFFSET 0) AS c (fault)
     WHERE f.entity = kind_of AND f.deleted_at IS NULL AND c.fault IS NOT NULL
     ORDER BY f.position, f.key LIMIT 1;
    DELETE FROM public.custom_values v
     USING old_rows o, new_rows n, public.custom_fields f
     WHERE o.id = n.id AND v.record_id = n.id AND v.agency_id = n.agency_id AND f.id = v.field_id
       AND n.custom -> f.key IS DISTINCT FROM o.custom -> f.key;
  END IF;
  IF wrong.key IS NOT NULL THEN
    RAISE check_violation USING MESSAGE = format('The custom field %s (%s) %s.', wrong.label, wrong.key, wrong.fault),
      CONSTRAINT = 'custom_fields', COLUMN = wrong.key, DETAIL = wrong.fault;
  END IF;
  INSERT INTO public.custom_values (agency_id, entity, field_id, record_id, ordinal, slot, text_value, number_value, date_value)
  SELECT n.agency_id, f.entity, f.id, n.id, p.n - 1, app.custom_slot(f.kind),
         app.custom_text(f.kind, p.one), app.custom_number(f.kind, p.one), app.custom_date(f.kind, p.one)
    FROM new_rows n JOIN public.custom_fields f ON f.agency_id = n.agency_id AND f.entity = kind_of AND f.deleted_at IS NULL,
         jsonb_array_elements(app.custom_parts(f.kind, n.custom -> f.key)) WITH ORDINALITY AS p (one, n)
      ON CONFLICT DO NOTHING;
  RETURN NULL;
END
$$;

-- Why a record may not hold this under a field; null where it may.
CREATE FUNCTION app.custom_refusal(field public.custom_fields, value jsonb) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
  fault CONSTANT text := app.custom_fault(field.kind, field.options, value);
  known boolean := true;
BEGIN
  IF fault IS NOT NULL OR value IS NULL OR value = 'null' THEN
    RETURN coalesce(fault, CASE WHEN field.required THEN 'is required' END);
  END IF;
  IF field.kind = 'relation' THEN
    EXECUTE format('SELECT EXISTS (SELECT FROM public.%I r WHERE r.agency_id = $1 AND r.id = $2)', field.options ->> 'entity')
      INTO known USING field.agency_id, (value #>> '{}')::uuid;
  END IF;
  RETURN CASE WHEN NOT known THEN format('names none of your %s', field.options ->> 'entity') END;
END
$$;

-- Values of rows to be imported, each with those of defined fields as what they are, or why it will not do.
-- Nothing for an entity without definitions.
CREATE FUNCTION app.custom_fitted(entity text, numbers integer[], customs text[])
RETURNS TABLE (number integer, custom text, key text, fault text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM public.custom_fields f WHERE f.entity = custom_fitted.entity AND f.deleted_at IS NULL) THEN
    RETURN;
  END IF;
  RETURN QUERY
  WITH given AS (
    SELECT w.n, w.c::jsonb AS c FROM unnest(numbers, customs) AS w(n, c)
  ), checked AS MATERIALIZED (
    SELECT v.n, v.k, v.value, app.custom_refusal(v.f, v.value) AS fault
      FROM (SELECT g.n, f.key AS k, f AS f, coalesce(app.custom_converted(f.kind, f.options, g.c -> f.key), g.c -> f.key) AS value
              FROM given g, public.custom_fields f
             WHERE f.entity = custom_fitted.entity AND f.deleted_at IS NULL OFFSET 0) v
  )
  SELECT g.n, (g.c || coalesce(jsonb_object_agg(c.k, c.value) FILTER (WHERE c.value IS NOT NULL), '{}'))::text,
         min(c.k) FILTER (WHERE c.fault IS NOT NULL),
         (array_agg(c.fault ORDER BY c.k) FILTER (WHERE c.fault IS NOT NULL))[1]
    FROM given g LEFT JOIN checked c ON c.n = g.n
   GROUP BY g.n, g.c;
END
$$;

-- Rows that retention removes take their values along. Runs as whoever removes them.
CREATE FUNCTION app.drop_custom_values() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM public.custom_values v USING old_rows o WHERE v.record_id = o.id;
  RETURN NULL;
END
$$;

-- What a field is does not change under values that are something else. A transaction that says so, by
-- setting `app.convert` to the field's key, has them converted: all of them, or nothing happens.
CREATE FUNCTION app.define_custom_field() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  converts CONSTANT boolean := coalesce(current_setting('app.convert', true), '') = NEW.key;
  values_found record;
BEGIN
  PERFORM pg_advisory_xact_lock(app.custom_lock(NEW.agency_id, NEW.entity));
  IF TG_OP = 'UPDATE' THEN
    IF (NEW.key, NEW.entity) IS DISTINCT FROM (OLD.key, OLD.entity) THEN
      RAISE check_violation USING CONSTRAINT = 'custom_fields_stay',
        MESSAGE = 'A custom field keeps its key and its entity: values are stored under them.';
    END IF;
    IF (NEW.kind, NEW.options, NEW.deleted_at IS NULL) IS NOT DISTINCT FROM (OLD.kind, OLD.options, OLD.deleted_at IS NULL) THEN
      RETURN NULL;
    END IF;
  END IF;
  DELETE FROM public.custom_values v WHERE v.agency_id = NEW.agency_id AND v.field_id = NEW.id;
  IF NEW.deleted_at IS NOT NULL THEN
    RETURN NULL;
  END IF;
  SELECT c.total - CASE WHEN converts THEN c.convertible ELSE c.fitting END AS misfits, c.total - c.fitting AS others
    INTO values_found FROM app.count_custom_values(NEW.entity, NEW.key, NEW.kind, NEW.options) c;
  IF values_found.misfits > 0 THEN
    RAISE check_violation USING CONSTRAINT = 'custom_values_fit', DETAIL = values_found.misfits::text,
      MESSAGE = format('%s values stored under %s are not of the kind %s.', values_found.misfits, NEW.key, NEW.kind);
  END IF;
  IF values_found.others > 0 THEN
    EXECUTE format('UPDATE public.%I r SET custom = jsonb_set(r.custom, ARRAY[$1], app.custom_converted($2, $3, r.custom -> $1))
        WHERE r.agency_id = $4 AND r.custom ->> $1 IS NOT NULL AND app.custom_fault($2, $3, r.custom -> $1) IS NOT NULL', NEW.entity)
      USING NEW.key, NEW.kind, NEW.options, NEW.agency_id;
  END IF;
  EXECUTE format('INSERT INTO public.custom_values
      (agency_id, entity, field_id, record_id, ordinal, slot, text_value, number_value, date_value)
    SELECT r.agency_id, $1, $2, r.id, p.n - 1, app.custom_slot($3),
           app.custom_text($3, p.one), app.custom_number($3, p.one), app.custom_date($3, p.one)
      FROM public.%I r, jsonb_array_elements(app.custom_parts($3, r.custom -> $4)) WITH ORDINALITY AS p (one, n)
     WHERE r.agency_id = $5 ON CONFLICT DO NOTHING', NEW.entity)
    USING NEW.entity, NEW.id, NEW.kind, NEW.key, NEW.agency_id;
  RETURN NULL;
END
$$;
CREATE TRIGGER custom_fields_define AFTER INSERT OR UPDATE ON public.custom_fields
  FOR EACH ROW EXECUTE FUNCTION app.define_custom_field();

-- How many values the agency keeps under a key, how many of them are of this kind, and how many can become so.
CREATE FUNCTION app.count_custom_values(
  entity text, key text, kind text, options jsonb, OUT total bigint, OUT fitting bigint, OUT convertible bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
  target CONSTANT text := CASE kind WHEN 'relation' THEN options ->> 'entity' END;
BEGIN
  IF app.change_scope('custom_fields') <> 'agency' AND app.scope('custom_fields', 'create') <> 'agency' THEN
    RAISE insufficient_privilege USING MESSAGE = 'Your role does not change these custom_fields.';
  END IF;
  IF entity NOT IN ('leads', 'contacts', 'companies', 'deals', 'tasks') OR NOT app.custom_options_fit(kind, options) THEN
    RETURN;
  END IF;
  EXECUTE format('SELECT count(*), count(*) FILTER (WHERE known AND app.custom_fault($2, $3, value) IS NULL),
      count(*) FILTER (WHERE known AND app.custom_converted($2, $3, value) IS NOT NULL)
      FROM (SELECT r.custom -> $1 AS value, %s AS known FROM public.%I r
             WHERE r.agency_id = app.agency_id() AND r.custom ->> $1 IS NOT NULL) v',
      CASE WHEN target IS NULL THEN 'true' ELSE format(
        'EXISTS (SELECT FROM public.%I t WHERE t.agency_id = r.agency_id AND t.id::text = lower(r.custom ->> $1))', target) END,
      entity)
    INTO total, fitting, convertible USING key, kind, options;
END
$$;

DO $$
DECLARE
  name text;
  ours CONSTANT text := 'agency_id = (SELECT app.agency_id())';
BEGIN
  FOREACH name IN ARRAY ARRAY['leads', 'contacts', 'companies', 'deals', 'tasks'] LOOP
    -- The definitions' own functions work on all records of the agency, whoever called them.
    EXECUTE format('CREATE POLICY %I ON public.%I TO gardenos_owner USING (%s) WITH CHECK (%s)', name || '_owner', name, ours, ours);
    EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON public.%I REFERENCING NEW TABLE AS new_rows
      FOR EACH STATEMENT EXECUTE FUNCTION app.keep_custom_values()', name || '_keep_new_custom', name);
    EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON public.%I REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
      FOR EACH STATEMENT EXECUTE FUNCTION app.keep_custom_values()', name || '_keep_custom', name);
    EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON public.%I REFERENCING OLD TABLE AS old_rows
      FOR EACH STATEMENT EXECUTE FUNCTION app.drop_custom_values()', name || '_drop_custom', name);
    EXECUTE format('CREATE INDEX %I ON public.%I (deleted_at) WHERE deleted_at IS NOT NULL', name || '_deleted_idx', name);
  END LOOP;
END
$$;

-- What belongs to records -----------------------------------------------------------------------

CREATE TABLE public.tags (
  id         uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id  uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  name       text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 50),
  color      text CHECK (color ~ '^#[0-9a-f]{6}$'),
  version    bigint NOT NULL DEFAULT 1,
  created_by uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz,
  name_key   text GENERATED ALWAYS AS (lower(name)) STORED,
  UNIQUE (agency_id, id)
);
CREATE UNIQUE INDEX tags_name_key ON public.tags (agency_id, name_key) WHERE deleted_at IS NULL;
CREATE INDEX tags_deleted_idx ON public.tags (deleted_at) WHERE deleted_at IS NOT NULL;
SELECT app.protect('tags', NULL);

CREATE TABLE public.taggings (
  id         uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id  uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  tag_id     uuid NOT NULL,
  lead_id    uuid,
  contact_id uuid,
  company_id uuid,
  deal_id    uuid,
  task_id    uuid,
  created_by uuid DEFAULT app.user_id(),
  created_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT one_record_is_tagged CHECK (num_nonnulls(lead_id, contact_id, company_id, deal_id, task_id) = 1),
  FOREIGN KEY (agency_id, tag_id) REFERENCES public.tags (agency_id, id) ON DELETE CASCADE,
  FOREIGN KEY (agency_id, lead_id) REFERENCES public.leads (agency_id, id) ON DELETE CASCADE,
  FOREIGN KEY (agency_id, contact_id) REFERENCES public.contacts (agency_id, id) ON DELETE CASCADE,
  FOREIGN KEY (agency_id, company_id) REFERENCES public.companies (agency_id, id) ON DELETE CASCADE,
  FOREIGN KEY (agency_id, deal_id) REFERENCES public.deals (agency_id, id) ON DELETE CASCADE,
  FOREIGN KEY (agency_id, task_id) REFERENCES public.tasks (agency_id, id) ON DELETE CASCADE
);
CREATE INDEX taggings_tag_idx ON public.taggings (agency_id, tag_id);

CREATE TABLE public.views (
  id         uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id  uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  entity     text NOT NULL CHECK (entity ~ '^[a-z][a-z_]{0,39}$'),
  name       text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
  shared     boolean NOT NULL DEFAULT false,
  filters    jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(filters) = 'object'),
  sort       jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(sort) = 'array'),
  columns    jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(columns) = 'array'),
  version    bigint NOT NULL DEFAULT 1,
  created_by uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz,
  UNIQUE (agency_id, id)
);
CREATE INDEX views_created_idx ON public.views (agency_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX views_deleted_idx ON public.views (deleted_at) WHERE deleted_at IS NOT NULL;
SELECT app.protect('views', 'created_by');
CREATE POLICY views_private ON public.views AS RESTRICTIVE TO authenticated
  USING (CASE WHEN shared THEN true ELSE created_by = (SELECT app.user_id()) END);

CREATE TABLE public.attachments (
  id          uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id   uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  lead_id     uuid,
  contact_id  uuid,
  company_id  uuid,
  deal_id     uuid,
  activity_id uuid,
  name        text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 255),
  media_type  text NOT NULL CHECK (char_length(media_type) BETWEEN 3 AND 127),
  bytes       bigint NOT NULL CHECK (bytes > 0),
  sha256      text CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  state       text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'stored')),
  storage_key text NOT NULL UNIQUE DEFAULT replace(gen_random_uuid()::text, '-', ''),
  version     bigint NOT NULL DEFAULT 1,
  created_by  uuid,
  created_at  timestamptz NOT NULL DEFAULT now(),
  updated_at  timestamptz NOT NULL DEFAULT now(),
  deleted_at  timestamptz,
  CONSTRAINT attached_to_one_record CHECK (num_nonnulls(lead_id, contact_id, company_id, deal_id, activity_id) = 1),
  UNIQUE (agency_id, id),
  FOREIGN KEY (agency_id, lead_id) REFERENCES public.leads (agency_id, id) ON DELETE CASCADE,
  FOREIGN KEY (agency_id, contact_id) REFERENCES public.contacts (agency_id, id) ON DELETE CASCADE,
  FOREIGN KEY (agency_id, company_id) REFERENCES public.companies (agency_id, id) ON DELETE CASCADE,
  FOREIGN KEY (agency_id, deal_id) REFERENCES public.deals (agency_id, id) ON DELETE CASCADE,
  FOREIGN KEY (agency_id, activity_id) REFERENCES public.activities (agency_id, id) ON DELETE CASCADE
);
COMMENT ON COLUMN public.attachments.sha256 IS 'Of what was uploaded; where it was said beforehand, what it has to be.';
CREATE INDEX attachments_created_idx ON public.attachments (agency_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX attachments_deleted_idx ON public.attachments (deleted_at) WHERE deleted_at IS NOT NULL;
SELECT app.protect('attachments', 'created_by');
CREATE POLICY attachments_abandoned ON public.attachments FOR DELETE TO gardenos_worker USING (state = 'pending');
GRANT SELECT (storage_key, state, created_at) ON public.attachments TO gardenos_worker;

-- What a lead became, and what was made for it: what undoes it has to know. `*_version` is the version at
-- which what was made for it stood; null for what was there before.
CREATE TABLE public.lead_conversions (
  id              uuid PRIMARY KEY DEFAULT uuidv7(),
  agency_id       uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  lead_id         uuid NOT NULL,
  status_before   text NOT NULL,
  contact_id      uuid,
  company_id      uuid,
  deal_id         uuid,
  contact_version bigint,
  company_version bigint,
  deal_version    bigint,
  converted_by    uuid DEFAULT app.user_id(),
  converted_at    timestamptz NOT NULL DEFAULT now(),
  undone_by       uuid,
  undone_at       timestamptz,
  FOREIGN KEY (agency_id, lead_id) REFERENCES public.leads (agency_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX lead_conversions_standing_key ON public.lead_conversions (agency_id, lead_id) WHERE undone_at IS NULL;
CREATE INDEX leads_converted_contact_idx ON public.leads (agency_id, converted_contact_id) WHERE converted_contact_id IS NOT NULL;
CREATE INDEX leads_converted_company_idx ON public.leads (agency_id, converted_company_id) WHERE converted_company_id IS NOT NULL;
CREATE INDEX leads_converted_deal_idx ON public.leads (agency_id, converted_deal_id) WHERE converted_deal_id IS NOT NULL;

-- Whoever sees a record sees what belongs to it; whoever may change it may add to it and take away.
DO $$
DECLARE
  ours CONSTANT text := 'agency_id = (SELECT app.agency_id())';
  one record;
  tagged text := 'CASE';
  tagging text := 'CASE';
  valued text := 'CASE entity';
  attached text := 'CASE';
  attaching text := 'CASE';
  seen text;
  changed text;
BEGIN
  FOR one IN SELECT * FROM (VALUES ('leads', 'lead_id', 'owner_id'), ('contacts', 'contact_id', 'owner_id'),
      ('companies', 'company_id', 'owner_id'), ('deals', 'deal_id', 'owner_id'), ('tasks', 'task_id', 'assignee_id')) AS v (name, col, owner)
  LOOP
    seen := $rule$CASE (SELECT app.scope(%1$L, 'read')) WHEN 'agency' THEN true WHEN 'none' THEN false
      ELSE EXISTS (SELECT FROM public.%1$I r WHERE r.id = %2$I) END$rule$;
    changed := format($rule$CASE (SELECT app.scope(%1$L, 'update')) WHEN 'agency' THEN true WHEN 'none' THEN false
      ELSE EXISTS (SELECT FROM public.%1$I r WHERE r.id = %2$I
        AND coalesce(r.%3$I, r.created_by) = ANY ((SELECT app.owners(%1$L, 'update'))::uuid[])) END$rule$, one.name, one.col, one.owner);
    tagged := tagged || format(' WHEN %I IS NOT NULL THEN ', one.col) || format(seen, one.name, one.col);
    tagging := tagging || format(' WHEN %I IS NOT NULL THEN ', one.col) || changed;
    valued := valued || format(' WHEN %L THEN ', one.name) || format(seen, one.name, 'record_id');
    IF one.name <> 'tasks' THEN
      attached := attached || format(' WHEN %I IS NOT NULL THEN ', one.col) || format(seen, one.name, one.col);
      attaching := attaching || format(' WHEN %I IS NOT NULL THEN ', one.col) || changed;
    END IF;
    EXECUTE format('CREATE UNIQUE INDEX %I ON public.taggings (agency_id, %I, tag_id) WHERE %I IS NOT NULL', 'taggings_' || one.col || '_key', one.col, one.col);
    EXECUTE format('CREATE INDEX %I ON public.taggings (agency_id, tag_id, %I) WHERE %I IS NOT NULL', 'taggings_' || one.name || '_idx', one.col, one.col);
  END LOOP;
  attached := attached || ' ELSE EXISTS (SELECT FROM public.activities r WHERE r.id = activity_id) END';
  attaching := attaching || $rule$ ELSE CASE (SELECT app.scope('activities', 'create')) WHEN 'none' THEN false
    ELSE EXISTS (SELECT FROM public.activities r WHERE r.id = activity_id) END END$rule$;
  FOREACH seen IN ARRAY ARRAY['lead_id', 'contact_id', 'company_id', 'deal_id', 'activity_id'] LOOP
    EXECUTE format('CREATE INDEX %I ON public.attachments (agency_id, %I, id DESC) WHERE %I IS NOT NULL', 'attachments_' || seen || '_idx', seen, seen);
  END LOOP;
  EXECUTE format('CREATE POLICY attachments_seen ON public.attachments AS RESTRICTIVE FOR SELECT TO authenticated USING (%s)', attached);
  EXECUTE format('CREATE POLICY attachments_attached ON public.attachments AS RESTRICTIVE FOR INSERT TO authenticated WITH CHECK (%s)', attaching);

  FOREACH seen IN ARRAY ARRAY['taggings', 'custom_values', 'lead_conversions'] LOOP
    EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', seen);
    EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', seen);
  END LOOP;

  EXECUTE format('CREATE POLICY taggings_select ON public.taggings FOR SELECT TO authenticated USING (%s AND %s END)', ours, tagged);
  EXECUTE format('CREATE POLICY taggings_insert ON public.taggings FOR INSERT TO authenticated WITH CHECK (%s AND %s END)', ours, tagging);
  EXECUTE 'CREATE POLICY taggings_update ON public.taggings FOR UPDATE TO authenticated USING (false)';
  EXECUTE format('CREATE POLICY taggings_delete ON public.taggings FOR DELETE TO authenticated USING (%s AND %s END)', ours, tagging);
  EXECUTE format('CREATE POLICY taggings_agent ON public.taggings FOR SELECT TO gardenos_agent USING (%s)', ours);

  EXECUTE format('CREATE POLICY custom_values_select ON public.custom_values FOR SELECT TO authenticated USING (%s AND %s END)', ours, valued);
  EXECUTE 'CREATE POLICY custom_values_insert ON public.custom_values FOR INSERT TO authenticated WITH CHECK (false)';
  EXECUTE 'CREATE POLICY custom_values_update ON public.custom_values FOR UPDATE TO authenticated USING (false)';
  EXECUTE 'CREATE POLICY custom_values_delete ON public.custom_values FOR DELETE TO authenticated USING (false)';
  EXECUTE format('CREATE POLICY custom_values_owner ON public.custom_values TO gardenos_owner USING (%s) WITH CHECK (%s)', ours, ours);
  EXECUTE 'CREATE POLICY custom_values_worker ON public.custom_values FOR SELECT TO gardenos_worker USING (true)';
  EXECUTE 'CREATE POLICY custom_values_purge ON public.custom_values FOR DELETE TO gardenos_worker USING (true)';

  EXECUTE format('CREATE POLICY lead_conversions_select ON public.lead_conversions FOR SELECT TO authenticated USING (%s AND %s)', ours,
    format($rule$CASE (SELECT app.scope('leads', 'read')) WHEN 'agency' THEN true WHEN 'none' THEN false
      ELSE EXISTS (SELECT FROM public.leads r WHERE r.id = lead_id) END$rule$));
  changed := $rule$CASE (SELECT app.scope('leads', 'update')) WHEN 'agency' THEN true WHEN 'none' THEN false
      ELSE EXISTS (SELECT FROM public.leads r WHERE r.id = lead_id
        AND coalesce(r.owner_id, r.created_by) = ANY ((SELECT app.owners('leads', 'update'))::uuid[])) END$rule$;
  EXECUTE format('CREATE POLICY lead_conversions_insert ON public.lead_conversions FOR INSERT TO authenticated WITH CHECK (%s AND %s)', ours, changed);
  EXECUTE format('CREATE POLICY lead_conversions_update ON public.lead_conversions FOR UPDATE TO authenticated USING (%s AND %s) WITH CHECK (%s)', ours, changed, ours);
  EXECUTE 'CREATE POLICY lead_conversions_delete ON public.lead_conversions FOR DELETE TO authenticated USING (false)';
END
$$;
-- What was made for a lead's conversion, and what became of it since: gone, changed, used or untouched.
-- Uses count also where the caller does not see them.
CREATE FUNCTION app.conversion_state(lead uuid) RETURNS TABLE (noun text, record_id uuid, state text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
  WITH c AS (SELECT * FROM public.lead_conversions WHERE lead_id = lead AND undone_at IS NULL)
  SELECT 'deals', r.id, CASE
           WHEN r.deleted_at IS NOT NULL THEN 'gone' WHEN r.version <> c.deal_version THEN 'changed'
           WHEN EXISTS (SELECT FROM public.activities x WHERE x.deal_id = r.id)
             OR EXISTS (SELECT FROM public.tasks x WHERE x.deal_id = r.id)
             OR EXISTS (SELECT FROM public.attachments x WHERE x.deal_id = r.id)
             OR EXISTS (SELECT FROM public.taggings x WHERE x.deal_id = r.id) THEN 'used'
           ELSE 'untouched' END
    FROM c JOIN public.deals r ON r.id = c.deal_id WHERE c.deal_version IS NOT NULL
  UNION ALL
  SELECT 'contacts', r.id, CASE
           WHEN r.deleted_at IS NOT NULL THEN 'gone' WHEN r.version <> c.contact_version THEN 'changed'
           WHEN EXISTS (SELECT FROM public.activities x WHERE x.contact_id = r.id)
             OR EXISTS (SELECT FROM public.tasks x WHERE x.contact_id = r.id)
             OR EXISTS (SELECT FROM public.attachments x WHERE x.contact_id = r.id)
             OR EXISTS (SELECT FROM public.taggings x WHERE x.contact_id = r.id)
             OR EXISTS (SELECT FROM public.deals x WHERE x.contact_id = r.id AND x.id IS DISTINCT FROM c.deal_id)
             OR EXISTS (SELECT FROM public.leads x WHERE x.converted_contact_id = r.id AND x.id <> c.lead_id) THEN 'used'
           ELSE 'untouched' END
    FROM c JOIN public.contacts r ON r.id = c.contact_id WHERE c.contact_version IS NOT NULL
  UNION ALL
  SELECT 'companies', r.id, CASE
           WHEN r.deleted_at IS NOT NULL THEN 'gone' WHEN r.version <> c.company_version THEN 'changed'
           WHEN EXISTS (SELECT FROM public.activities x WHERE x.company_id = r.id)
             OR EXISTS (SELECT FROM public.tasks x WHERE x.company_id = r.id)
             OR EXISTS (SELECT FROM public.attachments x WHERE x.company_id = r.id)
             OR EXISTS (SELECT FROM public.taggings x WHERE x.company_id = r.id)
             OR EXISTS (SELECT FROM public.contacts x WHERE x.company_id = r.id AND x.id IS DISTINCT FROM c.contact_id)
             OR EXISTS (SELECT FROM public.deals x WHERE x.company_id = r.id AND x.id IS DISTINCT FROM c.deal_id)
             OR EXISTS (SELECT FROM public.leads x WHERE x.converted_company_id = r.id AND x.id <> c.lead_id) THEN 'used'
           ELSE 'untouched' END
    FROM c JOIN public.companies r ON r.id = c.company_id WHERE c.company_version IS NOT NULL
$$;
DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['activities', 'attachments', 'taggings', 'lead_conversions'] LOOP
    EXECUTE format('CREATE POLICY %I ON public.%I FOR SELECT TO gardenos_owner USING (agency_id = (SELECT app.agency_id()))',
      name || '_owner', name);
  END LOOP;
END
$$;
GRANT SELECT, INSERT, DELETE ON public.taggings TO authenticated;
GRANT SELECT ON public.taggings TO gardenos_agent;
GRANT SELECT ON public.custom_values TO authenticated;
GRANT SELECT (record_id), DELETE ON public.custom_values TO gardenos_worker;
GRANT SELECT, INSERT, UPDATE (undone_by, undone_at) ON public.lead_conversions TO authenticated;

SELECT app.record(name::regclass)
  FROM unnest(ARRAY['public.custom_fields', 'public.tags', 'public.taggings', 'public.views',
                    'public.attachments', 'public.lead_conversions']) AS name;

-- Retention ---------------------------------------------------------------------------------------

GRANT SELECT (pipeline_id) ON public.deals TO gardenos_worker;
CREATE INDEX pipelines_deleted_idx ON public.pipelines (deleted_at) WHERE deleted_at IS NOT NULL;

-- Remove up to `most` rows of each table that were deleted longer ago than `keep`; how many it were. What
-- belongs to a record goes with it. Runs with the rights of its caller, the worker.
CREATE FUNCTION app.purge_deleted(keep interval, most integer) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  name text;
  gone bigint;
  total bigint := 0;
BEGIN
  FOREACH name IN ARRAY ARRAY['attachments', 'views', 'tags', 'tasks', 'deals', 'contacts', 'companies', 'leads', 'pipelines'] LOOP
    EXECUTE format('DELETE FROM public.%I t WHERE t.id = ANY (ARRAY(
        SELECT d.id FROM public.%I d WHERE d.deleted_at < now() - $1%s ORDER BY d.deleted_at LIMIT $2))
      AND t.deleted_at IS NOT NULL', name, name,
      -- Deals that are kept keep their pipeline.
      CASE name WHEN 'pipelines' THEN ' AND NOT EXISTS (SELECT FROM public.deals o WHERE o.pipeline_id = d.id)' ELSE '' END)
      USING keep, most;
    GET DIAGNOSTICS gone = ROW_COUNT;
    total := total + gone;
  END LOOP;
  RETURN total;
END
$$;
REVOKE EXECUTE ON FUNCTION app.purge_deleted FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.purge_deleted TO gardenos_worker;
