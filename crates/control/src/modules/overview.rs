//! The catalog as lists show it: a page of modules, or of tools, searched and counted by the database.

use std::collections::HashMap;

use chrono::{Datelike as _, NaiveTime};
use model::access::PermissionKey;
use model::catalog::{ModuleView, ToolStanding, ToolView};
use model::{ModuleId, Money, Timestamp};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::discovery;
use crate::authority::{self, Deed};
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, money, rows};

/// Modules on one page.
pub const MODULES_A_PAGE: u32 = 50;
/// Tools on one page.
pub const TOOLS_A_PAGE: u32 = 100;
/// How many days calls are counted, in UTC, today the last of them.
const RECENT: u32 = 7;
/// At most so many calls that failed at a server are counted: of a busy tenant the newest.
const FAILURES: i64 = 10_000;

/// What is looked for.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Asked {
    /// Part of a title, name or tool's name; case does not matter. Empty: all.
    pub text: String,
    /// Only with a tool, or only tools, of this standing.
    pub standing: Option<ToolStanding>,
    /// The page, from 0.
    pub page: u32,
}

impl Asked {
    fn text(&self) -> Option<&str> {
        Some(self.text.trim()).filter(|text| !text.is_empty())
    }
}

/// How many of a module's tools stand where.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Standings {
    /// Callable.
    pub approved: u32,
    /// Wait to be approved.
    pub proposed: u32,
    /// Frozen, since they are no longer what was approved.
    pub drifted: u32,
    /// Gone or taken out.
    pub withdrawn: u32,
}

/// Calls of today and the six days before it, in UTC.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Recent {
    /// How many.
    pub calls: u64,
    /// By how many agents.
    pub agents: u64,
    /// How many were refused.
    pub refused: u64,
    /// How many came to nothing because of the module's server, among the organization's newest ten thousand that did.
    pub failed: u64,
}

/// What is known of a module's health.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Health {
    /// Switched off by somebody.
    Off,
    /// Its server could not be used when it was asked last.
    NotReached(String),
    /// Some of its recent calls came to nothing because of its server.
    Failing,
    /// Nothing is wrong.
    Well,
    /// Nothing has been asked of it recently.
    Unknown,
}

/// A module as the table shows it.
#[derive(Clone, Debug)]
pub struct ModuleRow {
    /// The module.
    pub view: ModuleView,
    /// Name of the person who answers for it.
    pub owner_name: Option<String>,
    /// Its permission keys.
    pub keys: Vec<PermissionKey>,
    /// Its tools.
    pub tools: Standings,
    /// How many agents have one of its keys.
    pub agents: u64,
    /// What was called.
    pub recent: Recent,
    /// What its calls have cost this month (UTC), in each currency; none where the reader may not see that.
    pub spend: Option<Vec<Money>>,
    /// How it is.
    pub health: Health,
}

/// A page of modules.
#[derive(Clone, Default, Debug)]
pub struct ModuleRows {
    /// By title.
    pub rows: Vec<ModuleRow>,
    /// How many match in all.
    pub total: u64,
    /// Whether the catalog has any module at all.
    pub any: bool,
}

/// A tool as lists show it.
#[derive(Clone, Debug)]
pub struct ToolRow {
    /// The tool.
    pub view: ToolView,
    /// Its module's name.
    pub module_name: String,
    /// Its module's title.
    pub module_title: String,
    /// Its definition, the JSON text of an MCP `Tool` object.
    pub definition: String,
    /// Hash of what approving it now would approve, while it waits for that.
    pub offered: Option<model::call::Digest>,
}

/// A page of tools.
#[derive(Clone, Default, Debug)]
pub struct ToolRows {
    /// By module, then name.
    pub rows: Vec<ToolRow>,
    /// How many match in all.
    pub total: u64,
}

/// A page of modules: those whose title, name or one of whose tools matches.
pub async fn modules_page(control: &Control, actor: &Actor, asked: &Asked) -> Result<ModuleRows, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadCatalog, "catalog")?;
    let tenant = tx.tenant_uuid();
    let found = sqlx::query!(
        r#"SELECT m.id, m.name, m.title, m.kind, m.url, m.owner_id, m.standing, m.asked_at, m.ask_failure,
                  u.name AS "owner_name?", count(*) OVER () AS "total!"
           FROM modules m
           LEFT JOIN users u ON u.tenant_id = m.tenant_id AND u.id = m.owner_id
           WHERE m.tenant_id = $1
             AND ($2::text IS NULL OR strpos(lower(m.title), lower($2)) > 0 OR strpos(m.name, lower($2)) > 0 OR EXISTS (
                 SELECT FROM tools t WHERE t.tenant_id = $1 AND t.module_id = m.id
                   AND strpos(lower(m.name || '.' || t.name), lower($2)) > 0))
             AND ($3::text IS NULL OR EXISTS (
                 SELECT FROM tools t WHERE t.tenant_id = $1 AND t.module_id = m.id AND t.standing = $3))
           ORDER BY lower(m.title), m.id LIMIT $4 OFFSET $5"#,
        tenant,
        asked.text(),
        asked.standing.map(|standing| standing.word()),
        i64::from(MODULES_A_PAGE),
        i64::from(asked.page) * i64::from(MODULES_A_PAGE),
    )
    .fetch_all(tx.conn())
    .await?;
    let ids: Vec<Uuid> = found.iter().map(|row| row.id).collect();
    let any = !found.is_empty()
        || sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM modules WHERE tenant_id = $1) AS "any!""#,
            tenant
        )
        .fetch_one(tx.conn())
        .await?;
    let total = found.first().map_or(0, |row| row.total.unsigned_abs());
    let (mut keys, mut tools) = (keys(&mut tx, &ids).await?, standings(&mut tx, &ids).await?);
    let (mut agents, mut recent) = (agents(&mut tx, &ids).await?, recent(&mut tx, &ids, None).await?);
    let not_reached: Vec<Uuid> =
        found.iter().filter(|row| row.ask_failure.is_some()).map(|row| row.id).collect();
    let newest = newest(&mut tx, &not_reached).await?;
    let sees_money = authority::may(actor, Deed::ReadMoney);
    let mut spent = if sees_money { spend(&mut tx, &ids).await? } else { HashMap::new() };
    let rows = found
        .into_iter()
        .map(|row| {
            let view = ModuleView {
                id: row.id.into(),
                name: row.name,
                title: row.title,
                kind: rows::word("module", &row.kind)?,
                url: row.url,
                owner: row.owner_id.map(Into::into),
                standing: rows::word("module", &row.standing)?,
            };
            let recent = recent.remove(&row.id).unwrap_or_default();
            Ok(ModuleRow {
                health: health(&view, row.ask_failure, row.asked_at, recent, newest.get(&row.id).copied()),
                owner_name: row.owner_name,
                keys: keys.remove(&row.id).unwrap_or_default(),
                tools: tools.remove(&row.id).unwrap_or_default(),
                agents: agents.remove(&row.id).unwrap_or_default(),
                spend: sees_money.then(|| spent.remove(&row.id).unwrap_or_default()),
                recent,
                view,
            })
        })
        .collect::<Result<_, Error>>()?;
    Ok(ModuleRows { rows, total, any })
}

pub(super) fn health(
    view: &ModuleView,
    ask_failure: Option<String>,
    asked_at: Option<Timestamp>,
    recent: Recent,
    newest: Option<Timestamp>,
) -> Health {
    use model::catalog::{ModuleKind, ModuleStanding};
    let answered_since = newest.is_some_and(|newest| asked_at.is_none_or(|asked| newest > asked));
    match (view.standing, ask_failure) {
        (ModuleStanding::Off, _) => Health::Off,
        // A call that went well later says more than an old question.
        (_, Some(failure)) if !answered_since || recent.failed > 0 => Health::NotReached(failure),
        _ if recent.failed > 0 => Health::Failing,
        _ if recent.calls > 0 || asked_at.is_some() || view.kind == ModuleKind::Native => Health::Well,
        _ => Health::Unknown,
    }
}

/// A page of tools, of one module or of all.
pub async fn tools_page(
    control: &Control,
    actor: &Actor,
    module: Option<ModuleId>,
    asked: &Asked,
) -> Result<ToolRows, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ReadCatalog, "catalog")?;
    tools(&mut tx, module, asked).await
}

pub(super) async fn tools(
    tx: &mut TenantTx,
    module: Option<ModuleId>,
    asked: &Asked,
) -> Result<ToolRows, Error> {
    let tenant = tx.tenant_uuid();
    let found = sqlx::query!(
        r#"SELECT t.id, t.module_id, t.name, t.permission_key, t.standing, t.definition, t.definition_hash, t.seen_definition,
                  m.name AS module_name, m.title AS module_title, r.amount AS "amount?",
                  coalesce(r.currency, n.currency) AS "currency!", t.total AS "total!"
           FROM (
               SELECT t.*, count(*) OVER () AS total
               FROM tools t JOIN modules m ON m.tenant_id = t.tenant_id AND m.id = t.module_id
               WHERE t.tenant_id = $1 AND ($2::uuid IS NULL OR t.module_id = $2)
                 AND ($3::text IS NULL OR strpos(lower(m.name || '.' || t.name), lower($3)) > 0
                      OR strpos(lower(m.title), lower($3)) > 0)
                 AND ($4::text IS NULL OR t.standing = $4)
               ORDER BY lower(m.title), m.id, lower(t.name), t.id LIMIT $5 OFFSET $6
           ) t
           JOIN modules m ON m.tenant_id = t.tenant_id AND m.id = t.module_id
           JOIN tenants n ON n.tenant_id = t.tenant_id
           LEFT JOIN LATERAL (
               SELECT amount, currency FROM rates
               WHERE tenant_id = t.tenant_id AND tool_id = t.id AND effective_from <= clock_timestamp()
               ORDER BY effective_from DESC, id DESC LIMIT 1
           ) r ON true
           ORDER BY lower(m.title), m.id, lower(t.name), t.id"#,
        tenant,
        module.map(|module| module.uuid()),
        asked.text(),
        asked.standing.map(|standing| standing.word()),
        i64::from(TOOLS_A_PAGE),
        i64::from(asked.page) * i64::from(TOOLS_A_PAGE),
    )
    .fetch_all(tx.conn())
    .await?;
    let total = found.first().map_or(0, |row| row.total.unsigned_abs());
    let rows = found
        .into_iter()
        .map(|row| {
            let standing = rows::word("tool", &row.standing)?;
            let offered = match (standing, &row.seen_definition) {
                (ToolStanding::Proposed, _) => Some(rows::digest("tool", row.definition_hash)?),
                (ToolStanding::Drifted, Some(seen)) => Some(super::store::read(seen)?.hash),
                _ => None,
            };
            Ok(ToolRow {
                view: ToolView {
                    id: row.id.into(),
                    module: row.module_id.into(),
                    name: row.name,
                    key: discovery::parsed(&row.permission_key)?,
                    standing,
                    price: rows::money("rate", row.amount.unwrap_or(Decimal::ZERO), &row.currency)?,
                },
                module_name: row.module_name,
                module_title: row.module_title,
                definition: row.definition,
                offered,
            })
        })
        .collect::<Result<_, Error>>()?;
    Ok(ToolRows { rows, total })
}

async fn keys(tx: &mut TenantTx, modules: &[Uuid]) -> Result<HashMap<Uuid, Vec<PermissionKey>>, Error> {
    let tenant = tx.tenant_uuid();
    let mut keys: HashMap<Uuid, Vec<PermissionKey>> = HashMap::new();
    for row in sqlx::query!(
        "SELECT module_id, key FROM permission_keys WHERE tenant_id = $1 AND module_id = ANY ($2) ORDER BY key",
        tenant,
        modules,
    )
    .fetch_all(tx.conn())
    .await?
    {
        keys.entry(row.module_id).or_default().push(discovery::parsed(&row.key)?);
    }
    Ok(keys)
}

pub(super) async fn standings(
    tx: &mut TenantTx,
    modules: &[Uuid],
) -> Result<HashMap<Uuid, Standings>, Error> {
    let tenant = tx.tenant_uuid();
    let mut counted: HashMap<Uuid, Standings> = HashMap::new();
    for row in sqlx::query!(
        r#"SELECT module_id, standing, count(*) AS "count!" FROM tools
           WHERE tenant_id = $1 AND module_id = ANY ($2) GROUP BY module_id, standing"#,
        tenant,
        modules,
    )
    .fetch_all(tx.conn())
    .await?
    {
        let (count, standings) =
            (u32::try_from(row.count).unwrap_or(u32::MAX), counted.entry(row.module_id).or_default());
        match rows::word("tool", &row.standing)? {
            ToolStanding::Approved => standings.approved = count,
            ToolStanding::Proposed => standings.proposed = count,
            ToolStanding::Drifted => standings.drifted = count,
            ToolStanding::Withdrawn => standings.withdrawn = count,
        }
    }
    Ok(counted)
}

/// How many agents that may act have a key of each module: of their own, or by a unit they sit in or below.
pub(super) async fn agents(tx: &mut TenantTx, modules: &[Uuid]) -> Result<HashMap<Uuid, u64>, Error> {
    let tenant = tx.tenant_uuid();
    let rows = sqlx::query!(
        r#"WITH RECURSIVE given AS (
               SELECT k.module_id, g.unit_id, g.agent_id
               FROM permission_keys k JOIN grants g ON g.tenant_id = k.tenant_id AND g.permission_key = k.key
               WHERE k.tenant_id = $1 AND k.module_id = ANY ($2) AND (g.unit_id IS NOT NULL OR g.agent_id IS NOT NULL)
                 AND (g.expires_at IS NULL OR g.expires_at > clock_timestamp())
           ), below (module_id, unit_id) AS (
               SELECT module_id, unit_id FROM given WHERE unit_id IS NOT NULL
               UNION
               SELECT b.module_id, u.id FROM below b JOIN units u ON u.tenant_id = $1 AND u.parent_id = b.unit_id
           ), having_it AS (
               SELECT b.module_id, a.id FROM below b
               JOIN agents a ON a.tenant_id = $1 AND a.home_unit_id = b.unit_id AND a.standing = 'active'
               UNION
               SELECT g.module_id, a.id FROM given g
               JOIN agents a ON a.tenant_id = $1 AND a.id = g.agent_id AND a.standing = 'active'
           )
           SELECT module_id AS "module_id!", count(*) AS "count!" FROM having_it GROUP BY module_id"#,
        tenant,
        modules,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.module_id, row.count.unsigned_abs())).collect())
}

/// What calls of modules have cost this month, by the sums of `control::money`: the newest calls are a moment behind.
async fn spend(tx: &mut TenantTx, modules: &[Uuid]) -> Result<HashMap<Uuid, Vec<Money>>, Error> {
    let (tenant, month) = (tx.tenant_uuid(), tx.now().date_naive().with_day(1));
    let mut spent: HashMap<Uuid, Vec<Money>> = HashMap::new();
    for row in sqlx::query!(
        "SELECT subject, currency, amount FROM money_totals
         WHERE tenant_id = $1 AND dimension = 'module' AND grain = 'month' AND since = $2 AND subject = ANY ($3)
         ORDER BY currency",
        tenant,
        month,
        modules,
    )
    .fetch_all(tx.conn())
    .await?
    {
        spent.entry(row.subject).or_default().push(rows::money("spend", row.amount, &row.currency)?);
    }
    Ok(spent)
}

/// What was called of modules, or of one tool, recently: by the sums of `control::money`, and above their mark by the ledger.
pub(super) async fn recent(
    tx: &mut TenantTx,
    modules: &[Uuid],
    tool: Option<Uuid>,
) -> Result<HashMap<Uuid, Recent>, Error> {
    let days = money::Period::days_to(money::day(tx.now()), RECENT);
    let (tenant, since) = (tx.tenant_uuid(), rows::uuid_floor(days.from.and_time(NaiveTime::MIN).and_utc()));
    let called = sqlx::query!(
        r#"SELECT module_id AS "module_id!", sum(calls)::bigint AS "calls!", count(DISTINCT agent_id) AS "agents!",
                  (sum(calls) - sum(permitted))::bigint AS "refused!"
           FROM (
               SELECT l.module_id, l.agent_id, s.calls, s.permitted
               FROM money_sums s JOIN money_lines l ON l.tenant_id = s.tenant_id AND l.id = s.line
               WHERE s.tenant_id = $1 AND s.grain = 'day' AND s.since >= $2
                 AND l.module_id = ANY ($4) AND ($5::uuid IS NULL OR l.tool_id = $5)
               UNION ALL
               SELECT c.module_id, c.agent_id, count(*), count(*) FILTER (WHERE c.verdict = 'permit')
               FROM calls c
               WHERE c.tenant_id = $1 AND c.id >= $3
                 AND c.id >= coalesce((SELECT below FROM money_marks WHERE tenant_id = $1), '00000000-0000-0000-0000-000000000000')
                 AND c.module_id = ANY ($4) AND ($5::uuid IS NULL OR c.tool_id = $5)
               GROUP BY c.module_id, c.agent_id
           ) AS called
           GROUP BY module_id"#,
        tenant,
        days.from,
        since,
        modules,
        tool,
    )
    .fetch_all(tx.conn())
    .await?;
    let mut recent: HashMap<Uuid, Recent> = called
        .into_iter()
        .map(|row| {
            let (calls, agents) = (row.calls.unsigned_abs(), row.agents.unsigned_abs());
            (row.module_id, Recent { calls, agents, refused: row.refused.unsigned_abs(), failed: 0 })
        })
        .collect();
    let failed = sqlx::query!(
        r#"SELECT c.module_id AS "module_id!", count(*) AS "failed!"
           FROM (
               SELECT call_id FROM settlements
               WHERE tenant_id = $1 AND outcome IN ('upstream_error', 'timed_out', 'not_sent') AND call_id >= $2
               ORDER BY call_id DESC LIMIT $3
           ) s
           JOIN calls c ON c.tenant_id = $1 AND c.id = s.call_id AND c.id >= $2
           WHERE c.module_id = ANY ($4) AND ($5::uuid IS NULL OR c.tool_id = $5)
           GROUP BY c.module_id"#,
        tenant,
        since,
        FAILURES,
        modules,
        tool,
    )
    .fetch_all(tx.conn())
    .await?;
    for row in failed {
        recent.entry(row.module_id).or_default().failed = row.failed.unsigned_abs();
    }
    Ok(recent)
}

/// When modules were called last, of the last days.
pub(super) async fn newest(tx: &mut TenantTx, modules: &[Uuid]) -> Result<HashMap<Uuid, Timestamp>, Error> {
    let days = money::Period::days_to(money::day(tx.now()), RECENT);
    let (tenant, since) = (tx.tenant_uuid(), rows::uuid_floor(days.from.and_time(NaiveTime::MIN).and_utc()));
    let rows = sqlx::query!(
        r#"SELECT t.module_id AS "module_id!", uuid_time(max(c.id::text)::uuid) AS "newest!"
           FROM tools t
           CROSS JOIN LATERAL (
               SELECT id FROM calls WHERE tenant_id = $1 AND tool_id = t.id AND id >= $2 ORDER BY id DESC LIMIT 1
           ) c
           WHERE t.tenant_id = $1 AND t.module_id = ANY ($3)
           GROUP BY t.module_id"#,
        tenant,
        since,
        modules,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.module_id, row.newest)).collect())
}
