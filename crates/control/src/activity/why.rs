//! Why a call was decided as it was, and what would change it: the grant that is missing or that carries it, the thing
//! that stands in the way, and who can do something about it.

use model::access::{Grantee, PermissionKey};
use model::call::{Reason, ReasonCode, Verdict};
use model::catalog::{ModuleStanding, ToolStanding};
use model::people::Standing;
use model::{AgentId, CallId, Timestamp, UnitId, UserId};

use super::{Sight, store};
use crate::authority::{Deed, may};
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, rows};

/// Most people that are named as able to change something.
const NAMED: i64 = 3;
/// Most grants that are named as carrying a call.
const SOURCES: i64 = 5;

/// What is behind a decision, as things stand now.
#[derive(Clone, PartialEq, Debug)]
pub struct Why {
    /// The agent.
    pub agent: (AgentId, String),
    /// The person who answers for it.
    pub owner: (UserId, String),
    /// The person on whose behalf it called.
    pub on_behalf_of: Option<(UserId, String)>,
    /// The module's name and title, when it was known.
    pub module: Option<(String, String)>,
    /// The tool's name inside its module, when it was known.
    pub tool: Option<String>,
    /// What would change the decision.
    pub change: Change,
    /// Whether that has come about since.
    pub changed_since: bool,
    /// Whether the reader may do it.
    pub may: bool,
    /// Who may, by name, at most three; empty where the reader may.
    pub who_may: Vec<(UserId, String)>,
    /// Grants that carry the call as things stand, for those who may see grants.
    pub sources: Vec<Source>,
}

/// A grant that gives agent or person the key.
#[derive(Clone, PartialEq, Debug)]
pub struct Source {
    /// The key that was granted: the tool's, or its module's.
    pub key: PermissionKey,
    /// To what.
    pub grantee: Grantee,
    /// Its name.
    pub name: String,
    /// Who gave it.
    pub given_by: String,
    /// Until when.
    pub until: Option<Timestamp>,
}

/// What would change a decision.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// The key, given to the agent.
    GiveAgent(PermissionKey),
    /// The key, given to the person on whose behalf it acts.
    GivePerson(PermissionKey),
    /// Taking the key away from all that carry it, which [`Why::sources`] names.
    TakeAway(PermissionKey),
    /// The agent, allowed to act again.
    ResumeAgent,
    /// The person, allowed to act again, or another owner.
    ResumePerson(UserId, String),
    /// A key with a later end or other addresses.
    NewKey,
    /// The tool, looked at and approved.
    ReviewTool,
    /// The module, switched on.
    SwitchOn,
    /// Another name: there is no such tool for the agent.
    Name,
    /// Other arguments.
    Arguments,
    /// A wider limit, or a later time.
    Limit,
    /// The organization, let go on by whoever runs the installation.
    Operator,
    /// The policies, which are nobody's to change here.
    Policies,
}

struct Told {
    verdict: Verdict,
    reason: Option<Reason>,
    agent: (AgentId, String),
    agent_standing: Standing,
    owner: (UserId, String),
    owner_standing: Standing,
    on_behalf_of: Option<(UserId, String)>,
    on_behalf_standing: Option<Standing>,
    module: Option<(String, String)>,
    module_standing: Option<ModuleStanding>,
    tool: Option<String>,
    tool_standing: Option<ToolStanding>,
    key: Option<PermissionKey>,
}

/// What is behind the decision of a call that the actor may see. None: there is no such call, or not for this actor.
pub async fn why(control: &Control, actor: &Actor, call: CallId) -> Result<Option<Why>, Error> {
    let sight = Sight::of(actor)?;
    let mut tx = actor.read(control).await?;
    tx.bound_time().await?;
    if !store::visible(&mut tx, &sight, call).await? {
        return Ok(None);
    }
    let told = told(&mut tx, call).await?;
    let change = change(&told);
    let (deed, key, person) = match &change {
        Change::GiveAgent(key) | Change::TakeAway(key) => (Some(Deed::ChangeGrants), Some(key.clone()), None),
        Change::GivePerson(key) => (
            Some(Deed::ChangeGrants),
            Some(key.clone()),
            told.on_behalf_of.as_ref().map(|(person, _)| *person),
        ),
        Change::ResumeAgent | Change::NewKey => (Some(Deed::ChangeAgents), None, None),
        Change::ResumePerson(..) => (Some(Deed::ChangePeople), None, None),
        Change::ReviewTool | Change::SwitchOn => (Some(Deed::ChangeCatalog), None, None),
        Change::Limit => (Some(Deed::ChangeLimits), None, None),
        Change::Name | Change::Arguments | Change::Operator | Change::Policies => (None, None, None),
    };
    let sources = match (&key, person) {
        (Some(key), Some(person)) => of_person(&mut tx, key, person).await?,
        (Some(key), None) => of_agent(&mut tx, key, told.agent.0).await?,
        (None, _) => Vec::new(),
    };
    let changed_since = match &change {
        Change::GiveAgent(_) | Change::GivePerson(_) => !sources.is_empty(),
        Change::TakeAway(_) => sources.is_empty(),
        Change::ResumeAgent => told.agent_standing == Standing::Active,
        Change::ResumePerson(user, _) => {
            let standing =
                if *user == told.owner.0 { Some(told.owner_standing) } else { told.on_behalf_standing };
            standing == Some(Standing::Active)
        }
        Change::ReviewTool => told.tool_standing == Some(ToolStanding::Approved),
        Change::SwitchOn => told.module_standing == Some(ModuleStanding::Live),
        _ => false,
    };
    let may_change = deed.is_some_and(|deed| may(actor, deed));
    let who_may = if deed.is_some() && !may_change { admins(&mut tx).await? } else { Vec::new() };
    let sources = if may(actor, Deed::ReadGrants) { sources } else { Vec::new() };
    Ok(Some(Why {
        agent: told.agent,
        owner: told.owner,
        on_behalf_of: told.on_behalf_of,
        module: told.module,
        tool: told.tool,
        change,
        changed_since,
        may: may_change,
        who_may,
        sources,
    }))
}

fn change(told: &Told) -> Change {
    let Some(reason) = told.reason.as_ref().filter(|_| told.verdict == Verdict::Deny) else {
        return told.key.clone().map_or(Change::Policies, Change::TakeAway);
    };
    let key = reason.missing_key.clone().or_else(|| told.key.clone());
    match (reason.code, key) {
        (ReasonCode::MissingKey, Some(key)) => Change::GiveAgent(key),
        (ReasonCode::OnBehalfMissingKey, Some(key)) => Change::GivePerson(key),
        (ReasonCode::AgentSuspended, _) => Change::ResumeAgent,
        (ReasonCode::UserSuspended, _) => match &told.on_behalf_of {
            Some((id, name)) if told.owner_standing == Standing::Active => {
                Change::ResumePerson(*id, name.clone())
            }
            _ => Change::ResumePerson(told.owner.0, told.owner.1.clone()),
        },
        (ReasonCode::CredentialExpired | ReasonCode::CredentialAddress, _) => Change::NewKey,
        (ReasonCode::ToolDrifted, _) => Change::ReviewTool,
        (ReasonCode::ToolUnavailable, _) => match told.module_standing {
            Some(ModuleStanding::Off) => Change::SwitchOn,
            _ => Change::ReviewTool,
        },
        (ReasonCode::UnknownTool, _) => Change::Name,
        (ReasonCode::InvalidArguments, _) => Change::Arguments,
        (ReasonCode::LimitReached, _) => Change::Limit,
        (ReasonCode::TenantSuspended, _) => Change::Operator,
        _ => Change::Policies,
    }
}

async fn told(tx: &mut TenantTx, call: CallId) -> Result<Told, Error> {
    let tenant = tx.tenant_uuid();
    let row = sqlx::query!(
        r#"SELECT c.verdict, c.reason, c.agent_id, c.owner_id, c.on_behalf_of,
                  a.name AS "agent_name?", a.standing AS "agent_standing?",
                  o.name AS "owner_name?", o.standing AS "owner_standing?",
                  b.name AS "on_behalf_name?", b.standing AS "on_behalf_standing?",
                  m.name AS "module_name?", m.title AS "module_title?", m.standing AS "module_standing?",
                  t.name AS "tool_name?", t.standing AS "tool_standing?", t.permission_key AS "key?"
           FROM calls c
           LEFT JOIN agents a ON a.tenant_id = c.tenant_id AND a.id = c.agent_id
           LEFT JOIN users o ON o.tenant_id = c.tenant_id AND o.id = c.owner_id
           LEFT JOIN users b ON b.tenant_id = c.tenant_id AND b.id = c.on_behalf_of
           LEFT JOIN modules m ON m.tenant_id = c.tenant_id AND m.id = c.module_id
           LEFT JOIN tools t ON t.tenant_id = c.tenant_id AND t.id = c.tool_id
           WHERE c.tenant_id = $1 AND c.id = $2"#,
        tenant,
        call.uuid(),
    )
    .fetch_one(tx.conn())
    .await?;
    let standing =
        |what, word: Option<String>| word.map(|word| rows::word::<Standing>(what, &word)).transpose();
    Ok(Told {
        verdict: rows::word("call", &row.verdict)?,
        reason: row.reason.map(store::reason).transpose()?,
        agent: (row.agent_id.into(), store::name(row.agent_name)),
        agent_standing: standing("agent", row.agent_standing)?.unwrap_or(Standing::Suspended),
        owner: (row.owner_id.into(), store::name(row.owner_name)),
        owner_standing: standing("user", row.owner_standing)?.unwrap_or(Standing::Suspended),
        on_behalf_of: row.on_behalf_of.map(|id| (id.into(), store::name(row.on_behalf_name))),
        on_behalf_standing: standing("user", row.on_behalf_standing)?,
        module: row.module_name.zip(row.module_title),
        module_standing: row.module_standing.map(|word| rows::word("module", &word)).transpose()?,
        tool: row.tool_name,
        tool_standing: row.tool_standing.map(|word| rows::word("tool", &word)).transpose()?,
        key: row.key.map(|key| rows::word("tool", &key)).transpose()?,
    })
}

/// Grants that give an agent a key: to it, to its unit, or to a unit above.
async fn of_agent(tx: &mut TenantTx, key: &PermissionKey, agent: AgentId) -> Result<Vec<Source>, Error> {
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    sqlx::query!(
        r#"WITH RECURSIVE above (id, parent_id) AS (
               SELECT n.id, n.parent_id FROM agents a JOIN units n ON n.tenant_id = a.tenant_id AND n.id = a.home_unit_id
               WHERE a.tenant_id = $1 AND a.id = $2
               UNION
               SELECT n.id, n.parent_id FROM units n JOIN above ON n.id = above.parent_id WHERE n.tenant_id = $1
           )
           SELECT g.permission_key, g.unit_id, g.role, g.user_id, g.agent_id, g.given_by, g.expires_at,
                  coalesce(n.name, a.name) AS "name?"
           FROM grants g
           LEFT JOIN units n ON n.tenant_id = g.tenant_id AND n.id = g.unit_id
           LEFT JOIN agents a ON a.tenant_id = g.tenant_id AND a.id = g.agent_id
           WHERE g.tenant_id = $1 AND g.permission_key IN ($3, $4) AND (g.expires_at IS NULL OR g.expires_at > $5)
             AND (g.agent_id = $2 OR g.unit_id IN (SELECT id FROM above))
           ORDER BY g.given_at, g.id LIMIT $6"#,
        tenant,
        agent.uuid(),
        key.as_str(),
        key.module(),
        now,
        SOURCES,
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        source(
            &row.permission_key,
            rows::grantee(row.unit_id, row.role.as_deref(), row.user_id, row.agent_id)?,
            row.name,
            row.given_by,
            row.expires_at,
        )
    })
    .collect()
}

/// Grants that give a person a key: to them, to a role they hold everywhere, to one of their units, or to a unit above.
async fn of_person(tx: &mut TenantTx, key: &PermissionKey, person: UserId) -> Result<Vec<Source>, Error> {
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    sqlx::query!(
        r#"WITH RECURSIVE above (id, parent_id) AS (
               SELECT n.id, n.parent_id FROM units n
               WHERE n.tenant_id = $1 AND n.id IN (
                   SELECT u.home_unit_id FROM users u WHERE u.tenant_id = $1 AND u.id = $2
                   UNION ALL
                   SELECT m.unit_id FROM memberships m WHERE m.tenant_id = $1 AND m.user_id = $2)
               UNION
               SELECT n.id, n.parent_id FROM units n JOIN above ON n.id = above.parent_id WHERE n.tenant_id = $1
           )
           SELECT g.permission_key, g.unit_id, g.role, g.user_id, g.agent_id, g.given_by, g.expires_at,
                  coalesce(n.name, u.name) AS "name?"
           FROM grants g
           LEFT JOIN units n ON n.tenant_id = g.tenant_id AND n.id = g.unit_id
           LEFT JOIN users u ON u.tenant_id = g.tenant_id AND u.id = g.user_id
           WHERE g.tenant_id = $1 AND g.permission_key IN ($3, $4) AND (g.expires_at IS NULL OR g.expires_at > $5)
             AND (g.user_id = $2 OR g.unit_id IN (SELECT id FROM above) OR g.role IN (
                 SELECT r.role FROM role_assignments r WHERE r.tenant_id = $1 AND r.user_id = $2 AND r.unit_id IS NULL))
           ORDER BY g.given_at, g.id LIMIT $6"#,
        tenant,
        person.uuid(),
        key.as_str(),
        key.module(),
        now,
        SOURCES,
    )
    .fetch_all(tx.conn())
    .await?
    .into_iter()
    .map(|row| {
        source(
            &row.permission_key,
            rows::grantee(row.unit_id, row.role.as_deref(), row.user_id, row.agent_id)?,
            row.name,
            row.given_by,
            row.expires_at,
        )
    })
    .collect()
}

fn source(
    key: &str,
    grantee: Grantee,
    name: Option<String>,
    given_by: String,
    until: Option<Timestamp>,
) -> Result<Source, Error> {
    let name = match grantee {
        Grantee::Role(role) => role.to_string(),
        _ => store::name(name),
    };
    Ok(Source { key: rows::word("grant", key)?, grantee, name, given_by, until })
}

/// Who may change rights, people, agents and the catalog: admins first, since owners are asked last.
async fn admins(tx: &mut TenantTx) -> Result<Vec<(UserId, String)>, Error> {
    let tenant = tx.tenant_uuid();
    let rows = sqlx::query!(
        "SELECT u.id, u.name FROM role_assignments r
         JOIN users u ON u.tenant_id = r.tenant_id AND u.id = r.user_id AND u.standing = 'active'
         WHERE r.tenant_id = $1 AND r.unit_id IS NULL AND r.role IN ('owner', 'admin')
         GROUP BY u.id, u.name ORDER BY min(r.role), lower(u.name), u.id LIMIT $2",
        tenant,
        NAMED,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(rows.into_iter().map(|row| (row.id.into(), row.name)).collect())
}

impl Source {
    /// The unit that it was given to, where it is one.
    pub fn unit(&self) -> Option<UnitId> {
        match self.grantee {
            Grantee::Unit(unit) => Some(unit),
            _ => None,
        }
    }
}
