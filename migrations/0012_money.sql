-- Money: sums of the ledger that can be thrown away and made again, and indexes for reading calls.

-- Who with what, as calls had it: each combination once. What a call counts for never changes, so neither does a line.
CREATE TABLE money_lines (
    tenant_id     uuid NOT NULL REFERENCES tenants,
    id            bigint GENERATED ALWAYS AS IDENTITY,
    agent_id      uuid NOT NULL,
    owner_id      uuid NOT NULL,
    on_behalf_of  uuid,
    -- The agent's units at the time, from the top down to its home.
    unit_path     uuid[] NOT NULL,
    -- The topmost department among them.
    department_id uuid,
    module_id     uuid,
    tool_id       uuid,
    currency      text NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE NULLS NOT DISTINCT (tenant_id, agent_id, owner_id, on_behalf_of, unit_path, module_id, tool_id, currency)
);
CALL protect('money_lines');
GRANT SELECT, INSERT, DELETE ON money_lines TO workingagents_app;

-- What each line came to in a day, in a third of a month (from the 1st, 11th and 21st) and in a month, all in UTC, of the calls
-- below the mark. All three, so that a long time is few rows and any time can be made up of them.
CREATE TABLE money_sums (
    tenant_id uuid NOT NULL,
    grain     text NOT NULL CHECK (grain IN ('day', 'third', 'month')),
    since     date NOT NULL,
    line      bigint NOT NULL,
    calls     bigint NOT NULL,
    permitted bigint NOT NULL,
    denied    bigint NOT NULL,
    -- Permitted, and ended otherwise than well.
    failed    bigint NOT NULL,
    amount    numeric(30, 10) NOT NULL,
    PRIMARY KEY (tenant_id, grain, since, line),
    FOREIGN KEY (tenant_id, line) REFERENCES money_lines (tenant_id, id)
);
-- For those who may see little: a person's own, a unit's.
CREATE INDEX money_sums_of_line ON money_sums (tenant_id, line, grain, since);
CALL protect('money_sums');
GRANT SELECT, INSERT, UPDATE, DELETE ON money_sums TO workingagents_app;

-- The same by one thing at a time, so that what is asked most reads a row for each row it shows: all of it, or by department,
-- team, person, agent, module or tool. A subject of zeros: what counts for none.
CREATE TABLE money_totals (
    tenant_id uuid NOT NULL REFERENCES tenants,
    dimension text NOT NULL CHECK (dimension IN ('all', 'department', 'team', 'user', 'agent', 'module', 'tool')),
    currency  text NOT NULL,
    grain     text NOT NULL CHECK (grain IN ('day', 'third', 'month')),
    since     date NOT NULL,
    subject   uuid NOT NULL,
    calls     bigint NOT NULL,
    permitted bigint NOT NULL,
    denied    bigint NOT NULL,
    failed    bigint NOT NULL,
    amount    numeric(30, 10) NOT NULL,
    PRIMARY KEY (tenant_id, dimension, currency, grain, since, subject)
);
CALL protect('money_totals');
GRANT SELECT, INSERT, UPDATE, DELETE ON money_totals TO workingagents_app;

-- How far the sums go: every call with an id below is in them, and none above is. `ahead` is where they may go next, once
-- every transaction that might still bring a call below it has ended: all those before `ahead_xact`.
CREATE TABLE money_marks (
    tenant_id  uuid PRIMARY KEY REFERENCES tenants,
    below      uuid NOT NULL,
    ahead      uuid NOT NULL,
    ahead_xact xid8 NOT NULL
);
CALL protect('money_marks');
GRANT SELECT, INSERT, UPDATE ON money_marks TO workingagents_app;

-- Reading calls. bench/results has the throughput without them (2026-11-22) and with them (2026-11-23).
CREATE INDEX calls_of_agent ON calls (tenant_id, agent_id, id);
CREATE INDEX calls_of_tool ON calls (tenant_id, tool_id, id);
CREATE INDEX calls_not_permitted ON calls (tenant_id, verdict, id) WHERE verdict <> 'permit';
CREATE INDEX calls_of_session ON calls (tenant_id, session, id) WHERE session IS NOT NULL;
CREATE INDEX settlements_not_well ON settlements (tenant_id, outcome, call_id) WHERE outcome <> 'succeeded';
