-- Fills an organization that has just been founded until it is a large one: 500 units, 10,000 people, 3,000 agents, 40 modules
-- with 2,000 tools, keys, prices, grants, and a million calls over 90 days. Run by the owner of the tables, with fill.tenant,
-- fill.calls and the partitions of those months there. The same at each run but for its times.
SELECT setseed(0.4242);
SET LOCAL synchronous_commit = off;
SET LOCAL work_mem = '128MB';

CREATE TEMPORARY TABLE org ON COMMIT DROP AS
    SELECT t.tenant_id AS id, t.currency, (SELECT u.id FROM users u WHERE u.tenant_id = t.tenant_id) AS owner
    FROM tenants t WHERE t.tenant_id = current_setting('fill.tenant')::uuid;

-- 20 departments with 24 teams each.
CREATE TEMPORARY TABLE department ON COMMIT DROP AS
    SELECT n, gen_random_uuid() AS id FROM generate_series(0, 19) n;
CREATE TEMPORARY TABLE team ON COMMIT DROP AS
    SELECT k.n, gen_random_uuid() AS id, d.id AS department FROM generate_series(0, 479) AS k (n) JOIN department d ON d.n = k.n / 24;
INSERT INTO units (tenant_id, id, parent_id, kind, name, created_at)
    SELECT org.id, d.id, NULL, 'department', format('Department %s', d.n + 1), now() - interval '1 year' FROM department d, org
    UNION ALL
    SELECT org.id, t.id, t.department, 'team', format('Team %s.%s', t.n / 24 + 1, t.n % 24 + 1), now() - interval '1 year'
    FROM team t, org;

CREATE TEMPORARY TABLE person ON COMMIT DROP AS
    SELECT n, gen_random_uuid() AS id, n % 480 AS team FROM generate_series(0, 9999) n;
INSERT INTO users (tenant_id, id, email, name, home_unit_id, created_at)
    SELECT org.id, p.id, format('person-%s@big.example', p.n),
           (ARRAY['Ada', 'Ben', 'Cleo', 'Dana', 'Emil', 'Fay', 'Gus', 'Hana', 'Ivo', 'June', 'Kai', 'Lena'])[p.n % 12 + 1]
               || ' ' || (ARRAY['Abel', 'Brand', 'Cole', 'Dorn', 'Eck', 'Frey', 'Gold', 'Hart', 'Imhof', 'Jung'])[p.n / 12 % 10 + 1]
               || ' ' || p.n,
           t.id, now() - interval '1 year'
    FROM person p JOIN team t ON t.n = p.team, org;
INSERT INTO role_assignments (tenant_id, id, user_id, role, unit_id, given_by, given_at)
    SELECT org.id, gen_random_uuid(), p.id, CASE WHEN p.n % 500 = 1 THEN 'auditor' WHEN p.n % 100 = 2 THEN 'approver' ELSE 'member' END,
           NULL, 'bench', now() - interval '1 year'
    FROM person p, org;

CREATE TEMPORARY TABLE bot ON COMMIT DROP AS
    SELECT a.n, gen_random_uuid() AS id, gen_random_uuid() AS credential, p.id AS owner, t.id AS team, t.department,
           CASE WHEN a.n % 3 = 0 THEN (SELECT b.id FROM person b WHERE b.n = (a.n * 13 + 5) % 10000) END AS on_behalf_of
    FROM generate_series(0, 2999) AS a (n) JOIN person p ON p.n = a.n * 3 JOIN team t ON t.n = p.team;
INSERT INTO agents (tenant_id, id, name, owner_id, home_unit_id, created_at)
    SELECT org.id, b.id, (ARRAY['Inbox', 'Report', 'Ledger', 'Ticket', 'Review', 'Search', 'Onboarding'])[b.n % 7 + 1] || ' helper ' || b.n,
           b.owner, b.team, now() - interval '200 days'
    FROM bot b, org;
INSERT INTO credentials (tenant_id, id, agent_id, on_behalf_of, name, prefix, secret_hash, created_at)
    SELECT org.id, b.credential, b.id, b.on_behalf_of, 'production', 'wa_' || substr(md5(b.n::text), 1, 8),
           sha256(b.id::text::bytea), now() - interval '200 days'
    FROM bot b, org;

CREATE TEMPORARY TABLE shelf ON COMMIT DROP AS
    SELECT n, gen_random_uuid() AS id, format('service%s', n + 1) AS name FROM generate_series(0, 39) n;
INSERT INTO modules (tenant_id, id, name, title, kind, url, owner_id, created_at)
    SELECT org.id, s.id, s.name, format('Service %s', s.n + 1), 'mcp', 'http://127.0.0.1:9/' || s.name, org.owner, now() - interval '300 days'
    FROM shelf s, org;
INSERT INTO permission_keys (tenant_id, key, module_id, title)
    SELECT org.id, s.name || k.part, s.id, s.name || ' ' || k.what
    FROM shelf s, (VALUES ('', 'everything'), (':read', 'reading'), (':write', 'writing')) AS k (part, what), org;
CREATE TEMPORARY TABLE device ON COMMIT DROP AS
    SELECT k.n, gen_random_uuid() AS id, gen_random_uuid() AS rate, s.id AS module, s.name AS module_name,
           CASE k.n % 3 WHEN 0 THEN 'list' WHEN 1 THEN 'get' ELSE 'update' END || '_thing_' || k.n / 40 AS name,
           CASE WHEN k.n % 5 < 3 THEN (1 + k.n % 40)::numeric / 4000 END AS price
    FROM generate_series(0, 1999) AS k (n) JOIN shelf s ON s.n = k.n % 40;
INSERT INTO tools (tenant_id, id, module_id, name, definition, definition_hash, permission_key, standing, discovered_at, approved_at, approved_by)
    SELECT org.id, d.id, d.module, d.name, e.definition, sha256(e.definition::bytea),
           d.module_name || CASE WHEN d.n % 3 = 2 THEN ':write' ELSE ':read' END, 'approved',
           now() - interval '300 days', now() - interval '299 days', 'bench'
    FROM device d
    CROSS JOIN LATERAL (SELECT format(
        '{"name":"%s","description":"Works on thing %s.","inputSchema":{"type":"object","properties":{"id":{"type":"string","description":"Which one."},"limit":{"type":"integer","minimum":1}},"required":["id"]},"annotations":{"readOnlyHint":%s}}',
        d.name, d.n, (d.n % 3 < 2)::text) AS definition) e, org;
INSERT INTO rates (tenant_id, id, tool_id, amount, currency, effective_from, set_by)
    SELECT org.id, d.rate, d.id, d.price, org.currency, now() - interval '299 days', 'bench' FROM device d, org WHERE d.price IS NOT NULL;

-- What units, roles, people and agents may: each team four services, some agents one more.
INSERT INTO grants (tenant_id, id, permission_key, unit_id, given_by, given_at)
    SELECT org.id, gen_random_uuid(), s.name || (ARRAY['', ':read', ':read', ':write'])[k + 1], t.id, 'bench', now() - interval '190 days'
    FROM team t, generate_series(0, 3) k JOIN shelf s ON true, org WHERE s.n = (t.n * 7 + k * 11) % 40;
INSERT INTO grants (tenant_id, id, permission_key, agent_id, given_by, given_at)
    SELECT org.id, gen_random_uuid(), s.name, b.id, 'bench', now() - interval '100 days'
    FROM bot b JOIN shelf s ON s.n = b.n % 40, org WHERE b.n % 4 = 0;
INSERT INTO grants (tenant_id, id, permission_key, user_id, given_by, given_at)
    SELECT org.id, gen_random_uuid(), s.name || ':read', p.id, 'bench', now() - interval '100 days'
    FROM person p JOIN shelf s ON s.n = p.n % 40, org WHERE p.n % 20 = 0;

-- A few agents make most of the calls, each with a handful of tools; by day more than by night.
INSERT INTO principal_states (tenant_id, hash, state) SELECT org.id, sha256('bench'), '{}' FROM org;
CREATE TEMPORARY TABLE made ON COMMIT DROP AS
    SELECT (lpad(to_hex((extract(epoch FROM m.at) * 1000)::bigint), 12, '0') || '7' || substr(m.dice, 1, 3) || '8' || substr(m.dice, 4, 15))::uuid AS id,
           m.at, m.bot, m.tool, m.fate
    FROM (SELECT now() - (k.n + random()) * interval '90 days' / current_setting('fill.calls')::int AS at,
                 floor(3000 * power(random(), 2.5))::int AS bot, floor(6 * power(random(), 2))::int AS tool,
                 random() AS fate, md5(random()::text) AS dice
          FROM generate_series(0, current_setting('fill.calls')::int - 1) AS k (n)) m;
INSERT INTO calls (tenant_id, id, received_at, recorded_at, epoch, verdict, reason, policies, policy_version, credential_id, agent_id, owner_id,
                   on_behalf_of, unit_path, principal_state, tool_name, module_id, tool_id, rate_id, reserved, currency, client_name,
                   client_version, protocol, session, arguments_digest, arguments_size, node_id)
    SELECT org.id, m.id, m.at, m.at + interval '5 milliseconds', 1, CASE WHEN m.fate < 0.06 THEN 'deny' ELSE 'permit' END,
           CASE WHEN m.fate < 0.06 THEN jsonb_build_object('code', 'missing_key', 'sentence',
               format('Denied: the agent has no `%s`.', d.module_name), 'missing_key', d.module_name, 'ask', NULL) END,
           ARRAY['standing'], '\x00', b.credential, b.id, b.owner, b.on_behalf_of, ARRAY[b.department, b.team], sha256('bench'),
           CASE WHEN m.fate < 0.002 THEN 'nothing.there' ELSE d.module_name || '.' || d.name END,
           CASE WHEN m.fate >= 0.002 THEN d.module END, CASE WHEN m.fate >= 0.002 THEN d.id END,
           CASE WHEN m.fate >= 0.002 THEN r.id END, coalesce(CASE WHEN m.fate >= 0.002 THEN d.price END, 0), org.currency,
           'claude-code', '2.1.0', '2025-11-25', CASE WHEN b.n % 2 = 0 THEN md5(b.n || m.at::date::text) END, sha256('{}'), 2,
           '00000000-0000-7000-8000-00000000bec4'
    FROM made m JOIN bot b ON b.n = m.bot JOIN device d ON d.n = (m.bot * 17 + m.tool * 40) % 2000
    LEFT JOIN rates r ON r.tenant_id = (SELECT id FROM org) AND r.id = d.rate, org
    ORDER BY m.id;
INSERT INTO settlements (tenant_id, call_id, settled_at, outcome, duration_us, upstream_us, failure, result_size, node_id)
    SELECT org.id, m.id, m.at + interval '80 milliseconds',
           CASE WHEN m.fate > 0.995 THEN 'timed_out' WHEN m.fate > 0.99 THEN 'upstream_error' WHEN m.fate > 0.96 THEN 'tool_error' ELSE 'succeeded' END,
           20000 + (m.fate * 900000)::bigint, 18000 + (m.fate * 880000)::bigint,
           CASE WHEN m.fate > 0.96 THEN '{"code":"bench","sentence":"It failed."}'::jsonb END, 200,
           '00000000-0000-7000-8000-00000000bec4'
    FROM made m, org WHERE m.fate >= 0.06 ORDER BY m.id;
INSERT INTO charges (tenant_id, call_id, amount, currency, rate_id)
    SELECT c.tenant_id, c.id, c.reserved, c.currency, c.rate_id FROM calls c, org
    WHERE c.tenant_id = org.id AND c.verdict = 'permit' ORDER BY c.id;
UPDATE gates SET epoch = epoch + 1, token = gen_random_uuid() FROM org WHERE tenant_id = org.id;
