-- What people keep of Activity, and the words that things are found by.

-- Filters of Activity under a name: a person's own, and those that they share with the organization.
CREATE TABLE saved_filters (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    id         uuid NOT NULL,
    user_id    uuid NOT NULL,
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 80),
    -- The query part of Activity's address, as the page writes it.
    query      text NOT NULL CHECK (length(query) BETWEEN 1 AND 2000),
    shared     boolean NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
-- One name for one thing: beside each other stand a person's own and the shared ones.
CREATE UNIQUE INDEX saved_filters_own ON saved_filters (tenant_id, user_id, lower(name)) WHERE NOT shared;
CREATE UNIQUE INDEX saved_filters_shared ON saved_filters (tenant_id, lower(name)) WHERE shared;
CALL protect('saved_filters');
GRANT SELECT, INSERT, DELETE ON saved_filters TO workingagents_app;

-- Who does not want to see the first steps any more. What has been done of them is never kept: it is looked at.
CREATE TABLE first_steps_hidden (
    tenant_id uuid NOT NULL REFERENCES tenants,
    user_id   uuid NOT NULL,
    at        timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, user_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id)
);
CALL protect('first_steps_hidden');
GRANT SELECT, INSERT ON first_steps_hidden TO workingagents_app;

-- What ends soon is asked for at each visit of the front page.
CREATE INDEX credentials_by_end ON credentials (tenant_id, expires_at) WHERE revoked_at IS NULL AND expires_at IS NOT NULL;
-- Few tools wait to be looked at, of thousands.
CREATE INDEX tools_to_review ON tools (tenant_id, module_id) WHERE standing IN ('proposed', 'drifted');

-- What was done to one thing, the newest first: since when it is as it is.
CREATE INDEX audit_events_of_subject ON audit_events (tenant_id, subject_id, id);

-- The words of each name, folded, so that the beginning of any of them finds the thing. Plain comparisons of a column
-- with the byte order: row security lets no other reach an index, because they might leak what they look at.
CREATE TABLE find_words (
    tenant_id uuid NOT NULL REFERENCES tenants,
    kind      text NOT NULL CHECK (kind IN ('user', 'agent', 'unit', 'module', 'tool')),
    word      text COLLATE "C" NOT NULL,
    subject   uuid NOT NULL,
    PRIMARY KEY (tenant_id, kind, word, subject)
);
CREATE INDEX find_words_of_subject ON find_words (tenant_id, kind, subject);
CALL protect('find_words');
GRANT SELECT, INSERT, DELETE ON find_words TO workingagents_app;

-- Lower case in every script, also where the database's own locale knows only ASCII.
DO $$
BEGIN
    CREATE FUNCTION fold(said text) RETURNS text
        LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
        RETURN lower(said COLLATE "und-x-icu");
EXCEPTION WHEN undefined_object OR feature_not_supported THEN
    CREATE FUNCTION fold(said text) RETURNS text
        LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
        RETURN lower(said);
END
$$;
GRANT EXECUTE ON FUNCTION fold(text) TO workingagents_app;

-- The words of a text: what stands between spaces and punctuation, also inside `camelCase`.
CREATE FUNCTION words_of(said text) RETURNS SETOF text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT DISTINCT left(word, 60)
    FROM regexp_split_to_table(
        public.fold(said) || ' ' || public.fold(regexp_replace(said, '([a-z0-9])([A-Z])', '\1 \2', 'g')),
        '[[:space:][:punct:]]+') AS word
    WHERE word <> ''
$$;
GRANT EXECUTE ON FUNCTION words_of(text) TO workingagents_app;

-- Keeps the words of one row: the kind, then the columns that are its name.
CREATE FUNCTION keep_find_words() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    now_is jsonb;
    said   text := '';
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM find_words WHERE tenant_id = OLD.tenant_id AND kind = TG_ARGV[0] AND subject = OLD.id;
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN NULL;
    END IF;
    now_is := to_jsonb(NEW);
    FOR n IN 1 .. TG_NARGS - 1 LOOP
        said := said || ' ' || coalesce(now_is ->> TG_ARGV[n], '');
    END LOOP;
    IF TG_ARGV[0] = 'tool' THEN
        -- A tool is asked for as `module.tool`.
        said := said || ' ' || coalesce((SELECT m.name FROM modules m
            WHERE m.tenant_id = NEW.tenant_id AND m.id = (now_is ->> 'module_id')::uuid), '');
    END IF;
    INSERT INTO find_words (tenant_id, kind, word, subject)
    SELECT NEW.tenant_id, TG_ARGV[0], word, NEW.id FROM words_of(said) AS word
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$$;

CREATE TRIGGER find_words AFTER INSERT OR DELETE OR UPDATE OF name, email ON users
    FOR EACH ROW EXECUTE FUNCTION keep_find_words('user', 'name', 'email');
CREATE TRIGGER find_words AFTER INSERT OR DELETE OR UPDATE OF name ON agents
    FOR EACH ROW EXECUTE FUNCTION keep_find_words('agent', 'name');
CREATE TRIGGER find_words AFTER INSERT OR DELETE OR UPDATE OF name ON units
    FOR EACH ROW EXECUTE FUNCTION keep_find_words('unit', 'name');
CREATE TRIGGER find_words AFTER INSERT OR DELETE OR UPDATE OF name, title ON modules
    FOR EACH ROW EXECUTE FUNCTION keep_find_words('module', 'name', 'title');
CREATE TRIGGER find_words AFTER INSERT OR DELETE OR UPDATE OF name ON tools
    FOR EACH ROW EXECUTE FUNCTION keep_find_words('tool', 'name');

-- What was there before.
DO $$
DECLARE
    each uuid;
BEGIN
    FOR each IN SELECT tenant FROM tenant_slugs LOOP
        PERFORM set_config('app.tenant_id', each::text, true);
        INSERT INTO find_words (tenant_id, kind, word, subject)
        SELECT tenant_id, kind, word, id
        FROM (
            SELECT tenant_id, 'user' AS kind, id, name || ' ' || email AS said FROM users WHERE tenant_id = each
            UNION ALL SELECT tenant_id, 'agent', id, name FROM agents WHERE tenant_id = each
            UNION ALL SELECT tenant_id, 'unit', id, name FROM units WHERE tenant_id = each
            UNION ALL SELECT tenant_id, 'module', id, name || ' ' || title FROM modules WHERE tenant_id = each
            UNION ALL SELECT t.tenant_id, 'tool', t.id, t.name || ' ' || m.name
            FROM tools t JOIN modules m ON m.tenant_id = t.tenant_id AND m.id = t.module_id WHERE t.tenant_id = each
        ) AS named, words_of(said) AS word
        ON CONFLICT DO NOTHING;
    END LOOP;
    PERFORM set_config('app.tenant_id', '', true);
END
$$;
