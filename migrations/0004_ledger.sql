-- The ledger: calls, their content, their settlement and their charge. Insert-only rows keyed by call id.
--
-- No role that serves requests may insert, update or delete here: rows come only through admit, settle and
-- settle_interrupted, which run as workingagents_ledger, itself under row security and without UPDATE or DELETE.
-- Tables are partitioned by ranges of the call's UUIDv7, so that the primary key stays global and prunes by time.
-- There are no foreign keys among them or to rows that change.

-- Processes that serve calls. No tenant's table. A lease that ran out means: whatever it had admitted and not settled
-- is nobody's.
CREATE TABLE nodes (
    id          uuid PRIMARY KEY,
    host        text NOT NULL,
    version     text NOT NULL,
    started_at  timestamptz NOT NULL,
    lease_until timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON nodes TO workingagents_app;
GRANT SELECT ON nodes TO workingagents_ledger;

CREATE TABLE calls (
    tenant_id         uuid NOT NULL,
    id                uuid NOT NULL,
    received_at       timestamptz NOT NULL,
    recorded_at       timestamptz NOT NULL,
    epoch             bigint NOT NULL,
    valid_until       timestamptz,
    verdict           text NOT NULL CHECK (verdict IN ('permit', 'hold', 'deny')),
    reason            jsonb,
    policies          text[] NOT NULL,
    policy_version    bytea NOT NULL,
    credential_id     uuid NOT NULL,
    agent_id          uuid NOT NULL,
    owner_id          uuid NOT NULL,
    on_behalf_of      uuid,
    unit_path         uuid[] NOT NULL,
    principal_state   bytea NOT NULL,
    tool_name         text NOT NULL,
    module_id         uuid,
    tool_id           uuid,
    tool_definition   bytea,
    rate_id           uuid,
    reserved          numeric(20, 10) NOT NULL,
    currency          text NOT NULL,
    client_name       text,
    client_version    text,
    protocol          text,
    session           text,
    address           inet,
    arguments_digest  bytea NOT NULL,
    arguments_size    int NOT NULL,
    node_id           uuid NOT NULL,
    -- Below pg_snapshot_xmin nothing can be committed late: what seals the log reads up to there.
    xact              xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (tenant_id, id)
) PARTITION BY RANGE (id);

CREATE TABLE call_contents (
    tenant_id uuid NOT NULL,
    call_id   uuid NOT NULL,
    kind      text NOT NULL CHECK (kind IN ('arguments', 'result')),
    sealed    bytea NOT NULL,
    PRIMARY KEY (tenant_id, call_id, kind)
) PARTITION BY RANGE (call_id);

CREATE TABLE settlements (
    tenant_id     uuid NOT NULL,
    call_id       uuid NOT NULL,
    settled_at    timestamptz NOT NULL,
    outcome       text NOT NULL CHECK (outcome IN
        ('succeeded', 'tool_error', 'upstream_error', 'timed_out', 'cancelled', 'not_sent', 'interrupted')),
    duration_us   bigint,
    upstream_us   bigint,
    failure       jsonb,
    result_size   bigint NOT NULL,
    result_digest bytea,
    node_id       uuid NOT NULL,
    xact          xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (tenant_id, call_id)
) PARTITION BY RANGE (call_id);

-- How a call really ended, reported after it had been settled as interrupted.
CREATE TABLE settlement_amendments (
    tenant_id   uuid NOT NULL,
    call_id     uuid NOT NULL,
    settled_at  timestamptz NOT NULL,
    outcome     text NOT NULL,
    duration_us bigint,
    upstream_us bigint,
    failure     jsonb,
    node_id     uuid NOT NULL,
    xact        xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (tenant_id, call_id)
) PARTITION BY RANGE (call_id);

CREATE TABLE charges (
    tenant_id uuid NOT NULL,
    call_id   uuid NOT NULL,
    amount    numeric(20, 10) NOT NULL CHECK (amount >= 0),
    currency  text NOT NULL,
    rate_id   uuid,
    xact      xid8 NOT NULL DEFAULT pg_current_xact_id(),
    PRIMARY KEY (tenant_id, call_id)
) PARTITION BY RANGE (call_id);

-- What decisions knew of a principal, by content: ids of the units above, keys, roles.
CREATE TABLE principal_states (
    tenant_id uuid NOT NULL,
    hash      bytea NOT NULL CHECK (length(hash) = 32),
    state     text NOT NULL,
    PRIMARY KEY (tenant_id, hash)
);

-- Requests that never became calls.
CREATE TABLE rejections (
    tenant_id     uuid NOT NULL,
    id            uuid NOT NULL,
    at            timestamptz NOT NULL,
    code          text NOT NULL,
    status        int NOT NULL,
    credential_id uuid,
    address       inet,
    -- How many alike were merged into this row.
    count         int NOT NULL CHECK (count > 0),
    PRIMARY KEY (tenant_id, id)
);

-- Sealed bytes do not compress; do not try.
ALTER TABLE call_contents ALTER COLUMN sealed SET STORAGE EXTERNAL;

CALL protect('calls');
CALL protect('call_contents');
CALL protect('settlements');
CALL protect('settlement_amendments');
CALL protect('charges');
CALL protect('principal_states');
CALL protect('rejections');
GRANT SELECT ON calls, call_contents, settlements, settlement_amendments, charges, principal_states TO workingagents_app;
GRANT SELECT, INSERT ON rejections TO workingagents_app;
GRANT SELECT, INSERT ON calls, call_contents, settlements, settlement_amendments, charges, principal_states
    TO workingagents_ledger;

-- Where the reconciler may begin: everything below is settled. Derived, so it may be moved.
CREATE TABLE reconciled (
    tenant_id uuid PRIMARY KEY,
    below     uuid NOT NULL
);
CALL protect('reconciled');
GRANT SELECT, INSERT, UPDATE ON reconciled TO workingagents_ledger;

-- The smallest UUIDv7 of an instant.
CREATE FUNCTION uuid_floor(at timestamptz) RETURNS uuid
    LANGUAGE sql IMMUTABLE STRICT
    RETURN (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid;

-- The instant in a UUIDv7, by its first 48 bits.
CREATE FUNCTION uuid_time(id uuid) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE STRICT
    RETURN to_timestamp(('x' || translate(left(id::text, 13), '-', ''))::bit(48)::bigint / 1000.0);
GRANT EXECUTE ON FUNCTION uuid_floor(timestamptz), uuid_time(uuid) TO PUBLIC;

-- Makes the monthly partitions for the months from p_from to p_to that are not there yet. Runs as the owner of the
-- tables, since the roles that serve cannot make tables. Partitions get no grants: they are reached through their parent.
CREATE FUNCTION make_ledger_partitions(p_from timestamptz, p_to timestamptz) RETURNS int
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    SET timezone = 'UTC'
AS $$
DECLARE
    parent text;
    month  timestamptz := date_trunc('month', p_from);
    part   text;
    made   int := 0;
BEGIN
    IF p_to > p_from + interval '60 months' THEN
        RAISE EXCEPTION 'at most 60 months of partitions at once';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('make_ledger_partitions', 0));
    WHILE month <= p_to LOOP
        FOREACH parent IN ARRAY ARRAY['calls', 'call_contents', 'settlements', 'settlement_amendments', 'charges'] LOOP
            part := format('%s_%s', parent, to_char(month, 'YYYY_MM'));
            IF to_regclass('public.' || part) IS NULL THEN
                EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING ALL)', part, parent);
                EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', part);
                EXECUTE format('ALTER TABLE public.%I FORCE ROW LEVEL SECURITY', part);
                EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                    parent, part, public.uuid_floor(month), public.uuid_floor(month + interval '1 month'));
                made := made + 1;
            END IF;
        END LOOP;
        month := month + interval '1 month';
    END LOOP;
    RETURN made;
END
$$;
GRANT EXECUTE ON FUNCTION make_ledger_partitions(timestamptz, timestamptz) TO workingagents_app;
SELECT make_ledger_partitions(now() - interval '1 month', now() + interval '2 months');

-- One call as it asks to be admitted.
CREATE TYPE admission AS (
    id                uuid,
    received_at       timestamptz,
    epoch             bigint,
    epoch_token       uuid,
    valid_until       timestamptz,
    verdict           text,
    reason            text,
    policies          text[],
    policy_version    bytea,
    credential_id     uuid,
    agent_id          uuid,
    owner_id          uuid,
    on_behalf_of      uuid,
    unit_path         uuid[],
    principal_state   bytea,
    tool_name         text,
    module_id         uuid,
    tool_id           uuid,
    tool_definition   bytea,
    rate_id           uuid,
    reserved          numeric,
    currency          text,
    client_name       text,
    client_version    text,
    protocol          text,
    session           text,
    address           inet,
    arguments_digest  bytea,
    arguments_size    int,
    arguments         bytea
);

-- Admits a group of calls of one tenant. VOLATILE, called alone in autocommit, READ COMMITTED: the gate is locked by
-- one statement and the epoch read by a later one, whose snapshot is therefore newer than the lock. (Both in one
-- statement, or any stricter isolation, or STABLE, would read the epoch from before the wait. Silently.)
--
-- Answers for each call: admitted, stale (decided under another epoch), expired, exists, or clock (its id's time is
-- more than ten minutes from the database's).
CREATE FUNCTION admit(p_tenant uuid, p_node uuid, p_states_hash bytea[], p_states text[], p_calls admission[])
    RETURNS TABLE (id uuid, answer text, recorded_at timestamptz, epoch bigint, epoch_token uuid)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    e bigint;
    k uuid;
    t timestamptz;
    fresh uuid[];
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'admit must run under READ COMMITTED' USING ERRCODE = 'invalid_transaction_state';
    END IF;
    PERFORM set_config('app.tenant_id', p_tenant::text, true);
    -- 1. the gate
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('gate:' || p_tenant, 0));
    -- 2. a new statement, a new snapshot
    SELECT g.epoch, g.token INTO STRICT e, k FROM gates g WHERE g.tenant_id = p_tenant;
    -- 3. now() is older than the wait. The transaction has its number before it reads the clock, so that whoever sees every
    --    lower number ended knows that no call from before that time is still to come (money_marks in migration 12).
    PERFORM pg_current_xact_id();
    t := clock_timestamp();
    IF NOT EXISTS (SELECT FROM nodes n WHERE n.id = p_node AND n.lease_until > t) THEN
        RAISE EXCEPTION 'node % holds no lease', p_node USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;

    INSERT INTO principal_states (tenant_id, hash, state)
    SELECT p_tenant, s.hash, s.state FROM unnest(p_states_hash, p_states) AS s (hash, state)
    ON CONFLICT DO NOTHING;

    WITH written AS (
        INSERT INTO calls (
            tenant_id, id, received_at, recorded_at, epoch, valid_until, verdict, reason, policies, policy_version,
            credential_id, agent_id, owner_id, on_behalf_of, unit_path, principal_state,
            tool_name, module_id, tool_id, tool_definition, rate_id, reserved, currency,
            client_name, client_version, protocol, session, address, arguments_digest, arguments_size, node_id)
        SELECT
            p_tenant, c.id, c.received_at, t, c.epoch, c.valid_until, c.verdict, c.reason::jsonb, c.policies, c.policy_version,
            c.credential_id, c.agent_id, c.owner_id, c.on_behalf_of, c.unit_path, c.principal_state,
            c.tool_name, c.module_id, c.tool_id, c.tool_definition, c.rate_id, c.reserved, c.currency,
            c.client_name, c.client_version, c.protocol, c.session, c.address, c.arguments_digest, c.arguments_size, p_node
        FROM unnest(p_calls) AS c
        WHERE c.epoch = e AND c.epoch_token = k
          AND (c.valid_until IS NULL OR c.valid_until > t)
          AND uuid_time(c.id) BETWEEN t - interval '10 minutes' AND t + interval '10 minutes'
        ON CONFLICT DO NOTHING
        RETURNING calls.id
    )
    SELECT array_agg(written.id) INTO fresh FROM written;

    INSERT INTO call_contents (tenant_id, call_id, kind, sealed)
    SELECT p_tenant, c.id, 'arguments', c.arguments
    FROM unnest(p_calls) AS c
    WHERE c.arguments IS NOT NULL AND c.id = ANY (fresh);

    RETURN QUERY
    SELECT c.id,
           CASE
               WHEN c.id = ANY (fresh) THEN 'admitted'
               WHEN c.epoch <> e OR c.epoch_token <> k THEN 'stale'
               WHEN c.valid_until <= t THEN 'expired'
               WHEN uuid_time(c.id) NOT BETWEEN t - interval '10 minutes' AND t + interval '10 minutes' THEN 'clock'
               ELSE 'exists'
           END,
           t, e, k
    FROM unnest(p_calls) AS c;
END
$$;

-- How one call ended.
CREATE TYPE settling AS (
    call_id       uuid,
    settled_at    timestamptz,
    outcome       text,
    duration_us   bigint,
    upstream_us   bigint,
    failure       text,
    result_size   bigint,
    result_digest bytea,
    result        bytea,
    amount        numeric,
    currency      text,
    rate_id       uuid
);

-- Settles a group of calls of one tenant, each with exactly one charge. Repeating it changes nothing. A call that the
-- reconciler had settled as interrupted keeps that settlement and its charge; what is reported late becomes an amendment.
CREATE FUNCTION settle(p_tenant uuid, p_node uuid, p_ended settling[]) RETURNS int
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    fresh uuid[];
BEGIN
    PERFORM set_config('app.tenant_id', p_tenant::text, true);
    WITH written AS (
        INSERT INTO settlements (
            tenant_id, call_id, settled_at, outcome, duration_us, upstream_us, failure, result_size, result_digest, node_id)
        SELECT p_tenant, s.call_id, s.settled_at, s.outcome, s.duration_us, s.upstream_us, s.failure::jsonb,
               s.result_size, s.result_digest, p_node
        FROM unnest(p_ended) AS s
        JOIN calls c ON c.tenant_id = p_tenant AND c.id = s.call_id AND c.verdict = 'permit'
        ON CONFLICT DO NOTHING
        RETURNING settlements.call_id
    )
    SELECT coalesce(array_agg(written.call_id), '{}') INTO fresh FROM written;

    INSERT INTO charges (tenant_id, call_id, amount, currency, rate_id)
    SELECT p_tenant, s.call_id, s.amount, s.currency, s.rate_id
    FROM unnest(p_ended) AS s WHERE s.call_id = ANY (fresh);

    INSERT INTO call_contents (tenant_id, call_id, kind, sealed)
    SELECT p_tenant, s.call_id, 'result', s.result
    FROM unnest(p_ended) AS s WHERE s.result IS NOT NULL AND s.call_id = ANY (fresh)
    ON CONFLICT DO NOTHING;

    IF cardinality(fresh) < cardinality(p_ended) THEN
        INSERT INTO settlement_amendments (
            tenant_id, call_id, settled_at, outcome, duration_us, upstream_us, failure, node_id)
        SELECT p_tenant, s.call_id, s.settled_at, s.outcome, s.duration_us, s.upstream_us, s.failure::jsonb, p_node
        FROM unnest(p_ended) AS s
        JOIN settlements w ON w.tenant_id = p_tenant AND w.call_id = s.call_id
        WHERE NOT s.call_id = ANY (fresh) AND w.outcome = 'interrupted' AND s.outcome <> 'interrupted'
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN cardinality(fresh);
END
$$;

-- Settles as interrupted what was admitted by nodes whose lease ran out longer than p_grace ago, at its reserved
-- price. At most p_limit at a time. Then moves the mark below which everything is settled.
CREATE FUNCTION settle_interrupted(p_tenant uuid, p_node uuid, p_grace interval, p_limit int) RETURNS int
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    t     timestamptz := clock_timestamp();
    start uuid;
    fresh uuid[];
    first_open uuid;
BEGIN
    PERFORM set_config('app.tenant_id', p_tenant::text, true);
    SELECT r.below INTO start FROM reconciled r WHERE r.tenant_id = p_tenant;
    start := coalesce(start, '00000000-0000-0000-0000-000000000000');

    WITH orphans AS (
        SELECT c.id, c.reserved, c.currency, c.rate_id
        FROM calls c
        LEFT JOIN settlements s ON s.tenant_id = c.tenant_id AND s.call_id = c.id
        WHERE c.tenant_id = p_tenant AND c.id >= start AND c.verdict = 'permit' AND s.call_id IS NULL
          AND c.recorded_at < t - p_grace
          AND NOT EXISTS (SELECT FROM nodes n WHERE n.id = c.node_id AND n.lease_until > t - p_grace)
        ORDER BY c.id
        LIMIT p_limit
    ), written AS (
        INSERT INTO settlements (tenant_id, call_id, settled_at, outcome, failure, result_size, node_id)
        SELECT p_tenant, o.id, t, 'interrupted',
               '{"code": "interrupted", "sentence": "The process that had this call ended before it could say how the call went. It may or may not have happened."}',
               0, p_node
        FROM orphans o
        ON CONFLICT DO NOTHING
        RETURNING settlements.call_id
    ), charged AS (
        INSERT INTO charges (tenant_id, call_id, amount, currency, rate_id)
        SELECT p_tenant, o.id, o.reserved, o.currency, o.rate_id
        FROM orphans o JOIN written w ON w.call_id = o.id
        RETURNING charges.call_id
    )
    SELECT coalesce(array_agg(charged.call_id), '{}') INTO fresh FROM charged;

    -- An id is made before its call is recorded, so stay ten minutes (the clock rule of admit) and the grace behind.
    SELECT c.id INTO first_open
    FROM calls c
    LEFT JOIN settlements s ON s.tenant_id = c.tenant_id AND s.call_id = c.id
    WHERE c.tenant_id = p_tenant AND c.id >= start AND c.verdict = 'permit' AND s.call_id IS NULL
    ORDER BY c.id LIMIT 1;
    INSERT INTO reconciled (tenant_id, below)
    VALUES (p_tenant, least(coalesce(first_open, uuid_floor(t)), uuid_floor(t - p_grace - interval '20 minutes')))
    ON CONFLICT (tenant_id) DO UPDATE SET below = greatest(reconciled.below, excluded.below);
    RETURN cardinality(fresh);
END
$$;

ALTER FUNCTION admit(uuid, uuid, bytea[], text[], admission[]) OWNER TO workingagents_ledger;
ALTER FUNCTION settle(uuid, uuid, settling[]) OWNER TO workingagents_ledger;
ALTER FUNCTION settle_interrupted(uuid, uuid, interval, int) OWNER TO workingagents_ledger;
GRANT EXECUTE ON FUNCTION admit(uuid, uuid, bytea[], text[], admission[]), settle(uuid, uuid, settling[]),
    settle_interrupted(uuid, uuid, interval, int) TO workingagents_app;

-- Only needed to take ownership above.
REVOKE CREATE ON SCHEMA public FROM workingagents_lookup, workingagents_ledger;
