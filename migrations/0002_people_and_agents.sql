-- Units, users, roles, agents and what agents present.

CREATE TABLE units (
    tenant_id   uuid NOT NULL REFERENCES tenants,
    id          uuid NOT NULL,
    parent_id   uuid,
    kind        text NOT NULL CHECK (kind IN ('department', 'team')),
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    created_at  timestamptz NOT NULL,
    archived_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, parent_id) REFERENCES units (tenant_id, id),
    CHECK (parent_id <> id)
);
-- Two units of one name side by side would be one name for two things.
CREATE UNIQUE INDEX units_name ON units (tenant_id, parent_id, lower(name)) NULLS NOT DISTINCT WHERE archived_at IS NULL;
CALL protect('units');
GRANT SELECT, INSERT, UPDATE ON units TO workingagents_app;

CREATE TABLE users (
    tenant_id     uuid NOT NULL REFERENCES tenants,
    id            uuid NOT NULL,
    email         text NOT NULL CHECK (length(email) BETWEEN 3 AND 254 AND email = lower(email)),
    name          text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    home_unit_id  uuid NOT NULL,
    password_hash text,
    -- In which they are told times; none: the organization's.
    time_zone     text CHECK (length(time_zone) BETWEEN 1 AND 64),
    standing      text NOT NULL DEFAULT 'active' CHECK (standing IN ('active', 'suspended')),
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, email),
    FOREIGN KEY (tenant_id, home_unit_id) REFERENCES units (tenant_id, id)
);
CREATE INDEX users_by_email ON users (email);
CALL protect('users');
GRANT SELECT, INSERT, UPDATE ON users TO workingagents_app;

-- Further units of a person, beside the home unit.
CREATE TABLE memberships (
    tenant_id uuid NOT NULL REFERENCES tenants,
    user_id   uuid NOT NULL,
    unit_id   uuid NOT NULL,
    PRIMARY KEY (tenant_id, user_id, unit_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id),
    FOREIGN KEY (tenant_id, unit_id) REFERENCES units (tenant_id, id)
);
CALL protect('memberships');
GRANT SELECT, INSERT, DELETE ON memberships TO workingagents_app;

-- Roles that people hold; on a unit: there and below, else in the whole tenant.
CREATE TABLE role_assignments (
    tenant_id uuid NOT NULL REFERENCES tenants,
    id        uuid NOT NULL,
    user_id   uuid NOT NULL,
    role      text NOT NULL CHECK (role IN ('owner', 'admin', 'auditor', 'finance', 'approver', 'member')),
    unit_id   uuid,
    given_by  text NOT NULL,
    given_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE NULLS NOT DISTINCT (tenant_id, user_id, role, unit_id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id),
    FOREIGN KEY (tenant_id, unit_id) REFERENCES units (tenant_id, id)
);
CALL protect('role_assignments');
GRANT SELECT, INSERT, DELETE ON role_assignments TO workingagents_app;

CREATE TABLE agents (
    tenant_id    uuid NOT NULL REFERENCES tenants,
    id           uuid NOT NULL,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    owner_id     uuid NOT NULL,
    home_unit_id uuid NOT NULL,
    standing     text NOT NULL DEFAULT 'active' CHECK (standing IN ('active', 'suspended')),
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, owner_id) REFERENCES users (tenant_id, id),
    FOREIGN KEY (tenant_id, home_unit_id) REFERENCES units (tenant_id, id)
);
CREATE UNIQUE INDEX agents_name ON agents (tenant_id, lower(name));
CALL protect('agents');
GRANT SELECT, INSERT, UPDATE ON agents TO workingagents_app;

-- What agents present. Only the SHA-256 of a key is kept, and its first characters to recognise it.
CREATE TABLE credentials (
    tenant_id         uuid NOT NULL REFERENCES tenants,
    id                uuid NOT NULL,
    agent_id          uuid NOT NULL,
    on_behalf_of      uuid,
    name              text NOT NULL CHECK (length(name) BETWEEN 1 AND 120),
    prefix            text NOT NULL,
    secret_hash       bytea NOT NULL CHECK (length(secret_hash) = 32),
    allowed_addresses cidr[] NOT NULL DEFAULT '{}',
    -- The key that this one was issued to follow, while both are valid.
    replaces          uuid,
    created_at        timestamptz NOT NULL,
    expires_at        timestamptz,
    revoked_at        timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, secret_hash),
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id),
    FOREIGN KEY (tenant_id, on_behalf_of) REFERENCES users (tenant_id, id),
    FOREIGN KEY (tenant_id, replaces) REFERENCES credentials (tenant_id, id)
);
CREATE INDEX credentials_of_agent ON credentials (tenant_id, agent_id);
CALL protect('credentials');
GRANT SELECT, INSERT ON credentials TO workingagents_app;
GRANT UPDATE (expires_at, revoked_at) ON credentials TO workingagents_app;

-- Who could sign in with a mail address, in all tenants. The password is checked by the server.
CREATE POLICY lookup ON users FOR SELECT TO workingagents_lookup USING (true);
CREATE POLICY lookup ON tenants FOR SELECT TO workingagents_lookup USING (true);
GRANT SELECT (tenant_id, id, email, name, password_hash, standing) ON users TO workingagents_lookup;
GRANT SELECT (tenant_id, slug, name, standing) ON tenants TO workingagents_lookup;

CREATE FUNCTION sign_in_candidates(p_email text)
    RETURNS TABLE (tenant uuid, slug text, tenant_name text, user_id uuid, user_name text, password_hash text)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
    SELECT t.tenant_id, t.slug, t.name, u.id, u.name, u.password_hash
    FROM public.users u
    JOIN public.tenants t ON t.tenant_id = u.tenant_id
    WHERE u.email = p_email AND u.standing = 'active' AND t.standing = 'active' AND u.password_hash IS NOT NULL
    ORDER BY t.tenant_id
    LIMIT 10
$$;
ALTER FUNCTION sign_in_candidates(text) OWNER TO workingagents_lookup;
GRANT EXECUTE ON FUNCTION sign_in_candidates(text) TO workingagents_app;

-- Browser sessions. No tenant's table: a session is found by its random id before a tenant is known.
CREATE TABLE sessions (
    id         bytea PRIMARY KEY CHECK (length(id) = 32),
    data       bytea NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);
GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO workingagents_app;

-- Counts of what is limited by time, such as failed sign-ins; shared by all nodes. `key` is a hash.
CREATE TABLE throttles (
    key        bytea PRIMARY KEY,
    since      timestamptz NOT NULL,
    count      int NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON throttles TO workingagents_app;
