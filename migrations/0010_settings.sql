-- What an organization has settled for itself. No row: everything as it comes.

CREATE TABLE settings (
    tenant_id             uuid PRIMARY KEY REFERENCES tenants,
    -- A session that is not used ends after this; it ends after that, used or not.
    session_idle_minutes  int NOT NULL DEFAULT 720 CHECK (session_idle_minutes BETWEEN 15 AND 720),
    session_longest_hours int NOT NULL DEFAULT 168 CHECK (session_longest_hours BETWEEN 1 AND 720),
    shortest_password     int NOT NULL DEFAULT 12 CHECK (shortest_password BETWEEN 12 AND 64),
    -- Of which mail domains people may be invited; none: of any.
    invited_domains       text[] NOT NULL DEFAULT '{}' CHECK (cardinality(invited_domains) <= 50),
    -- As whom mails are sent in its name, and where answers to them go.
    sender_name           text CHECK (length(sender_name) BETWEEN 1 AND 120),
    reply_to              text CHECK (length(reply_to) BETWEEN 3 AND 254),
    -- The emergency stop: since when no agent of the organization may do anything, and by whom.
    agents_stopped_at     timestamptz,
    agents_stopped_by     text,
    -- When an owner closed the organization, which asks the operator to delete it.
    closed_at             timestamptz,
    CHECK ((agents_stopped_at IS NULL) = (agents_stopped_by IS NULL))
);
CALL protect('settings');
GRANT SELECT, INSERT, UPDATE ON settings TO workingagents_app;

-- The record of changes: which words there are, and the acts of one.
CREATE INDEX audit_events_by_action ON audit_events (tenant_id, action, id);
