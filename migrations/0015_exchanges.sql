-- What a server asked the client while a call ran, and what it was answered: content of the call like its arguments and its result.

ALTER TABLE call_contents DROP CONSTRAINT call_contents_kind_check;
ALTER TABLE call_contents ADD CONSTRAINT call_contents_kind_check CHECK (kind IN ('arguments', 'result', 'exchange'));
ALTER TYPE settling ADD ATTRIBUTE exchange bytea;

CREATE OR REPLACE FUNCTION settle(p_tenant uuid, p_node uuid, p_ended settling[]) RETURNS int
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
    SELECT p_tenant, s.call_id, kept.kind, kept.sealed
    FROM unnest(p_ended) AS s
    CROSS JOIN LATERAL (VALUES ('result', s.result), ('exchange', s.exchange)) AS kept (kind, sealed)
    WHERE kept.sealed IS NOT NULL AND s.call_id = ANY (fresh)
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
