-- Search over leads, contacts, companies, deals and activities: whole words, beginnings of words, and words
-- that are misspelt. Triggers keep a document of each record; docs/search.md says what is found how.

CREATE EXTENSION IF NOT EXISTS unaccent WITH SCHEMA app;
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA app;
CREATE EXTENSION IF NOT EXISTS btree_gin WITH SCHEMA app;
CREATE EXTENSION IF NOT EXISTS fuzzystrmatch WITH SCHEMA app;

-- Words in lower case and without accents. They are letters and digits, so that a tsvector needs no quotes.
-- Installations differ in where extensions are: hence the path.
CREATE FUNCTION app.plain_words(said text) RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, app, extensions, public AS $$
  SELECT string_to_array(btrim(regexp_replace(lower(unaccent(left(said, 20000))), '[^[:alnum:]]+', ' ', 'g')), ' ')
$$;

-- How a telephone number is looked for: all its digits, and the last ones, since who looks may leave out the
-- country or the area.
CREATE FUNCTION app.dialled(said text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT concat_ws(' ', d, CASE WHEN length(d) > 10 THEN right(d, 10) END, CASE WHEN length(d) > 7 THEN right(d, 7) END)
          FROM regexp_replace(said, '[^0-9]+', '', 'g') AS d WHERE length(d) >= 5);

-- What words of an agency's records of a kind begin with in the index: one lookup finds nothing of others.
-- Two agencies may share it; what is found is held to the agency besides.
CREATE FUNCTION app.search_prefix(agency uuid, entity text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 'x' || right(agency::text, 4) || CASE entity WHEN 'companies' THEN 'o' ELSE left(entity, 1) END;

CREATE FUNCTION app.search_vector(prefix text, a text, b text, c text, d text) RETURNS tsvector
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog AS $$
  SELECT coalesce(string_agg(prefix || left(w, 64) || ':1' || v.weight, ' '), '')::tsvector
    FROM (VALUES ('A', a), ('B', b), ('C', c), ('D', d)) AS v (weight, said), unnest(app.plain_words(v.said)) AS w
$$;

CREATE TABLE app.search_documents (
  agency_id uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  entity    text NOT NULL,
  record_id uuid NOT NULL,
  owner_id  uuid,
  words     tsvector NOT NULL,
  PRIMARY KEY (agency_id, entity, record_id)
);
CREATE INDEX search_documents_words_idx ON app.search_documents USING gin (words);
COMMENT ON COLUMN app.search_documents.owner_id IS 'Whom row scopes go by: the owner, without one who made the record.';
COMMENT ON COLUMN app.search_documents.words IS 'A names, B addresses, C what describes it, D notes.';

-- The words of names, to find those that are misspelt. There is no unique index, for which two transactions
-- with the same new word would wait for each other: a word may stand here twice.
CREATE TABLE app.search_words (
  agency_id uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  word      text NOT NULL
);
CREATE INDEX search_words_idx ON app.search_words (agency_id, word);
CREATE INDEX search_words_like_idx ON app.search_words USING gin (agency_id, word app.gin_trgm_ops);
-- Words that a record had and has no more: some are now in none.
CREATE TABLE app.search_words_gone (
  agency_id uuid NOT NULL REFERENCES public.agencies (id) ON DELETE CASCADE,
  word      text NOT NULL
);
CREATE INDEX search_words_gone_idx ON app.search_words_gone (agency_id, word);

-- Only triggers and the functions below touch these tables; members have no grant. What triggers put in, they
-- put in for whatever agency a row has. They take away for that of the claims: whoever changes rows without
-- claims, past the policies, has the documents made anew by app.leads_search_fill() and its like.
DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['search_documents', 'search_words', 'search_words_gone'] LOOP
    EXECUTE format('ALTER TABLE app.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY %I ON app.%I FOR SELECT TO gardenos_owner, authenticated
      USING (agency_id = (SELECT app.agency_id()))', name || '_select', name);
    EXECUTE format('CREATE POLICY %I ON app.%I FOR DELETE TO gardenos_owner
      USING (agency_id = (SELECT app.agency_id()))', name || '_delete', name);
    EXECUTE format('CREATE POLICY %I ON app.%I FOR INSERT TO gardenos_owner WITH CHECK (true)', name || '_record', name);
    EXECUTE format('CREATE POLICY %I ON app.%I FOR UPDATE TO authenticated USING (false)', name || '_update', name);
    EXECUTE format('CREATE POLICY %I ON app.%I TO gardenos_worker USING (true)', name || '_sweep', name);
  END LOOP;
END
$$;
GRANT SELECT ON app.search_documents TO gardenos_worker;
GRANT SELECT, DELETE ON app.search_words TO gardenos_worker;
GRANT SELECT, UPDATE, DELETE ON app.search_words_gone TO gardenos_worker;

-- Adds to the dictionary what it does not have. Numbers are not misspelt but wrong.
CREATE FUNCTION app.learn_words(agency uuid, said text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog AS $$
  INSERT INTO app.search_words
  SELECT DISTINCT agency, w FROM unnest(app.plain_words(said)) AS w
   WHERE length(w) BETWEEN 3 AND 64 AND w !~ '[0-9]'
     AND NOT EXISTS (SELECT FROM app.search_words k WHERE k.agency_id = agency AND k.word = w)
$$;

-- The triggers of each table: what its documents are made of, by weight.
DO $$
DECLARE
  t record;
  document text;
  names text;
BEGIN
  -- Below, what there is already is read of all agencies, which policies let nobody see: unless for a moment.
  FOR t IN SELECT * FROM (VALUES
    ('leads', 'coalesce(r.owner_id, r.created_by)', true,
     'concat_ws('' '', r.first_name, r.last_name)', 'concat_ws('' '', r.email, r.external_id, r.phone, app.dialled(r.phone))',
     'concat_ws('' '', r.company, r.job_title, r.city, r.country, r.website, r.source)', 'r.notes', 'r.company',
     'first_name, last_name, email, external_id, phone, company, job_title, city, country, website, source, notes, custom'),
    ('contacts', 'coalesce(r.owner_id, r.created_by)', true,
     'concat_ws('' '', r.first_name, r.last_name)',
     'concat_ws('' '', r.email, r.external_id, r.phone, r.mobile, app.dialled(r.phone), app.dialled(r.mobile))',
     'concat_ws('' '', r.job_title, r.street, r.postal_code, r.city, r.region, r.country, r.website, r.source)', 'r.notes', 'NULL',
     'first_name, last_name, email, external_id, phone, mobile, job_title, street, postal_code, city, region, country, website, source, notes, custom'),
    ('companies', 'coalesce(r.owner_id, r.created_by)', true,
     'r.name', 'concat_ws('' '', r.domain, r.external_id, r.phone, app.dialled(r.phone))',
     'concat_ws('' '', r.industry, r.street, r.postal_code, r.city, r.region, r.country, r.website)', 'r.notes', 'NULL',
     'name, domain, external_id, phone, industry, street, postal_code, city, region, country, website, notes, custom'),
    ('deals', 'coalesce(r.owner_id, r.created_by)', true, 'r.name', 'r.external_id', 'r.close_reason', 'r.notes', 'NULL',
     'name, external_id, close_reason, notes, custom'),
    ('activities', 'r.created_by', false, 'r.subject', 'NULL', 'r.outcome', 'r.body', 'NULL', 'subject, outcome, body')
  ) AS v (noun, owner, deletes, a, b, c, d, named, columns) LOOP
    -- An agency's own values are found as notes are.
    IF t.noun <> 'activities' THEN
      t.d := format('concat_ws('' '', %s, (SELECT string_agg(x.value #>> ''{}'', '' '') FROM jsonb_each(r.custom) AS x))', t.d);
    END IF;
    document := format('INSERT INTO app.search_documents
      SELECT r.agency_id, %L, r.id, %s, app.search_vector(app.search_prefix(r.agency_id, %L), %s, %s, %s, %s)',
      t.noun, t.owner, t.noun, t.a, t.b, t.c, t.d);
    names := format('concat_ws('' '', %s, %s)', t.a, t.named);
    EXECUTE format($code$
      CREATE FUNCTION app.%I() RETURNS trigger
      LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $body$
      BEGIN
        %s FROM new_rows r %s ON CONFLICT DO NOTHING;
        INSERT INTO app.search_words
        SELECT DISTINCT r.agency_id, w FROM new_rows r, unnest(app.plain_words(%s)) AS w
         WHERE length(w) BETWEEN 3 AND 64 AND w !~ '[0-9]'
           AND NOT EXISTS (SELECT FROM app.search_words k WHERE k.agency_id = r.agency_id AND k.word = w);
        RETURN NULL;
      END $body$ $code$,
      t.noun || '_search_insert', document, CASE WHEN t.deletes THEN 'WHERE r.deleted_at IS NULL' ELSE '' END, names);
    EXECUTE format($code$
      CREATE FUNCTION app.%I() RETURNS trigger
      LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $body$
      BEGIN
        DELETE FROM app.search_documents d WHERE d.agency_id = OLD.agency_id AND d.entity = %L AND d.record_id = OLD.id;
        INSERT INTO app.search_words_gone
        SELECT DISTINCT r.agency_id, w FROM (SELECT OLD.*) AS r, unnest(app.plain_words(%s)) AS w;
        %s FROM (SELECT NEW.*) AS r %s ON CONFLICT DO NOTHING;
        PERFORM app.learn_words(r.agency_id, %s) FROM (SELECT NEW.*) AS r %s;
        RETURN NULL;
      END $body$ $code$,
      t.noun || '_search_update', t.noun, names, document, CASE WHEN t.deletes THEN 'WHERE r.deleted_at IS NULL' ELSE '' END,
      names, CASE WHEN t.deletes THEN 'WHERE r.deleted_at IS NULL' ELSE '' END);
    EXECUTE format($code$
      CREATE FUNCTION app.%I() RETURNS trigger
      LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $body$
      BEGIN
        DELETE FROM app.search_documents d USING old_rows o
         WHERE d.agency_id = o.agency_id AND d.entity = %L AND d.record_id = o.id;
        -- Of an agency that goes as a whole, everything goes.
        INSERT INTO app.search_words_gone
        SELECT DISTINCT r.agency_id, w FROM old_rows r JOIN public.agencies g ON g.id = r.agency_id, unnest(app.plain_words(%s)) AS w;
        RETURN NULL;
      END $body$ $code$, t.noun || '_search_delete', t.noun, names);
    EXECUTE format('CREATE TRIGGER %I AFTER INSERT ON public.%I REFERENCING NEW TABLE AS new_rows
      FOR EACH STATEMENT EXECUTE FUNCTION app.%I()', t.noun || '_search_insert', t.noun, t.noun || '_search_insert');
    EXECUTE format('CREATE TRIGGER %I AFTER DELETE ON public.%I REFERENCING OLD TABLE AS old_rows
      FOR EACH STATEMENT EXECUTE FUNCTION app.%I()', t.noun || '_search_delete', t.noun, t.noun || '_search_delete');
    -- For each row, because most changes touch nothing that is searched, and then this is not called.
    EXECUTE format('CREATE TRIGGER %I AFTER UPDATE ON public.%I FOR EACH ROW
      WHEN (%s (%s) IS DISTINCT FROM (%s)) EXECUTE FUNCTION app.%I()',
      t.noun || '_search_update', t.noun,
      CASE WHEN t.deletes THEN '(OLD.deleted_at IS NULL) <> (NEW.deleted_at IS NULL)
        OR coalesce(OLD.owner_id, OLD.created_by) IS DISTINCT FROM coalesce(NEW.owner_id, NEW.created_by) OR ' ELSE '' END,
      'OLD.' || replace(t.columns, ', ', ', OLD.'), 'NEW.' || replace(t.columns, ', ', ', NEW.'), t.noun || '_search_update');
    -- What is there already; and what came while triggers were off, as in a restore.
    EXECUTE format($code$
      CREATE FUNCTION app.%I() RETURNS void
      LANGUAGE sql SET search_path = pg_catalog AS $body$
        DELETE FROM app.search_documents WHERE entity = %L;
        %s FROM public.%I r %s;
        INSERT INTO app.search_words
        SELECT DISTINCT r.agency_id, w FROM public.%I r, unnest(app.plain_words(%s)) AS w
         WHERE length(w) BETWEEN 3 AND 64 AND w !~ '[0-9]'
           AND NOT EXISTS (SELECT FROM app.search_words k WHERE k.agency_id = r.agency_id AND k.word = w);
      $body$ $code$,
      t.noun || '_search_fill', t.noun, document, t.noun, CASE WHEN t.deletes THEN 'WHERE r.deleted_at IS NULL' ELSE '' END,
      t.noun, names);
    EXECUTE format('REVOKE EXECUTE ON FUNCTION app.%I FROM PUBLIC', t.noun || '_search_fill');
    EXECUTE format('ALTER TABLE public.%I NO FORCE ROW LEVEL SECURITY', t.noun);
    EXECUTE format('SELECT app.%I()', t.noun || '_search_fill');
    EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', t.noun);
  END LOOP;
END
$$;

ALTER TABLE app.search_documents FORCE ROW LEVEL SECURITY;
ALTER TABLE app.search_words FORCE ROW LEVEL SECURITY;
ALTER TABLE app.search_words_gone FORCE ROW LEVEL SECURITY;

-- Takes words out of the dictionary that are in no document any more, some of those that were let go, as far as
-- whoever calls it sees them; how many were looked at.
CREATE FUNCTION app.sweep_words(most integer) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
  seen bigint;
BEGIN
  WITH gone AS (
    DELETE FROM app.search_words_gone g
     WHERE g.ctid = ANY (ARRAY(SELECT o.ctid FROM app.search_words_gone o LIMIT most))
    RETURNING g.agency_id, g.word
  ), unused AS (
    SELECT DISTINCT g.agency_id, g.word FROM gone g
     WHERE NOT EXISTS (
       SELECT FROM app.search_documents d
        WHERE d.agency_id = g.agency_id
          AND d.words @@ (SELECT string_agg(app.search_prefix(g.agency_id, e) || left(g.word, 64), '|')::tsquery
                            FROM unnest(ARRAY['leads', 'contacts', 'companies', 'deals', 'activities']) AS e))
  ), dropped AS (
    DELETE FROM app.search_words w USING unused u WHERE w.agency_id = u.agency_id AND w.word = u.word
  )
  SELECT count(*) INTO seen FROM gone;
  RETURN seen;
END
$$;
REVOKE EXECUTE ON FUNCTION app.sweep_words FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.sweep_words TO gardenos_worker;

-- The same for all that the caller's agency let go.
CREATE FUNCTION app.forget_words() RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$ SELECT app.sweep_words(1000000) $$;
REVOKE EXECUTE ON FUNCTION app.forget_words FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.forget_words TO authenticated;

-- The weights in which a role may find something: those without a field that is hidden from it.
CREATE FUNCTION app.search_weights(entity text, hidden text[]) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT coalesce(string_agg(v.weight, '' ORDER BY v.weight) FILTER (WHERE NOT v.fields && hidden), '')
          FROM (VALUES ('leads', 'A', ARRAY['first_name', 'last_name']), ('leads', 'B', ARRAY['email', 'external_id', 'phone']),
                       ('leads', 'C', ARRAY['company', 'job_title', 'city', 'country', 'website', 'source']),
                       ('leads', 'D', ARRAY['notes', 'custom']),
                       ('contacts', 'A', ARRAY['first_name', 'last_name']),
                       ('contacts', 'B', ARRAY['email', 'external_id', 'phone', 'mobile']),
                       ('contacts', 'C', ARRAY['job_title', 'street', 'postal_code', 'city', 'region', 'country', 'website', 'source']),
                       ('contacts', 'D', ARRAY['notes', 'custom']),
                       ('companies', 'A', ARRAY['name']), ('companies', 'B', ARRAY['domain', 'external_id', 'phone']),
                       ('companies', 'C', ARRAY['industry', 'street', 'postal_code', 'city', 'region', 'country', 'website']),
                       ('companies', 'D', ARRAY['notes', 'custom']),
                       ('deals', 'A', ARRAY['name']), ('deals', 'B', ARRAY['external_id']), ('deals', 'C', ARRAY['close_reason']),
                       ('deals', 'D', ARRAY['notes', 'custom']),
                       ('activities', 'A', ARRAY['subject']), ('activities', 'C', ARRAY['outcome']), ('activities', 'D', ARRAY['body'])
               ) AS v (entity, weight, fields)
         WHERE v.entity = search_weights.entity);

-- Words of the agency's dictionary that are like this one: at most two letters more, fewer or other; of short
-- words one, or two that changed places. The word itself, where it is one.
CREATE FUNCTION app.meant_words(agency uuid, said text) RETURNS text[]
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, app, extensions, public SET pg_trgm.similarity_threshold = 0.3 AS $$
BEGIN
  IF length(said) > 64 OR EXISTS (SELECT FROM app.search_words k WHERE k.agency_id = agency AND k.word = said) THEN
    RETURN ARRAY[said];
  END IF;
  IF length(said) <= 5 THEN
    -- Misspelling leaves a short word too few trigrams: all are compared that begin like it.
    RETURN ARRAY(
      SELECT n.word
        FROM (SELECT DISTINCT k.word, levenshtein_less_equal(k.word, said, 2) AS far
                FROM app.search_words k
               WHERE k.agency_id = agency AND k.word >= left(said, 1) AND k.word < left(said, 1) || chr(65535)
                 AND abs(length(k.word) - length(said)) <= 1) n
       WHERE n.far <= 1 OR n.far = 2 AND (SELECT array_agg(l ORDER BY l) FROM regexp_split_to_table(n.word, '') l)
                                       = (SELECT array_agg(l ORDER BY l) FROM regexp_split_to_table(said, '') l)
       ORDER BY n.far, n.word LIMIT 5);
  END IF;
  RETURN ARRAY(
    SELECT n.word
      FROM (SELECT DISTINCT k.word, levenshtein_less_equal(k.word, said, 2) AS far, similarity(k.word, said) AS near
              FROM app.search_words k WHERE k.agency_id = agency AND k.word % said) n
     WHERE n.far <= 2 OR n.near >= 0.5
     ORDER BY n.far, n.near DESC, n.word LIMIT 5);
END
$$;

-- The best of one kind: what has all the words of `said`, ranked by those of `either`, in which they are
-- alternatives; the more so where it has `whole`, without words that are merely begun. `owners` are those whose
-- records count; all where it is null.
--
-- Behind a policy the index would not be used: it serves a condition that is not leakproof only where none has to
-- be asked before it. So this and the function above run as a role of its own, which sees documents and words of
-- all agencies and nothing else. Only app.search calls them, with the agency of the claims.
CREATE FUNCTION app.search_kind(agency uuid, kind text, owners uuid[], said tsquery, either tsquery, whole tsquery,
                                most integer, best integer)
RETURNS TABLE (entity text, record_id uuid, rank real, cut boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
  -- The agency is no condition an index could serve: the words are, which begin with it. Of a word that is
  -- everywhere, some records are looked at, not all.
  RETURN QUERY
    WITH hits AS MATERIALIZED (
      SELECT d.record_id, d.words FROM app.search_documents d
       WHERE d.words @@ said AND d.agency_id IS NOT DISTINCT FROM agency AND d.entity IS NOT DISTINCT FROM kind
         AND (owners IS NULL OR d.owner_id = ANY (owners))
       LIMIT most + 1)
    SELECT kind, h.record_id,
           (ts_rank('{0.1, 0.3, 0.7, 1.0}', h.words, either) + CASE WHEN h.words @@ whole THEN 0.5 ELSE 0 END)::real,
           (SELECT count(*) > most FROM hits)
      FROM hits h ORDER BY 3 DESC, h.record_id DESC LIMIT best;
END
$$;
REVOKE EXECUTE ON FUNCTION app.search_kind, app.meant_words, app.learn_words FROM PUBLIC;
GRANT SELECT ON app.search_documents, app.search_words TO gardenos_search;
CREATE POLICY search_documents_search ON app.search_documents FOR SELECT TO gardenos_search USING (true);
CREATE POLICY search_words_search ON app.search_words FOR SELECT TO gardenos_search USING (true);
GRANT USAGE, CREATE ON SCHEMA app TO gardenos_search;
ALTER FUNCTION app.search_kind OWNER TO gardenos_search;
ALTER FUNCTION app.meant_words OWNER TO gardenos_search;
REVOKE CREATE ON SCHEMA app FROM gardenos_search;
SET LOCAL ROLE gardenos_search;
GRANT EXECUTE ON FUNCTION app.search_kind, app.meant_words TO gardenos_owner;
SET LOCAL ROLE gardenos_owner;

-- A query of an index: one of each choice, written with | between them, of which the last may be only begun.
CREATE FUNCTION app.search_query(prefix text, choices text[], weights text, begun boolean) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (SELECT string_agg('(' || (SELECT string_agg(prefix || w || ':' || CASE WHEN begun AND u.n = cardinality(choices) THEN '*' ELSE '' END
                                                    || weights, '|')
                                    FROM unnest(string_to_array(u.c, '|')) AS w) || ')', '&')
          FROM unnest(choices) WITH ORDINALITY AS u (c, n));

-- What of an agency is found by these words, under what the caller may read; `meant` are the words that found
-- it. Its rows are ids: who asks reads the records under its own policies. Kinds are asked in their order; what
-- merely begins like a word is not looked for in activities where the others fill the answer.
CREATE FUNCTION app.search(q text, kinds text[], most integer, best integer)
RETURNS TABLE (entity text, record_id uuid, rank real, cut boolean, meant text[], corrected boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog ROWS 50 AS $$
DECLARE
  agency CONSTANT uuid := app.agency_id();
  digits CONSTANT text := regexp_replace(regexp_replace(q, '[^0-9]+', '', 'g'), '^00', '');
  said CONSTANT text[] := CASE WHEN q ~ '^[-+0-9 ()/.]+$' AND length(digits) >= 5 THEN ARRAY[digits] ELSE app.plain_words(q) END;
  choices text[] := said;
  begun boolean := length(said[cardinality(said)]) > 1;
  kind text;
  reach text;
  hidden text[];
  weights text;
  whole text;
  begins text;
  n integer;
  found_so_far integer := 0;
BEGIN
  IF said = '{}' OR agency IS NULL THEN
    RETURN;
  END IF;
  FOR attempt IN 1 .. 2 LOOP
    FOREACH kind IN ARRAY kinds LOOP
      reach := app.scope(kind, 'read');
      hidden := app.hidden_fields(kind);
      weights := app.search_weights(kind, hidden);
      CONTINUE WHEN reach = 'none' OR weights = '';
      -- Without weights the index alone says what fits.
      weights := CASE WHEN hidden <> '{}' THEN weights ELSE '' END;
      whole := app.search_query(app.search_prefix(agency, kind), choices, weights, false);
      begins := app.search_query(app.search_prefix(agency, kind), choices, weights,
                                 begun AND NOT (kind = 'activities' AND found_so_far >= best));
      RETURN QUERY
        SELECT f.entity, f.record_id, f.rank, f.cut,
               ARRAY(SELECT unnest(string_to_array(c, '|')) FROM unnest(choices) c), attempt = 2
          FROM app.search_kind(agency, kind, CASE WHEN reach <> 'agency' AND kind <> 'activities' THEN app.owners(reach) END,
                 begins::tsquery, replace(begins, '&', '|')::tsquery, whole::tsquery, most, best) f;
      GET DIAGNOSTICS n = ROW_COUNT;
      found_so_far := found_so_far + n;
    END LOOP;
    EXIT WHEN found_so_far > 0;
    -- Nothing at all: perhaps something was misspelt. Then it is not begun, either.
    begun := false;
    choices := ARRAY(SELECT array_to_string(app.meant_words(agency, w), '|') FROM unnest(said) WITH ORDINALITY AS u (w, n) ORDER BY u.n);
    EXIT WHEN '' = ANY (choices) OR choices = said;
  END LOOP;
END
$$;
REVOKE EXECUTE ON FUNCTION app.search FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.search TO authenticated;
