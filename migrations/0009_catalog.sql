-- Modules that are being added, and what is remembered of asking their servers.

-- A step of adding a module: what was typed, and what its server answered. It is nobody's module yet, seen by its maker
-- alone, and cleared away after a week.
CREATE TABLE module_drafts (
    tenant_id      uuid NOT NULL REFERENCES tenants,
    id             uuid NOT NULL,
    made_by        uuid NOT NULL,
    made_at        timestamptz NOT NULL,
    name           text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_-]{0,39}$'),
    title          text NOT NULL CHECK (length(title) BETWEEN 1 AND 120),
    url            text NOT NULL CHECK (length(url) <= 2000),
    owner_id       uuid,
    -- The value of the Authorization header, sealed with the tenant's key.
    sealed         bytea,
    state          text NOT NULL CHECK (state IN ('asking', 'found', 'failed')),
    -- When its server was asked last; what answers an earlier question is not written down.
    asked_at       timestamptz NOT NULL,
    server_name    text,
    server_version text,
    protocol       text,
    -- Names of tools as they are found, then their definitions.
    seen           text[] NOT NULL DEFAULT '{}',
    definitions    text[] NOT NULL DEFAULT '{}',
    failure_code   text,
    failure        text,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, made_by) REFERENCES users (tenant_id, id),
    FOREIGN KEY (tenant_id, owner_id) REFERENCES users (tenant_id, id),
    CHECK ((state = 'failed') = (failure IS NOT NULL))
);
CALL protect('module_drafts');
GRANT SELECT, INSERT, UPDATE, DELETE ON module_drafts TO workingagents_app;

-- When a module's server was last asked what it offers, and what stood in the way, if something did.
ALTER TABLE modules ADD COLUMN asked_at timestamptz;
ALTER TABLE modules ADD COLUMN ask_failure text;

-- Who chose the key that a tool asks for; none: its own annotations did, and do so again when it is approved anew.
ALTER TABLE tools ADD COLUMN key_chosen_by text;
-- Since when its server offers something else than what was approved, while that is so.
ALTER TABLE tools ADD COLUMN drifted_at timestamptz;
CREATE INDEX tools_of_standing ON tools (tenant_id, standing) WHERE standing IN ('proposed', 'drifted');
