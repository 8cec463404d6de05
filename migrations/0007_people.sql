-- People who come and go: invitations, and those who were removed and stay on record.

-- Somebody who was removed is suspended for good, so that everything that asks about standing refuses them. Their row
-- stays, since calls and the record of changes name them; their address is free for somebody to be invited.
ALTER TABLE users
    ADD COLUMN removed_at timestamptz,
    ADD CHECK (removed_at IS NULL OR standing = 'suspended' AND password_hash IS NULL),
    DROP CONSTRAINT users_tenant_id_email_key;
CREATE UNIQUE INDEX users_address ON users (tenant_id, email) WHERE removed_at IS NULL;

-- Lists of people and agents: by name, of a unit, of an owner.
CREATE INDEX users_by_name ON users (tenant_id, lower(name), id) WHERE removed_at IS NULL;
CREATE INDEX users_of_unit ON users (tenant_id, home_unit_id);
CREATE INDEX members_of_unit ON memberships (tenant_id, unit_id);
CREATE INDEX roles_on_unit ON role_assignments (tenant_id, unit_id) WHERE unit_id IS NOT NULL;
CREATE INDEX agents_of_unit ON agents (tenant_id, home_unit_id);
CREATE INDEX agents_of_owner ON agents (tenant_id, owner_id);
CREATE INDEX keys_on_behalf_of ON credentials (tenant_id, on_behalf_of) WHERE on_behalf_of IS NOT NULL;

-- Somebody who may join, if they can open the link that was sent to their address. Only the SHA-256 of the link's
-- token is kept; sending again makes a new one, and the old link is worth nothing.
CREATE TABLE invitations (
    tenant_id       uuid NOT NULL REFERENCES tenants,
    id              uuid NOT NULL,
    email           text NOT NULL CHECK (length(email) BETWEEN 3 AND 254 AND email = lower(email)),
    unit_id         uuid NOT NULL,
    role            text NOT NULL CHECK (role IN ('owner', 'admin', 'auditor', 'finance', 'approver', 'member')),
    token_hash      bytea NOT NULL CHECK (length(token_hash) = 32),
    -- The person who invited; none: whoever runs the installation.
    invited_by      uuid,
    invited_by_name text NOT NULL,
    created_at      timestamptz NOT NULL,
    sent_at         timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    accepted_at     timestamptz,
    withdrawn_at    timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, token_hash),
    FOREIGN KEY (tenant_id, unit_id) REFERENCES units (tenant_id, id),
    FOREIGN KEY (tenant_id, invited_by) REFERENCES users (tenant_id, id),
    CHECK (accepted_at IS NULL OR withdrawn_at IS NULL)
);
-- One that is open for each address.
CREATE UNIQUE INDEX invitations_open ON invitations (tenant_id, email) WHERE accepted_at IS NULL AND withdrawn_at IS NULL;
CREATE INDEX invitations_by_token ON invitations (token_hash);
CALL protect('invitations');
GRANT SELECT, INSERT ON invitations TO workingagents_app;
GRANT UPDATE (token_hash, invited_by, invited_by_name, sent_at, expires_at, accepted_at, withdrawn_at) ON invitations
    TO workingagents_app;

-- Which organization a link invites into, before a tenant is known.
CREATE POLICY lookup ON invitations FOR SELECT TO workingagents_lookup USING (true);
GRANT SELECT (tenant_id, token_hash) ON invitations TO workingagents_lookup;
GRANT CREATE ON SCHEMA public TO workingagents_lookup;
CREATE FUNCTION tenant_of_invitation(p_token_hash bytea) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$ SELECT tenant_id FROM public.invitations WHERE token_hash = p_token_hash $$;
ALTER FUNCTION tenant_of_invitation(bytea) OWNER TO workingagents_lookup;
GRANT EXECUTE ON FUNCTION tenant_of_invitation(bytea) TO workingagents_app;
REVOKE CREATE ON SCHEMA public FROM workingagents_lookup;
