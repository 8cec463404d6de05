-- Bundles: endpoints of their own that show a choice of the tools, by names of their own.

CREATE TABLE bundles (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    id         uuid NOT NULL,
    -- The last part of its address.
    name       text NOT NULL CHECK (name ~ '^[a-z][a-z0-9_-]{0,39}$'),
    title      text NOT NULL CHECK (length(title) BETWEEN 1 AND 120),
    -- How tools are called that are put into it: as everywhere, or without their module's name.
    naming     text NOT NULL CHECK (naming IN ('full', 'plain')),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, name)
);
CALL protect('bundles');
GRANT SELECT, INSERT, DELETE ON bundles TO workingagents_app;
GRANT UPDATE (title, naming) ON bundles TO workingagents_app;

CREATE TABLE bundled_tools (
    tenant_id uuid NOT NULL REFERENCES tenants,
    bundle_id uuid NOT NULL,
    tool_id   uuid NOT NULL,
    -- What it is called there; of a prompt, a resource or a template with what it is before it, as in tools.
    name      text NOT NULL CHECK (length(name) BETWEEN 1 AND 1100),
    PRIMARY KEY (tenant_id, bundle_id, tool_id),
    -- Two things of one name cannot be.
    UNIQUE (tenant_id, bundle_id, name),
    FOREIGN KEY (tenant_id, bundle_id) REFERENCES bundles (tenant_id, id),
    FOREIGN KEY (tenant_id, tool_id) REFERENCES tools (tenant_id, id)
);
CALL protect('bundled_tools');
GRANT SELECT, INSERT, DELETE ON bundled_tools TO workingagents_app;
GRANT UPDATE (name) ON bundled_tools TO workingagents_app;
