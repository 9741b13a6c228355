-- 250,000 leads and what belongs to them, the same rows each time: everything is picked by a hash of its number.

-- name: start
CREATE FUNCTION pg_temp.pick(n bigint, salt int, size bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE RETURN (hashint8extended(n, salt) & 9223372036854775807) % size;

-- Some words are said often and most seldom, as in any language.
CREATE FUNCTION pg_temp.seldom(n bigint, salt int, size bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE RETURN floor(size * power(pg_temp.pick(n, salt, 1000000) / 1000000.0, 3))::bigint;

CREATE FUNCTION pg_temp.word(n bigint) RETURNS text
LANGUAGE sql IMMUTABLE RETURN
  (ARRAY['ba','ler','mi','tor','sel','gra','nov','chi','dun','pel','ash','ron','vik','lo','zen','har'])[1 + n % 16]
  || (ARRAY['an','e','is','o','um','ar','in','ost','el','ue','or','it'])[1 + n / 16 % 12]
  || (ARRAY['man','ton','berg','ska','dez','well','rup','lin','vich','son','rossi','dahl','sen','mann','ley','ford'])[1 + n / 192 % 16]
  || CASE WHEN n >= 3072 THEN (ARRAY['a','i','ek','us','y'])[1 + n / 3072 % 5] ELSE '' END;

CREATE TEMP TABLE firsts (n int PRIMARY KEY, name text NOT NULL);
INSERT INTO firsts SELECT n - 1, name FROM unnest(ARRAY[
  'Ada','Grace','Alan','Edsger','Barbara','Donald','Frances','John','Margaret','Niklaus','Sofia','Emmy','Jürgen','Zoë',
  'André','Chloé','Åsa','Mikołaj','Nuria','Íñigo','Wei','Aiko','Priya','Omar','Fatima','Kofi','Amina','Luis','Carmen',
  'Pedro','Ingrid','Lars','Elena','Dmitri','Yusuf','Leyla','Marta','Tomás','Giulia','Marco','Anna','Jan','Eva','Otto',
  'Ruth','Paul','Clara','Hugo','Ines','Noah']) WITH ORDINALITY AS f(name, n);
CREATE TEMP TABLE words AS SELECT n, pg_temp.word(n) AS word FROM generate_series(0, 14999) AS n;
CREATE UNIQUE INDEX ON words (n);
ANALYZE firsts, words;

-- Which agency a row of this number belongs to: every second to the first, the others in turn.
CREATE FUNCTION pg_temp.place(n bigint) RETURNS int
LANGUAGE sql IMMUTABLE RETURN CASE WHEN n % 2 = 0 THEN 0 ELSE 1 + (n / 2 % 49)::int END;

-- The words themselves, without a table to look them up in.
CREATE FUNCTION pg_temp.text_of(seed bigint, salt int, length int) RETURNS text
LANGUAGE sql IMMUTABLE RETURN (
  SELECT string_agg(pg_temp.word(pg_temp.seldom(seed * 64 + s, salt, 15000)), ' ' ORDER BY s)
    FROM generate_series(1, length) AS s);

CREATE TEMP TABLE who (place int, turn int, mates int, agency_id uuid, user_id uuid, firms bigint, people bigint);

-- name: places
ANALYZE who;
INSERT INTO pipelines (agency_id, name, is_default) SELECT DISTINCT agency_id, 'Sales', true FROM who;
INSERT INTO stages (agency_id, pipeline_id, name, kind, probability, position)
SELECT p.agency_id, p.id, s.name, s.kind, s.probability, s.position
  FROM pipelines p,
       (VALUES ('New', 'open', 10, 0), ('Talks', 'open', 30, 1), ('Offer', 'open', 60, 2), ('Contract', 'open', 80, 3),
               ('Won', 'won', 100, 4), ('Lost', 'lost', 0, 5)) AS s(name, kind, probability, position);

-- name: companies
INSERT INTO companies (agency_id, name, domain, industry, city, country, owner_id, created_at, created_by)
SELECT w.agency_id, initcap(a.word) || ' ' || (ARRAY['GmbH','Ltd','Inc','SA','Partners','& Sons'])[1 + i % 6],
       a.word || i || '.example.org', (ARRAY['software','retail','health','energy','media'])[1 + i % 5],
       initcap(c.word), (ARRAY['Germany','France','Spain','Poland','India'])[1 + i % 5], w.user_id,
       now() - pg_temp.pick(i, 3, 94608000) * interval '1 second', w.user_id
  FROM generate_series(1, $1::bigint) AS g (i)
  JOIN who w ON w.place = pg_temp.place(i) AND w.turn = pg_temp.pick(i, 1, w.mates)
  JOIN words a ON a.n = pg_temp.pick(i, 2, 15000)
  JOIN words c ON c.n = pg_temp.pick(i, 4, 60);

-- name: number_companies
CREATE TEMP TABLE firms AS
SELECT agency_id, id, row_number() OVER (PARTITION BY agency_id ORDER BY id) - 1 AS n
  FROM companies;
CREATE UNIQUE INDEX ON firms (agency_id, n);
ANALYZE firms;
UPDATE who SET firms = (SELECT count(*) FROM firms f WHERE f.agency_id = who.agency_id);

-- name: leads
INSERT INTO leads (agency_id, first_name, last_name, email, phone, company, job_title, city, source, status, notes, custom,
                   owner_id, quality_score, conversion_probability, scored_at, created_at, updated_at, created_by)
SELECT w.agency_id, f.name, initcap(l.word), l.word || i || '@' || c.word || '.example.org',
       '+49 30 ' || 1000000 + pg_temp.pick(i, 9, 8999999), initcap(c.word) || ' GmbH',
       (ARRAY['CEO','CTO','Buyer','Head of Sales','Engineer'])[1 + i % 5], initcap(t.word),
       (ARRAY['web','fair','referral','ads','phone'])[1 + pg_temp.pick(i, 8, 5)],
       (ARRAY['new','new','new','contacted','contacted','qualified','unqualified','lost'])[1 + pg_temp.pick(i, 7, 8)],
       CASE WHEN i % 3 = 0 THEN pg_temp.text_of(i, 11, 12) END,
       jsonb_build_object('industry', (ARRAY['software','retail','health'])[1 + i % 3], 'seats', i % 500),
       w.user_id, s.score, s.score / 100.0, s.scored_at,
       m.at, m.at + least(now() - m.at, pg_temp.pick(i, 10, 2592000) * interval '1 second'), w.user_id
  FROM generate_series(1, $1::bigint) AS g (i)
  JOIN who w ON w.place = pg_temp.place(i) AND w.turn = pg_temp.pick(i, 1, w.mates)
  JOIN firsts f ON f.n = pg_temp.pick(i, 2, 50)
  JOIN words l ON l.n = pg_temp.pick(i, 3, 15000)
  JOIN words c ON c.n = pg_temp.pick(i, 4, 15000)
  JOIN words t ON t.n = pg_temp.pick(i, 5, 60)
 CROSS JOIN LATERAL (SELECT CASE WHEN i % 10 > 0 THEN pg_temp.pick(i, 6, 101) END AS score,
                            CASE WHEN i % 10 > 0 THEN now() END AS scored_at) AS s
 CROSS JOIN LATERAL (SELECT now() - pg_temp.pick(i, 12, 94608000) * interval '1 second' AS at) AS m;

-- name: contacts
INSERT INTO contacts (agency_id, first_name, last_name, email, phone, job_title, company_id, city, owner_id, created_at,
                      created_by)
SELECT w.agency_id, f.name, initcap(l.word), l.word || i || '@contact.example.org',
       '+33 1 ' || 10000000 + pg_temp.pick(i, 9, 89999999), (ARRAY['CEO','CTO','Buyer'])[1 + i % 3], k.id, initcap(t.word),
       w.user_id, now() - pg_temp.pick(i, 12, 94608000) * interval '1 second', w.user_id
  FROM generate_series(1, $1::bigint) AS g (i)
  JOIN who w ON w.place = pg_temp.place(i) AND w.turn = pg_temp.pick(i, 21, w.mates)
  JOIN firsts f ON f.n = pg_temp.pick(i, 22, 50)
  JOIN words l ON l.n = pg_temp.pick(i, 23, 15000)
  JOIN words t ON t.n = pg_temp.pick(i, 24, 60)
  JOIN firms k ON k.agency_id = w.agency_id AND k.n = pg_temp.pick(i, 25, w.firms);

-- name: deals
INSERT INTO deals (agency_id, name, amount, currency, expected_close, pipeline_id, stage_id, status, closed_at, company_id,
                   owner_id, created_at, created_by)
SELECT w.agency_id, initcap(a.word) || ' ' || (ARRAY['rollout','renewal','pilot','licence'])[1 + i % 4],
       100 + pg_temp.pick(i, 31, 5000000) / 100.0, (ARRAY['EUR','EUR','USD'])[1 + i % 3],
       current_date + (pg_temp.pick(i, 32, 240) - 120)::int, s.pipeline_id, s.id, s.kind,
       CASE WHEN s.kind <> 'open' THEN now() - pg_temp.pick(i, 33, 31536000) * interval '1 second' END, k.id,
       w.user_id, now() - pg_temp.pick(i, 34, 94608000) * interval '1 second', w.user_id
  FROM generate_series(1, $1::bigint) AS g (i)
  JOIN who w ON w.place = pg_temp.place(i) AND w.turn = pg_temp.pick(i, 35, w.mates)
  JOIN words a ON a.n = pg_temp.pick(i, 36, 15000)
  JOIN firms k ON k.agency_id = w.agency_id AND k.n = pg_temp.pick(i, 37, w.firms)
  JOIN stages s ON s.agency_id = w.agency_id AND s.position = pg_temp.pick(i, 38, 6);

-- name: number_leads
CREATE TEMP TABLE people AS
SELECT agency_id, id, row_number() OVER (PARTITION BY agency_id ORDER BY id) - 1 AS n
  FROM leads;
CREATE UNIQUE INDEX ON people (agency_id, n);
ANALYZE people;
UPDATE who SET people = (SELECT count(*) FROM people p WHERE p.agency_id = who.agency_id);

-- name: activities
-- Two thirds with a lead, a third with a company.
INSERT INTO activities (agency_id, kind, lead_id, company_id, subject, body, occurred_at, created_by)
SELECT w.agency_id, (ARRAY['call','email','note','meeting','message'])[1 + pg_temp.pick(i, 41, 5)],
       CASE WHEN i % 3 > 0 THEN p.id END, CASE WHEN i % 3 = 0 THEN k.id END,
       initcap(a.word) || ' ' || b.word, CASE WHEN i % 5 = 0 THEN pg_temp.text_of(i, 42, 15) END,
       now() - pg_temp.pick(i, 43, 94608000) * interval '1 second', w.user_id
  FROM generate_series(1, $1::bigint) AS g (i)
  JOIN who w ON w.place = pg_temp.place(i) AND w.turn = pg_temp.pick(i, 44, w.mates)
  JOIN words a ON a.n = pg_temp.seldom(i, 45, 15000)
  JOIN words b ON b.n = pg_temp.seldom(i, 46, 15000)
  JOIN people p ON p.agency_id = w.agency_id AND p.n = pg_temp.pick(i, 47, w.people)
  JOIN firms k ON k.agency_id = w.agency_id AND k.n = pg_temp.pick(i, 48, w.firms);

-- name: tasks
INSERT INTO tasks (agency_id, title, status, completed_at, due_at, assignee_id, lead_id, created_at, created_by)
SELECT w.agency_id, 'Call ' || initcap(a.word), CASE WHEN i % 4 = 0 THEN 'open' ELSE 'done' END,
       CASE WHEN i % 4 > 0 THEN now() END, now() + (pg_temp.pick(i, 51, 5184000) - 2592000) * interval '1 second',
       w.user_id, p.id, now() - pg_temp.pick(i, 52, 31536000) * interval '1 second', w.user_id
  FROM generate_series(1, $1::bigint) AS g (i)
  JOIN who w ON w.place = pg_temp.place(i) AND w.turn = pg_temp.pick(i, 53, w.mates)
  JOIN words a ON a.n = pg_temp.pick(i, 54, 15000)
  JOIN people p ON p.agency_id = w.agency_id AND p.n = pg_temp.pick(i, 55, w.people);

-- name: finish
-- What triggers keep is made anew from the rows.
TRUNCATE app.record_counts, app.record_count_changes;
INSERT INTO app.record_counts
SELECT agency_id, 'leads', coalesce(owner_id, created_by), status, count(*) FROM leads GROUP BY 1, 3, 4
UNION ALL SELECT agency_id, 'contacts', coalesce(owner_id, created_by), '', count(*) FROM contacts GROUP BY 1, 3
UNION ALL SELECT agency_id, 'companies', coalesce(owner_id, created_by), '', count(*) FROM companies GROUP BY 1, 3;
SELECT app.leads_search_fill(), app.contacts_search_fill(), app.companies_search_fill(), app.deals_search_fill(),
       app.activities_search_fill();
