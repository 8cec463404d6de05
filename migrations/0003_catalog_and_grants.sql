-- Modules, what we present to them, their tools, prices, permission keys and grants.

CREATE TABLE modules (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    id         uuid NOT NULL,
    -- Its permission key and the first part of its tools' names.
    name       text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_-]{0,39}$'),
    title      text NOT NULL CHECK (length(title) BETWEEN 1 AND 120),
    kind       text NOT NULL CHECK (kind IN ('mcp', 'native')),
    url        text CHECK (length(url) <= 2000),
    owner_id   uuid,
    standing   text NOT NULL DEFAULT 'live' CHECK (standing IN ('live', 'off')),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name),
    FOREIGN KEY (tenant_id, owner_id) REFERENCES users (tenant_id, id),
    CHECK ((kind = 'mcp') = (url IS NOT NULL))
);
CALL protect('modules');
GRANT SELECT, INSERT, UPDATE ON modules TO workingagents_app;

-- What we present upstream: the value of the Authorization header, sealed with the tenant's key.
CREATE TABLE connections (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    id         uuid NOT NULL,
    module_id  uuid NOT NULL,
    sealed     bytea NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, module_id) REFERENCES modules (tenant_id, id)
);
CREATE UNIQUE INDEX connections_of_module ON connections (tenant_id, module_id) WHERE revoked_at IS NULL;
CALL protect('connections');
GRANT SELECT, INSERT ON connections TO workingagents_app;
GRANT UPDATE (revoked_at) ON connections TO workingagents_app;

CREATE TABLE permission_keys (
    tenant_id uuid NOT NULL REFERENCES tenants,
    key       text NOT NULL CHECK (key ~ '^[a-z][a-z0-9_-]{0,39}(:[a-z][a-z0-9_-]{0,39})?$'),
    module_id uuid NOT NULL,
    title     text NOT NULL CHECK (length(title) BETWEEN 1 AND 200),
    PRIMARY KEY (tenant_id, key),
    FOREIGN KEY (tenant_id, module_id) REFERENCES modules (tenant_id, id)
);
CALL protect('permission_keys');
GRANT SELECT, INSERT ON permission_keys TO workingagents_app;

-- A tool as it was approved. `definition` is the MCP Tool object as the upstream gave it; while it is drifted,
-- `seen_definition` is what the upstream says now.
CREATE TABLE tools (
    tenant_id       uuid NOT NULL REFERENCES tenants,
    id              uuid NOT NULL,
    module_id       uuid NOT NULL,
    -- Of a prompt, a resource or a template with what it is before it: `prompt:summarize`.
    name            text NOT NULL CHECK (length(name) BETWEEN 1 AND 1024),
    definition      text NOT NULL,
    definition_hash bytea NOT NULL CHECK (length(definition_hash) = 32),
    seen_definition text,
    permission_key  text NOT NULL,
    standing        text NOT NULL CHECK (standing IN ('proposed', 'approved', 'drifted', 'withdrawn')),
    discovered_at   timestamptz NOT NULL,
    approved_at     timestamptz,
    approved_by     text,
    -- Who took it out; none while it is withdrawn: its upstream no longer offers it.
    withdrawn_by    text,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, module_id, name),
    FOREIGN KEY (tenant_id, module_id) REFERENCES modules (tenant_id, id),
    FOREIGN KEY (tenant_id, permission_key) REFERENCES permission_keys (tenant_id, key)
);
CALL protect('tools');
GRANT SELECT, INSERT, UPDATE ON tools TO workingagents_app;

-- Prices. Insert-only: the newest that is in effect is the price; no row: a call costs nothing.
CREATE TABLE rates (
    tenant_id      uuid NOT NULL REFERENCES tenants,
    id             uuid NOT NULL,
    tool_id        uuid NOT NULL,
    amount         numeric(20, 10) NOT NULL CHECK (amount >= 0),
    currency       text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    effective_from timestamptz NOT NULL,
    set_by         text NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, tool_id) REFERENCES tools (tenant_id, id)
);
CREATE INDEX rates_of_tool ON rates (tenant_id, tool_id, effective_from DESC);
CALL protect('rates');
GRANT SELECT, INSERT ON rates TO workingagents_app;

CREATE TABLE grants (
    tenant_id      uuid NOT NULL REFERENCES tenants,
    id             uuid NOT NULL,
    permission_key text NOT NULL,
    unit_id        uuid,
    role           text CHECK (role IN ('owner', 'admin', 'auditor', 'finance', 'approver', 'member')),
    user_id        uuid,
    agent_id       uuid,
    given_by       text NOT NULL,
    given_at       timestamptz NOT NULL,
    expires_at     timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE NULLS NOT DISTINCT (tenant_id, permission_key, unit_id, role, user_id, agent_id),
    FOREIGN KEY (tenant_id, permission_key) REFERENCES permission_keys (tenant_id, key),
    FOREIGN KEY (tenant_id, unit_id) REFERENCES units (tenant_id, id),
    FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id),
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id),
    CHECK (num_nonnulls(unit_id, role, user_id, agent_id) = 1)
);
CALL protect('grants');
GRANT SELECT, INSERT, DELETE ON grants TO workingagents_app;

-- What people and operators did to the set-up. Insert-only.
CREATE TABLE audit_events (
    tenant_id    uuid NOT NULL,
    id           uuid NOT NULL,
    at           timestamptz NOT NULL,
    actor_kind   text NOT NULL CHECK (actor_kind IN ('user', 'agent', 'operator', 'worker')),
    actor_id     uuid,
    actor_name   text NOT NULL,
    action       text NOT NULL,
    subject_kind text NOT NULL,
    subject_id   text NOT NULL,
    subject_name text NOT NULL,
    detail       jsonb NOT NULL DEFAULT '{}',
    xact         xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (tenant_id, id)
);
CALL protect('audit_events');
GRANT SELECT, INSERT ON audit_events TO workingagents_app;
