//! Walks the database's own catalog, so that a table, key or grant that was forgotten fails here.

use sqlx::{PgConnection, Row};
use testkit::TestDatabase;

/// Tables that belong to no tenant, each with its reason.
const NOBODYS: &[(&str, &str)] = &[
    ("_sqlx_migrations", "bookkeeping of migrations; no role that serves may read it"),
    ("tenant_slugs", "finds a tenant before one is known; only the lookup role reads it"),
    ("mcp_endpoints", "finds a tenant before one is known; only the lookup role reads it"),
    ("sessions", "found by a random id before a tenant is known"),
    ("throttles", "keys are hashes; counts failed sign-ins before a tenant is known"),
    ("nodes", "processes of the installation"),
    ("mails", "mails go to people who are in no tenant yet; sealed, and emptied once sent"),
    ("sign_ups", "no tenant exists before the address is verified; sealed, found by the hash of a token"),
    ("resets", "for every account of an address, in whichever tenants; sealed, found by the hash of a token"),
];

const LEDGER: &[&str] =
    &["calls", "call_contents", "settlements", "settlement_amendments", "charges", "principal_states"];

async fn strings(conn: &mut PgConnection, sql: &'static str) -> Vec<String> {
    sqlx::query(sql).fetch_all(conn).await.unwrap().iter().map(|row| row.get::<String, _>(0)).collect()
}

#[tokio::test]
async fn every_table_is_a_tenants_and_protected_or_has_a_reason_not_to_be() {
    let database = TestDatabase::create().await;
    let mut owner = database.owner().await;
    let open = strings(
        &mut owner,
        "SELECT c.relname::text FROM pg_class c
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
           AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND a.attnotnull)
         ORDER BY 1",
    )
    .await;
    let mut expected: Vec<_> = NOBODYS.iter().map(|(name, _)| (*name).to_owned()).collect();
    expected.sort();
    assert_eq!(open, expected, "tables without tenant_id");

    let unprotected = strings(
        &mut owner,
        "SELECT c.relname::text FROM pg_class c
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
           AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id')
           AND NOT (c.relrowsecurity AND c.relforcerowsecurity
                    AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polname = 'same_tenant'
                                AND p.polcmd = '*' AND p.polroles = '{0}'
                                AND pg_get_expr(p.polqual, p.polrelid) = '(tenant_id = current_tenant())'
                                AND pg_get_expr(p.polwithcheck, p.polrelid) = '(tenant_id = current_tenant())'))",
    )
    .await;
    assert_eq!(unprotected, Vec::<String>::new(), "tables of tenants that row security does not protect");

    let wider = strings(
        &mut owner,
        "SELECT DISTINCT format('%s.%s for %s', p.polrelid::regclass, p.polname,
                                coalesce((SELECT string_agg(rolname, ',') FROM pg_roles WHERE oid = ANY (p.polroles)), 'everybody'))
         FROM pg_policy p WHERE p.polname <> 'same_tenant' ORDER BY 1",
    )
    .await;
    assert_eq!(
        wider,
        [
            "invitations.lookup for workingagents_lookup",
            "tenants.lookup for workingagents_lookup",
            "users.lookup for workingagents_lookup",
        ],
        "policies that let more through"
    );
}

#[tokio::test]
async fn partitions_are_reached_through_their_parents_only() {
    let database = TestDatabase::create().await;
    let mut owner = database.owner().await;
    let open = strings(
        &mut owner,
        "SELECT c.relname::text FROM pg_class c, LATERAL aclexplode(c.relacl) acl
         WHERE c.relispartition AND c.relkind = 'r' AND acl.grantee <> c.relowner
         UNION
         SELECT c.relname::text FROM pg_class c
         WHERE c.relispartition AND c.relkind = 'r' AND NOT (c.relrowsecurity AND c.relforcerowsecurity)",
    )
    .await;
    assert_eq!(open, Vec::<String>::new(), "partitions with grants or without row security");
    let default = strings(
        &mut owner,
        "SELECT c.relname::text FROM pg_class c WHERE c.relispartition AND pg_get_expr(c.relpartbound, c.oid) = 'DEFAULT'",
    )
    .await;
    assert_eq!(default, Vec::<String>::new(), "default partitions, which would catch what has no place");
    let partitions =
        strings(&mut owner, "SELECT relname::text FROM pg_class WHERE relispartition AND relkind = 'r'")
            .await;
    assert!(partitions.len() >= 15, "there are partitions at all: {partitions:?}");
}

#[tokio::test]
async fn every_key_begins_with_the_tenant() {
    let database = TestDatabase::create().await;
    let mut owner = database.owner().await;
    let wrong = strings(
        &mut owner,
        "SELECT format('%s on %s', k.conname, k.conrelid::regclass)
         FROM pg_constraint k
         JOIN pg_class c ON c.oid = k.conrelid
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
         WHERE c.relnamespace = 'public'::regnamespace
           AND (k.contype IN ('p', 'u', 'f') AND k.conkey[1] <> a.attnum
                OR k.contype = 'f' AND NOT EXISTS (
                    SELECT FROM pg_attribute f WHERE f.attrelid = k.confrelid AND f.attname = 'tenant_id'
                    AND f.attnum = k.confkey[1]))
         UNION
         SELECT format('index %s', i.indexrelid::regclass)
         FROM pg_index i
         JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attname = 'tenant_id'
         WHERE i.indisunique AND i.indkey[0] <> a.attnum",
    )
    .await;
    assert_eq!(wrong, Vec::<String>::new(), "keys that do not begin with tenant_id");
    let keyless = strings(
        &mut owner,
        "SELECT c.relname::text FROM pg_class c
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
           AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'p')",
    )
    .await;
    assert_eq!(keyless, Vec::<String>::new(), "tables without a primary key");
    let chained = strings(
        &mut owner,
        "SELECT k.conname::text FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
         WHERE k.contype = 'f' AND c.relname LIKE ANY (ARRAY['call%', 'settle%', 'charges%', 'principal_states%', 'rejections%'])",
    )
    .await;
    assert_eq!(
        chained,
        Vec::<String>::new(),
        "foreign keys of the ledger, which would deadlock with revocations"
    );
}

#[tokio::test]
async fn nobody_who_serves_can_change_the_record() {
    let database = TestDatabase::create().await;
    let mut owner = database.owner().await;
    let rights = strings(
        &mut owner,
        "SELECT format('%s may %s %s', r.rolname, p.privilege, c.relname)
         FROM pg_class c,
              (VALUES ('workingagents_app'), ('workingagents_ledger'), ('workingagents_lookup')) r (rolname),
              (VALUES ('INSERT'), ('UPDATE'), ('DELETE'), ('TRUNCATE')) p (privilege)
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
           AND has_table_privilege(r.rolname, c.oid, p.privilege)
         UNION
         SELECT format('%s may UPDATE a column of %s', r.rolname, c.relname)
         FROM pg_class c, (VALUES ('workingagents_app'), ('workingagents_ledger'), ('workingagents_lookup')) r (rolname)
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
           AND has_any_column_privilege(r.rolname, c.oid, 'UPDATE')
         ORDER BY 1",
    )
    .await;
    let on_record: Vec<_> = rights
        .iter()
        .filter(|right| {
            LEDGER
                .iter()
                .chain(&["audit_events", "rejections"])
                .any(|table| right.ends_with(&format!(" {table}")))
        })
        .map(String::as_str)
        .collect();
    assert_eq!(
        on_record,
        [
            "workingagents_app may INSERT audit_events",
            "workingagents_app may INSERT rejections",
            "workingagents_ledger may INSERT call_contents",
            "workingagents_ledger may INSERT calls",
            "workingagents_ledger may INSERT charges",
            "workingagents_ledger may INSERT principal_states",
            "workingagents_ledger may INSERT settlement_amendments",
            "workingagents_ledger may INSERT settlements",
        ],
        "who may write the record, and how"
    );
    assert!(
        !rights.iter().any(|right| right.contains("workingagents_lookup")),
        "the lookup role only reads: {rights:?}"
    );
    assert!(!rights.iter().any(|right| right.contains("TRUNCATE")), "{rights:?}");
}

#[tokio::test]
async fn functions_that_run_as_somebody_else_are_few_and_pinned() {
    let database = TestDatabase::create().await;
    let mut owner = database.owner().await;
    let definers = strings(
        &mut owner,
        "SELECT p.proname::text FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef ORDER BY 1",
    )
    .await;
    assert_eq!(
        definers,
        [
            "admit",
            "make_ledger_partitions",
            "schema_version",
            "settle",
            "settle_interrupted",
            "sign_in_candidates",
            "tenant_ids",
            "tenant_of_endpoint",
            "tenant_of_invitation",
            "tenant_of_slug",
        ]
    );
    let loose = strings(
        &mut owner,
        "SELECT p.proname::text FROM pg_proc p
         WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef
           AND (NOT 'search_path=pg_catalog, public, pg_temp' = ANY (coalesce(p.proconfig, '{}'))
                OR p.proacl IS NULL
                OR EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0))",
    )
    .await;
    assert_eq!(loose, Vec::<String>::new(), "functions with a loose search_path or open to everybody");
    // A STABLE admit would read the epoch from before it waited for the gate.
    let volatility = strings(
        &mut owner,
        "SELECT format('%s %s', p.proname, p.provolatile) FROM pg_proc p
         WHERE p.pronamespace = 'public'::regnamespace AND p.proname IN ('admit', 'settle', 'take_gate') ORDER BY 1",
    )
    .await;
    assert_eq!(volatility, ["admit v", "settle v", "take_gate v"]);
}

#[tokio::test]
async fn admit_and_the_gate_refuse_any_stricter_isolation() {
    let database = TestDatabase::create().await;
    let mut owner = database.owner().await;
    for (begin, statement) in [
        (
            "BEGIN ISOLATION LEVEL REPEATABLE READ",
            "SELECT FROM admit(gen_random_uuid(), gen_random_uuid(), '{}', '{}', '{}')",
        ),
        (
            "BEGIN ISOLATION LEVEL SERIALIZABLE",
            "SELECT FROM admit(gen_random_uuid(), gen_random_uuid(), '{}', '{}', '{}')",
        ),
        ("BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT take_gate(gen_random_uuid(), gen_random_uuid())"),
    ] {
        sqlx::query(begin).execute(&mut owner).await.unwrap();
        let refused = sqlx::query(statement).execute(&mut owner).await.unwrap_err();
        assert_eq!(refused.as_database_error().unwrap().code().as_deref(), Some("25000"), "{refused}");
        sqlx::query("ROLLBACK").execute(&mut owner).await.unwrap();
    }
}
