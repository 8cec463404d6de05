-- Limits on calls, the meters that say how much of them is used, and how long tools' servers may take.

CREATE TABLE limits (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    id         uuid NOT NULL,
    -- Whose calls count: of the agents in a unit and below it, of one agent; neither: everybody's.
    unit_id    uuid,
    agent_id   uuid,
    -- Of what: of a module, of one tool; neither: of everything.
    module_id  uuid,
    tool_id    uuid,
    -- Whether each agent has all of it to itself.
    each_agent boolean NOT NULL,
    calls      int NOT NULL CHECK (calls >= 1),
    per        text NOT NULL CHECK (per IN ('second', 'minute', 'hour', 'day', 'month')),
    -- How many may come at once; of a day's or a month's, all.
    burst      int NOT NULL CHECK (burst BETWEEN 1 AND calls),
    set_by     text NOT NULL,
    set_at     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE NULLS NOT DISTINCT (tenant_id, unit_id, agent_id, module_id, tool_id, each_agent, per),
    FOREIGN KEY (tenant_id, unit_id) REFERENCES units (tenant_id, id),
    FOREIGN KEY (tenant_id, agent_id) REFERENCES agents (tenant_id, id),
    FOREIGN KEY (tenant_id, module_id) REFERENCES modules (tenant_id, id),
    FOREIGN KEY (tenant_id, tool_id) REFERENCES tools (tenant_id, id),
    CHECK (num_nonnulls(unit_id, agent_id) <= 1),
    CHECK (num_nonnulls(module_id, tool_id) <= 1),
    CHECK (NOT (each_agent AND agent_id IS NOT NULL)),
    CHECK (calls <= CASE WHEN per IN ('day', 'month') THEN 1000000000 ELSE 1000000 END),
    CHECK (per NOT IN ('day', 'month') OR burst = calls)
);
CALL protect('limits');
GRANT SELECT, INSERT, DELETE ON limits TO workingagents_app;
GRANT UPDATE (calls, per, burst, set_by, set_at) ON limits TO workingagents_app;

-- How much of each limit is used, of all nodes together: what nodes have drawn. Where each agent has a limit to itself, a row
-- for each agent; else one of an agent of zeros. No key leads to limits: a node may draw while a limit is taken away.
CREATE TABLE meters (
    tenant_id uuid NOT NULL REFERENCES tenants,
    limit_id  uuid NOT NULL,
    agent_id  uuid NOT NULL,
    -- Of a rate: the theoretical arrival time, in nanoseconds since 1970.
    arrival   bigint NOT NULL DEFAULT 0,
    -- Of a quota: when the day or month began, in seconds since 1970, and how many calls of it are used.
    since     bigint NOT NULL DEFAULT 0,
    taken     bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, limit_id, agent_id)
) WITH (fillfactor = 50);
CALL protect('meters');
GRANT SELECT, INSERT, UPDATE, DELETE ON meters TO workingagents_app;

-- How long a tool's server may take for a call, in seconds: until its answer begins, and until it ends. None: as everywhere.
ALTER TABLE tools
    ADD COLUMN first_byte_timeout int CHECK (first_byte_timeout BETWEEN 1 AND 3600),
    ADD COLUMN total_timeout      int CHECK (total_timeout BETWEEN 1 AND 3600);
