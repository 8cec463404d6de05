-- Roles, row security, tenants, and finding a tenant before one is known.
--
-- Three roles, none of which owns a table:
--   workingagents_app     what the server logs in as; sees one tenant at a time, through row security
--   workingagents_lookup  owns the few functions that find a tenant by a name, an endpoint or a mail address
--   workingagents_ledger  owns the functions that write the ledger; nobody else can insert into it
-- Roles belong to the cluster, so they may be there already.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['workingagents_app', 'workingagents_lookup', 'workingagents_ledger'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS', name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
END
$$;

-- Whoever migrates must be able to hand functions to their owners.
GRANT workingagents_lookup, workingagents_ledger TO CURRENT_USER;
GRANT USAGE ON SCHEMA public TO workingagents_app, workingagents_lookup, workingagents_ledger;
GRANT CREATE ON SCHEMA public TO workingagents_lookup, workingagents_ledger;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- The tenant that this transaction is about; NULL (so: no row) when none was said. After a commit a
-- transaction-local setting reads as '' and not as NULL.
CREATE FUNCTION current_tenant() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.tenant_id', true), '')::uuid;
GRANT EXECUTE ON FUNCTION current_tenant() TO PUBLIC;

-- Puts a tenant's table behind row security, for its owner too. Every table with a tenant_id gets this; a test
-- walks the catalog and fails on one that did not.
CREATE PROCEDURE protect(tenant_table regclass)
    LANGUAGE plpgsql
AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', tenant_table);
    EXECUTE format(
        'CREATE POLICY same_tenant ON %s USING (tenant_id = current_tenant()) WITH CHECK (tenant_id = current_tenant())',
        tenant_table);
END
$$;

CREATE TABLE tenants (
    tenant_id  uuid PRIMARY KEY,
    slug       text NOT NULL CHECK (slug ~ '^[a-z][a-z0-9-]{0,38}[a-z0-9]$'),
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    mcp_id     uuid NOT NULL,
    currency   text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    -- In which people are told times who have not chosen one: a name of the IANA database.
    time_zone  text NOT NULL DEFAULT 'UTC' CHECK (length(time_zone) BETWEEN 1 AND 64),
    standing   text NOT NULL DEFAULT 'active' CHECK (standing IN ('active', 'suspended')),
    created_at timestamptz NOT NULL
);
CALL protect('tenants');
GRANT SELECT, INSERT, UPDATE ON tenants TO workingagents_app;

-- Names that must be unique over all tenants. Rows are never deleted, so neither is ever given out again.
CREATE TABLE tenant_slugs (
    slug   text PRIMARY KEY,
    tenant uuid NOT NULL
);
CREATE TABLE mcp_endpoints (
    mcp_id uuid PRIMARY KEY,
    tenant uuid NOT NULL
);
GRANT INSERT ON tenant_slugs, mcp_endpoints TO workingagents_app;
GRANT SELECT ON tenant_slugs, mcp_endpoints TO workingagents_lookup;

-- The gate of each tenant: everything that changes what is authorized moves the epoch.
CREATE TABLE gates (
    tenant_id uuid PRIMARY KEY REFERENCES tenants,
    epoch     bigint NOT NULL,
    token     uuid NOT NULL
);
CALL protect('gates');
GRANT SELECT, INSERT, UPDATE ON gates TO workingagents_app;
GRANT SELECT ON gates TO workingagents_ledger;

-- Takes the gate exclusively and moves the epoch. The first statement of every transaction that changes who may do
-- what; it waits for admissions in flight and holds back later ones until commit or rollback.
CREATE FUNCTION take_gate(p_tenant uuid, p_token uuid) RETURNS bigint
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, public, pg_temp
AS $$
DECLARE
    moved bigint;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'take_gate must run under READ COMMITTED' USING ERRCODE = 'invalid_transaction_state';
    END IF;
    PERFORM set_config('app.tenant_id', p_tenant::text, true);
    -- Calls wait while this is held: give up rather than queue for long, and do not hold it idle.
    PERFORM set_config('lock_timeout', '10s', true), set_config('idle_in_transaction_session_timeout', '5s', true);
    PERFORM pg_advisory_xact_lock(hashtextextended('gate:' || p_tenant, 0));
    UPDATE gates SET epoch = epoch + 1, token = p_token WHERE tenant_id = p_tenant RETURNING epoch INTO STRICT moved;
    -- Tells the other nodes early; delivered at commit. Correctness does not depend on it.
    PERFORM pg_notify('directory', p_tenant::text);
    RETURN moved;
END
$$;
GRANT EXECUTE ON FUNCTION take_gate(uuid, uuid) TO workingagents_app;

-- Data keys of a tenant, each sealed by the installation's master key. The newest seals, all can open.
CREATE TABLE tenant_keys (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    version    int NOT NULL CHECK (version > 0),
    master_id  text NOT NULL,
    sealed     bytea NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, version)
);
CALL protect('tenant_keys');
GRANT SELECT, INSERT ON tenant_keys TO workingagents_app;

CREATE FUNCTION tenant_of_slug(p_slug text) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$ SELECT tenant FROM public.tenant_slugs WHERE slug = p_slug $$;

CREATE FUNCTION tenant_of_endpoint(p_mcp_id uuid) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$ SELECT tenant FROM public.mcp_endpoints WHERE mcp_id = p_mcp_id $$;

-- For the worker, which visits each tenant in turn.
CREATE FUNCTION tenant_ids() RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$ SELECT tenant FROM public.tenant_slugs $$;

ALTER FUNCTION tenant_of_slug(text) OWNER TO workingagents_lookup;
ALTER FUNCTION tenant_of_endpoint(uuid) OWNER TO workingagents_lookup;
ALTER FUNCTION tenant_ids() OWNER TO workingagents_lookup;
GRANT EXECUTE ON FUNCTION tenant_of_slug(text), tenant_of_endpoint(uuid), tenant_ids() TO workingagents_app;

-- The newest applied migration, for servers that start: their role cannot read the bookkeeping of the migrator.
CREATE FUNCTION schema_version() RETURNS bigint
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
BEGIN
    RETURN (SELECT max(version) FROM public._sqlx_migrations WHERE success);
END
$$;
GRANT EXECUTE ON FUNCTION schema_version() TO workingagents_app;
