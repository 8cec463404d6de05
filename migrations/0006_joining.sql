-- Mails that wait to be sent, sign-ups that wait for their address to be proved, asked-for password resets; whose a
-- session is. None of the new tables is a tenant's: who signs up or has forgotten a password is in no tenant yet.

-- The outbox. A row is written by the transaction that causes the mail, so that it is sent if and only if that
-- committed. What is sealed (under the installation's master keys) holds address, names and links, and goes when the mail
-- has gone; the rest only says that there was one.
CREATE TABLE mails (
    id         uuid PRIMARY KEY,
    kind       text NOT NULL CHECK (kind ~ '^[a-z_]{1,40}$'),
    sealed     bytea,
    created_at timestamptz NOT NULL,
    -- Not before this; while somebody sends it, when that attempt counts as lost.
    due_at     timestamptz NOT NULL,
    -- After this it would be of no use any more.
    useful_until timestamptz NOT NULL,
    attempts   int NOT NULL DEFAULT 0,
    sent_at    timestamptz,
    given_up_at timestamptz,
    -- Why the last attempt failed, in words that name nobody.
    problem    text CHECK (length(problem) <= 200),
    CHECK ((sealed IS NULL) = (sent_at IS NOT NULL OR given_up_at IS NOT NULL))
);
CREATE INDEX mails_waiting ON mails (due_at) WHERE sealed IS NOT NULL;
CREATE INDEX mails_done ON mails (created_at) WHERE sealed IS NULL;
GRANT SELECT, INSERT, DELETE ON mails TO workingagents_app;
GRANT UPDATE (sealed, due_at, attempts, sent_at, given_up_at, problem) ON mails TO workingagents_app;

-- Found by the hash of the token in the link. Address, names and password hash are sealed.
CREATE TABLE sign_ups (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    -- SHA-256 of the address, so that those of one address can be found.
    email_hash bytea NOT NULL CHECK (length(email_hash) = 32),
    sealed     bytea NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX sign_ups_of_email ON sign_ups (email_hash);
CREATE INDEX sign_ups_by_expiry ON sign_ups (expires_at);
GRANT SELECT, INSERT, DELETE ON sign_ups TO workingagents_app;

CREATE TABLE resets (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    email_hash bytea NOT NULL CHECK (length(email_hash) = 32),
    sealed     bytea NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX resets_of_email ON resets (email_hash);
CREATE INDEX resets_by_expiry ON resets (expires_at);
GRANT SELECT, INSERT, DELETE ON resets TO workingagents_app;

-- Whose session it is and from where it was begun, so that a person's sessions can be shown and ended. Written beside
-- `data` by the store; none before somebody has signed in.
ALTER TABLE sessions
    ADD COLUMN tenant     uuid,
    ADD COLUMN user_id    uuid,
    ADD COLUMN since      timestamptz,
    ADD COLUMN seen       timestamptz,
    ADD COLUMN user_agent text CHECK (length(user_agent) <= 300),
    ADD COLUMN address    inet,
    ADD CHECK (num_nulls(tenant, user_id, since, seen) IN (0, 4));
CREATE INDEX sessions_of_user ON sessions (tenant, user_id) WHERE user_id IS NOT NULL;
