-- What authorization servers give us for upstream MCP servers: tokens, the clients that we are there, and the ways of people there
-- and back. All of it is sealed with the tenant's key; beside it stands what pages show.

-- What a connection presents is a value that never changes, or else a token that is renewed.
ALTER TABLE connections ALTER COLUMN sealed DROP NOT NULL;

CREATE TABLE connection_tokens (
    tenant_id      uuid NOT NULL REFERENCES tenants,
    connection_id  uuid NOT NULL,
    -- The token with what it is renewed with, the client, and the token endpoint.
    sealed         bytea NOT NULL,
    issuer         text NOT NULL CHECK (length(issuer) <= 2048),
    client_id      text NOT NULL CHECK (length(client_id) <= 2048),
    scopes         text NOT NULL CHECK (length(scopes) <= 25000),
    -- Until when the token can be presented; none: its server did not say.
    ends_at        timestamptz,
    renewable      boolean NOT NULL,
    connected_by   text NOT NULL,
    connected_at   timestamptz NOT NULL,
    renewed_at     timestamptz,
    -- Counts renewals: who renews says which token it was that it renewed.
    version        bigint NOT NULL DEFAULT 1,
    -- Until when a node has taken it upon itself to renew it. A refresh token may be used but once.
    renewing_until timestamptz,
    -- Why a person has to connect again; none: nobody has to.
    over           text CHECK (length(over) <= 1000),
    over_at        timestamptz,
    -- What its server asked for beyond what the token is good for.
    wanted         text NOT NULL DEFAULT '' CHECK (length(wanted) <= 25000),
    PRIMARY KEY (tenant_id, connection_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES connections (tenant_id, id),
    CHECK ((over IS NULL) = (over_at IS NULL))
);
CALL protect('connection_tokens');
GRANT SELECT, INSERT, UPDATE, DELETE ON connection_tokens TO workingagents_app;

-- The client that a tenant is to an authorization server: registered by itself, or entered by an admin.
CREATE TABLE authorization_clients (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    id         uuid NOT NULL,
    issuer     text NOT NULL CHECK (length(issuer) <= 2048),
    sealed     bytea NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, issuer)
);
CALL protect('authorization_clients');
GRANT SELECT, INSERT, UPDATE, DELETE ON authorization_clients TO workingagents_app;

-- A person who was sent to an authorization server and has not come back. Used once, by the session that began it.
CREATE TABLE authorization_requests (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    id         uuid NOT NULL,
    state_hash bytea NOT NULL CHECK (length(state_hash) = 32),
    made_by    uuid NOT NULL,
    session    text NOT NULL,
    module_id  uuid,
    draft_id   uuid,
    sealed     bytea NOT NULL,
    made_at    timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, state_hash),
    FOREIGN KEY (tenant_id, made_by) REFERENCES users (tenant_id, id),
    FOREIGN KEY (tenant_id, module_id) REFERENCES modules (tenant_id, id),
    FOREIGN KEY (tenant_id, draft_id) REFERENCES module_drafts (tenant_id, id) ON DELETE CASCADE,
    CHECK ((module_id IS NULL) <> (draft_id IS NULL))
);
CALL protect('authorization_requests');
GRANT SELECT, INSERT, DELETE ON authorization_requests TO workingagents_app;

-- A module that is being added may have been connected already. Sealed; for the address that it was given for alone.
ALTER TABLE module_drafts ADD COLUMN token bytea;
