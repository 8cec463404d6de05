//! What needs somebody: only what the person who looks may act on, each with its age or its end.

use chrono::TimeDelta;
use model::{AgentId, GrantId, Timestamp, UserId};

use super::now::modules;
use crate::activity::Sight;
use crate::authority::{Deed, may};
use crate::tx::TenantTx;
use crate::{Actor, Control, Error};

/// What ends within this time is told.
const SOON: TimeDelta = TimeDelta::days(14);
/// An invitation that nobody has answered for this long is told.
const UNANSWERED: TimeDelta = TimeDelta::days(3);
/// Most of each kind; beyond, only their number is told.
const MOST: i64 = 5;
/// A module fails when at least so many of its calls of the last hour did, and at least half of all that ended.
const FAILURES: u32 = 3;
/// How far back failures are looked for.
const HOUR: TimeDelta = TimeDelta::hours(1);

/// When something began to need somebody, or when it will.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Due {
    /// Since then.
    Since(Timestamp),
    /// It ends then.
    Ends(Timestamp),
}

/// One thing that needs somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Need {
    /// Tools of a module are frozen, because they are not what was approved.
    ToolsDrifted {
        /// The module's name.
        module: String,
        /// What people call it.
        title: String,
        /// The first tool by name.
        tool: String,
        /// How many.
        count: u32,
    },
    /// A module must be connected again: the access that was given to it is over.
    MustConnect {
        /// The module's name.
        module: String,
        /// What people call it.
        title: String,
    },
    /// A module's upstream refuses, breaks off or cannot be reached.
    ModuleFailing {
        /// The module's name.
        module: String,
        /// What people call it.
        title: String,
        /// Calls of the last hour that failed so.
        failed: u32,
        /// Of how many that ended.
        ended: u32,
    },
    /// Tools of a module wait for approval.
    ToolsProposed {
        /// The module's name.
        module: String,
        /// What people call it.
        title: String,
        /// The first tool by name.
        tool: String,
        /// How many.
        count: u32,
    },
    /// A key ends soon, and none follows it.
    KeyEnds {
        /// Whose key.
        agent: AgentId,
        /// The agent's name.
        agent_name: String,
        /// What the key is called.
        key: String,
    },
    /// A grant ends soon.
    GrantEnds {
        /// The grant.
        grant: GrantId,
        /// The permission key.
        key: String,
        /// Who has it until then, in words.
        grantee: String,
    },
    /// An agent goes on while the person who answers for it may not act.
    AgentWithoutOwner {
        /// The agent.
        agent: AgentId,
        /// Its name.
        agent_name: String,
        /// The person.
        owner: UserId,
        /// Their name.
        owner_name: String,
    },
    /// People who were invited have not come yet.
    InvitationsWait {
        /// The address that has waited longest.
        email: String,
        /// How many.
        count: u32,
        /// Of them, those whose link has ended.
        over: u32,
    },
    /// The organization has one owner only.
    OneOwner {
        /// Who.
        owner: UserId,
        /// Their name.
        owner_name: String,
    },
}

/// What needs a person, the most pressing first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Needs {
    /// Each with its age or its end.
    pub all: Vec<(Need, Due)>,
    /// How many more there are than these.
    pub more: u32,
}

impl Needs {
    fn add(&mut self, found: (Vec<(Need, Due)>, u32)) {
        self.all.extend(found.0);
        self.more = self.more.saturating_add(found.1);
    }
}

/// What the actor may do something about.
pub async fn needs(control: &Control, actor: &Actor) -> Result<Needs, Error> {
    let mut tx = actor.read(control).await?;
    tx.bound_time().await?;
    let mut needs = Needs::default();
    if may(actor, Deed::ChangeCatalog) {
        needs.add(tools(&mut tx, "drifted").await?);
        needs.add(unconnected(&mut tx).await?);
        needs.add((failing(&mut tx, &Sight::of(actor)?).await?, 0));
        needs.add(tools(&mut tx, "proposed").await?);
    }
    if may(actor, Deed::ChangeAgents) {
        needs.add(keys(&mut tx).await?);
        needs.add(agents_without_owner(&mut tx).await?);
    }
    if may(actor, Deed::ChangeGrants) {
        needs.add(grants(&mut tx).await?);
    }
    if may(actor, Deed::ChangePeople) {
        needs.add((invitations(&mut tx).await?, 0));
    }
    if may(actor, Deed::ChangeOwners) {
        needs.add((one_owner(&mut tx).await?, 0));
    }
    Ok(needs)
}

/// How many there are beyond those that are told.
fn beyond(all: Option<i64>, told: usize) -> u32 {
    let all = usize::try_from(all.unwrap_or(0)).unwrap_or(usize::MAX);
    u32::try_from(all.saturating_sub(told)).unwrap_or(u32::MAX)
}

/// Modules with tools that are drifted or proposed.
async fn tools(tx: &mut TenantTx, standing: &str) -> Result<(Vec<(Need, Due)>, u32), Error> {
    let tenant = tx.tenant_uuid();
    let rows = sqlx::query!(
        r#"SELECT w.name, w.title, w.tool AS "tool!", w.count AS "count!", w.all_of_them,
                  -- Of drift the record of changes knows the time; the shelf, when the tool was first seen.
                  coalesce(CASE WHEN $2 = 'drifted' THEN (
                      SELECT e.at FROM audit_events e
                      WHERE e.tenant_id = $1 AND e.subject_id = 'mod_' || replace(w.id::text, '-', '')
                        AND e.action = 'module.rediscover' AND e.detail -> 'drifted' ? w.tool
                      ORDER BY e.id DESC LIMIT 1) END, w.discovered_at) AS "since!"
           FROM (SELECT m.id, m.name, m.title, min(t.name) AS tool, count(*) AS count,
                        min(t.discovered_at) AS discovered_at, count(*) OVER () AS all_of_them
                 FROM tools t JOIN modules m ON m.tenant_id = t.tenant_id AND m.id = t.module_id
                 WHERE t.tenant_id = $1 AND t.standing IN ('proposed', 'drifted') AND t.standing = $2
                   AND m.standing = 'live'
                 GROUP BY m.id, m.name, m.title ORDER BY m.name LIMIT $3) AS w
           ORDER BY 6, w.name"#,
        tenant,
        standing,
        MOST,
    )
    .fetch_all(tx.conn())
    .await?;
    let beyond = beyond(rows.first().and_then(|row| row.all_of_them), rows.len());
    let told = rows
        .into_iter()
        .map(|row| {
            let (module, title, tool) = (row.name, row.title, row.tool);
            let count = u32::try_from(row.count).unwrap_or(u32::MAX);
            let need = match standing {
                "drifted" => Need::ToolsDrifted { module, title, tool, count },
                _ => Need::ToolsProposed { module, title, tool, count },
            };
            (need, Due::Since(row.since))
        })
        .collect();
    Ok((told, beyond))
}

/// Modules whose tokens are over and cannot be renewed.
async fn unconnected(tx: &mut TenantTx) -> Result<(Vec<(Need, Due)>, u32), Error> {
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let rows = sqlx::query!(
        r#"SELECT m.name, m.title, coalesce(t.over_at, t.ends_at) AS "since!", count(*) OVER () AS all_of_them
           FROM connection_tokens t
           JOIN connections c ON c.tenant_id = t.tenant_id AND c.id = t.connection_id AND c.revoked_at IS NULL
           JOIN modules m ON m.tenant_id = c.tenant_id AND m.id = c.module_id AND m.standing = 'live'
           WHERE t.tenant_id = $1 AND (t.over IS NOT NULL OR NOT t.renewable AND t.ends_at <= $2)
           ORDER BY 3, m.name LIMIT $3"#,
        tenant,
        now,
        MOST,
    )
    .fetch_all(tx.conn())
    .await?;
    let beyond = beyond(rows.first().and_then(|row| row.all_of_them), rows.len());
    let told = rows
        .into_iter()
        .map(|row| (Need::MustConnect { module: row.name, title: row.title }, Due::Since(row.since)))
        .collect();
    Ok((told, beyond))
}

async fn failing(tx: &mut TenantTx, sight: &Sight) -> Result<Vec<(Need, Due)>, Error> {
    let from = tx.now() - HOUR;
    let told = modules(tx, sight, from).await?.into_iter().filter_map(|hour| {
        let fails = hour.failed >= FAILURES && hour.failed.saturating_mul(2) >= hour.ended;
        let since = hour.failing_since.filter(|_| fails)?;
        let need = Need::ModuleFailing {
            module: hour.name,
            title: hour.title,
            failed: hour.failed,
            ended: hour.ended,
        };
        Some((need, Due::Since(since)))
    });
    Ok(told.collect())
}

/// Keys of active agents that end soon and that no other key follows.
async fn keys(tx: &mut TenantTx) -> Result<(Vec<(Need, Due)>, u32), Error> {
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let rows = sqlx::query!(
        r#"SELECT k.name, k.expires_at AS "ends!", a.id AS agent_id, a.name AS agent_name, count(*) OVER () AS all_of_them
           FROM credentials k JOIN agents a ON a.tenant_id = k.tenant_id AND a.id = k.agent_id AND a.standing = 'active'
           WHERE k.tenant_id = $1 AND k.revoked_at IS NULL AND k.expires_at > $2 AND k.expires_at <= $3
             AND NOT EXISTS (SELECT FROM credentials n WHERE n.tenant_id = k.tenant_id AND n.replaces = k.id
                             AND n.revoked_at IS NULL AND n.agent_id = k.agent_id)
           ORDER BY k.expires_at, k.id LIMIT $4"#,
        tenant,
        now,
        now + SOON,
        MOST,
    )
    .fetch_all(tx.conn())
    .await?;
    let beyond = beyond(rows.first().and_then(|row| row.all_of_them), rows.len());
    let told = rows
        .into_iter()
        .map(|row| {
            let need =
                Need::KeyEnds { agent: row.agent_id.into(), agent_name: row.agent_name, key: row.name };
            (need, Due::Ends(row.ends))
        })
        .collect();
    Ok((told, beyond))
}

/// Active agents with a key whose owner is suspended: their calls are refused until somebody else answers for them.
async fn agents_without_owner(tx: &mut TenantTx) -> Result<(Vec<(Need, Due)>, u32), Error> {
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let rows = sqlx::query!(
        r#"SELECT a.id, a.name, u.id AS owner_id, u.name AS owner_name, count(*) OVER () AS all_of_them,
                  coalesce((SELECT e.at FROM audit_events e
                            WHERE e.tenant_id = $1 AND e.subject_id = 'user_' || replace(u.id::text, '-', '')
                              AND e.action IN ('user.suspend', 'user.remove')
                            ORDER BY e.id DESC LIMIT 1), a.created_at) AS "since!"
           FROM agents a JOIN users u ON u.tenant_id = a.tenant_id AND u.id = a.owner_id AND u.standing = 'suspended'
           WHERE a.tenant_id = $1 AND a.standing = 'active' AND a.retired_at IS NULL
             AND EXISTS (SELECT FROM credentials k WHERE k.tenant_id = a.tenant_id AND k.agent_id = a.id
                         AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $2))
           ORDER BY lower(a.name), a.id LIMIT $3"#,
        tenant,
        now,
        MOST,
    )
    .fetch_all(tx.conn())
    .await?;
    let beyond = beyond(rows.first().and_then(|row| row.all_of_them), rows.len());
    let told = rows
        .into_iter()
        .map(|row| {
            let need = Need::AgentWithoutOwner {
                agent: row.id.into(),
                agent_name: row.name,
                owner: row.owner_id.into(),
                owner_name: row.owner_name,
            };
            (need, Due::Since(row.since))
        })
        .collect();
    Ok((told, beyond))
}

async fn grants(tx: &mut TenantTx) -> Result<(Vec<(Need, Due)>, u32), Error> {
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let rows = sqlx::query!(
        r#"SELECT g.id, g.permission_key, g.expires_at AS "ends!", g.role AS "role?",
                  coalesce(n.name, u.name, a.name) AS "name?", count(*) OVER () AS all_of_them
           FROM grants g
           LEFT JOIN units n ON n.tenant_id = g.tenant_id AND n.id = g.unit_id
           LEFT JOIN users u ON u.tenant_id = g.tenant_id AND u.id = g.user_id
           LEFT JOIN agents a ON a.tenant_id = g.tenant_id AND a.id = g.agent_id
           WHERE g.tenant_id = $1 AND g.expires_at > $2 AND g.expires_at <= $3
           ORDER BY g.expires_at, g.id LIMIT $4"#,
        tenant,
        now,
        now + SOON,
        MOST,
    )
    .fetch_all(tx.conn())
    .await?;
    let beyond = beyond(rows.first().and_then(|row| row.all_of_them), rows.len());
    let told = rows
        .into_iter()
        .map(|row| {
            let grantee = row
                .name
                .or_else(|| row.role.map(|role| format!("role {role}")))
                .unwrap_or_else(|| "(unknown)".to_owned());
            let need = Need::GrantEnds { grant: row.id.into(), key: row.permission_key, grantee };
            (need, Due::Ends(row.ends))
        })
        .collect();
    Ok((told, beyond))
}

/// Who was invited longer than three days ago, or whose link has ended, may need a word.
async fn invitations(tx: &mut TenantTx) -> Result<Vec<(Need, Due)>, Error> {
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let row = sqlx::query!(
        r#"SELECT count(*) AS "count!", count(*) FILTER (WHERE i.expires_at <= $2) AS "over!", min(i.sent_at) AS since,
                  (array_agg(i.email ORDER BY i.sent_at, i.id))[1] AS email
           FROM invitations i
           WHERE i.tenant_id = $1 AND i.accepted_at IS NULL AND i.withdrawn_at IS NULL
             AND (i.sent_at <= $3 OR i.expires_at <= $2)"#,
        tenant,
        now,
        now - UNANSWERED,
    )
    .fetch_one(tx.conn())
    .await?;
    let (Some(since), Some(email)) = (row.since, row.email) else { return Ok(Vec::new()) };
    let count = |rows: i64| u32::try_from(rows).unwrap_or(u32::MAX);
    let need = Need::InvitationsWait { email, count: count(row.count), over: count(row.over) };
    Ok(vec![(need, Due::Since(since))])
}

/// Nobody could help the organization if its only owner were gone. Told once there is somebody else at all.
async fn one_owner(tx: &mut TenantTx) -> Result<Vec<(Need, Due)>, Error> {
    let tenant = tx.tenant_uuid();
    let rows = sqlx::query!(
        r#"SELECT u.id, u.name, r.given_at
           FROM role_assignments r
           JOIN users u ON u.tenant_id = r.tenant_id AND u.id = r.user_id AND u.standing = 'active'
           WHERE r.tenant_id = $1 AND r.role = 'owner' AND r.unit_id IS NULL
             AND EXISTS (SELECT FROM users o WHERE o.tenant_id = $1 AND o.id <> r.user_id AND o.standing = 'active')
           LIMIT 2"#,
        tenant,
    )
    .fetch_all(tx.conn())
    .await?;
    let [only] = rows.as_slice() else { return Ok(Vec::new()) };
    let need = Need::OneOwner { owner: only.id.into(), owner_name: only.name.clone() };
    Ok(vec![(need, Due::Since(only.given_at))])
}
