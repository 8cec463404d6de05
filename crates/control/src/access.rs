//! Effective access: what an agent or a person may have done, by which grants, given by whom; and why not the rest.
//!
//! Policy says it, on the snapshot that calls are decided on; here it is authorized, searched and told page by page.

use std::collections::HashMap;

use model::access::PermissionKey;
use model::call::{Reason, Verdict};
use model::{AgentId, CredentialId, GrantId, Money, Timestamp, UserId};

pub use policy::{Holder, Source, Subject};

use crate::authority::{self, Deed};
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, agents, directory};

/// Tools on one page.
pub const PAGE: usize = 50;

/// Which tools are wanted; each that is given narrows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    /// Whose full name or key contains this; case does not matter.
    pub text: Option<String>,
    /// Of which this is said.
    pub verdict: Option<Verdict>,
    /// Which page of them, from 0.
    pub page: usize,
}

/// Somebody's access, a page of it.
#[derive(Clone, PartialEq, Debug)]
pub struct Shown {
    /// Whose.
    pub subject: Subject,
    /// Tools that may be called, those that need an approval, and those that may not: of all tools there are.
    pub counts: [usize; 3],
    /// How many tools match.
    pub matching: usize,
    /// Which page of them this is, from 0.
    pub page: usize,
    /// How many pages there are; at least one.
    pub pages: usize,
    /// The tools of this page, by full name.
    pub tools: Vec<Line>,
}

/// What is said of one tool.
#[derive(Clone, PartialEq, Debug)]
pub struct Line {
    /// The module's name, with which its page is found.
    pub module: String,
    /// The module's title.
    pub module_title: String,
    /// The tool's name in its module.
    pub name: String,
    /// `module.tool`.
    pub full_name: String,
    /// The key one needs.
    pub key: PermissionKey,
    /// What a call costs.
    pub price: Money,
    /// Permitted, held or denied.
    pub verdict: Verdict,
    /// Why, unless permitted: the words in which a call is denied.
    pub reason: Option<Reason>,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// The grants that reach the subject, nearest first.
    pub ways: Vec<Way>,
}

/// One grant that reaches somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Way {
    /// The grant.
    pub grant: GrantId,
    /// What it gives.
    pub key: PermissionKey,
    /// Whom of agent and person it reaches.
    pub holder: Holder,
    /// By which way.
    pub source: Source,
    /// Until when.
    pub until: Option<Timestamp>,
    /// Who gave it, and when; none when it has been revoked a moment ago.
    pub given: Option<(String, Timestamp)>,
}

/// What may be asked about one agent: itself, and each person that it acts for with a key in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Faces {
    /// Whether a key in force lets it act for itself.
    pub itself: bool,
    /// The people, with the keys' ids.
    pub people: Vec<(UserId, String, Vec<CredentialId>)>,
}

/// Somebody's access. Who may see grants may ask about everybody; others about themselves and the agents they own.
///
/// # Errors
/// When there is nobody of that id, or they are not the actor's to ask about.
pub async fn of(control: &Control, actor: &Actor, subject: Subject, wanted: &Wanted) -> Result<Shown, Error> {
    let mut tx = actor.read(control).await?;
    may_ask(&mut tx, subject).await?;
    let directory = directory::present(control, actor.tenant()).await?;
    let now = control.ambient().now();
    let access = directory
        .access_of(subject, now)
        .map_err(|error| Error::inconsistent("the set-up", error))?
        .ok_or_else(|| Error::not_found("such agent or person"))?;

    let text = wanted.text.as_deref().map(str::to_lowercase);
    // What they may use, people see; what else there is, only those who may see the catalog.
    let all = authority::may(actor, Deed::ReadCatalog);
    let mut counts = [0; 3];
    let mut matching = Vec::new();
    for (tool, verdict) in access.tools().filter(|(_, verdict)| all || *verdict != Verdict::Deny) {
        let place = match verdict {
            Verdict::Permit => 0,
            Verdict::Hold => 1,
            Verdict::Deny => 2,
        };
        if let Some(count) = counts.get_mut(place) {
            *count += 1;
        }
        let contains =
            |text: &String| tool.full_name.to_lowercase().contains(text) || tool.key.as_str().contains(text);
        if wanted.verdict.is_none_or(|it| it == verdict) && text.as_ref().is_none_or(contains) {
            matching.push(tool);
        }
    }
    let pages = matching.len().div_ceil(PAGE).max(1);
    let page = wanted.page.min(pages - 1);
    let tools: Vec<Line> = matching
        .iter()
        .skip(page * PAGE)
        .take(PAGE)
        .filter_map(|tool| {
            let said = access.said_of(&tool.full_name)?;
            Some(Line {
                module: tool.module_name.to_string(),
                module_title: tool.module_title.to_string(),
                name: tool.name.to_string(),
                full_name: tool.full_name.to_string(),
                key: tool.key.clone(),
                price: tool.price,
                verdict: said.verdict,
                reason: said.reason,
                until: said.until,
                ways: said.rights.into_iter().map(Way::of).collect(),
            })
        })
        .collect();
    let mut shown = Shown { subject, counts, matching: matching.len(), page, pages, tools };
    drop(access);
    givers(&mut tx, shown.tools.iter_mut().flat_map(|line| &mut line.ways).collect()).await?;
    Ok(shown)
}

/// Every grant that reaches somebody, whether there is a tool for it or not. For the same people as [`of`].
pub async fn rights(control: &Control, actor: &Actor, subject: Subject) -> Result<Vec<Way>, Error> {
    let mut tx = actor.read(control).await?;
    may_ask(&mut tx, subject).await?;
    let directory = directory::present(control, actor.tenant()).await?;
    let mut ways: Vec<Way> = directory
        .access_of(subject, control.ambient().now())
        .map_err(|error| Error::inconsistent("the set-up", error))?
        .ok_or_else(|| Error::not_found("such agent or person"))?
        .rights()
        .into_iter()
        .map(Way::of)
        .collect();
    givers(&mut tx, ways.iter_mut().collect()).await?;
    Ok(ways)
}

/// For whom an agent acts with its keys in force. For the same people as [`of`].
pub async fn faces(control: &Control, actor: &Actor, agent: AgentId) -> Result<Faces, Error> {
    let mut tx = actor.read(control).await?;
    may_ask(&mut tx, Subject::Agent(agent)).await?;
    agents::one(&mut tx, agent).await?;
    let (tenant, now) = (tx.tenant_uuid(), tx.now());
    let rows = sqlx::query!(
        r#"SELECT c.on_behalf_of, u.name AS "name?", array_agg(c.id) AS "keys!"
           FROM credentials c
           LEFT JOIN users u ON u.tenant_id = c.tenant_id AND u.id = c.on_behalf_of
           WHERE c.tenant_id = $1 AND c.agent_id = $2 AND c.revoked_at IS NULL
             AND (c.expires_at IS NULL OR c.expires_at > $3)
           GROUP BY c.on_behalf_of, u.name ORDER BY lower(u.name), c.on_behalf_of"#,
        tenant,
        agent.uuid(),
        now,
    )
    .fetch_all(tx.conn())
    .await?;
    Ok(Faces {
        itself: rows.iter().any(|row| row.on_behalf_of.is_none()),
        people: rows
            .into_iter()
            .filter_map(|row| {
                let keys = row.keys.into_iter().map(Into::into).collect();
                Some((row.on_behalf_of?.into(), row.name.unwrap_or_default(), keys))
            })
            .collect(),
    })
}

/// Whether the actor may ask about somebody: what everybody has is for those who may see grants; what one has oneself,
/// and what one's own agents have, is for anybody.
async fn may_ask(tx: &mut TenantTx, subject: Subject) -> Result<(), Error> {
    if authority::may(tx.actor(), Deed::ReadGrants) {
        return Ok(());
    }
    let Some(me) = tx.actor().user_id() else { return Err(Error::not_found("such agent or person")) };
    let mine = match subject {
        Subject::Person(user) => user == me,
        Subject::Agent(agent) | Subject::OnBehalf(agent, _) => {
            let tenant = tx.tenant_uuid();
            sqlx::query_scalar!(
                r#"SELECT EXISTS (SELECT FROM agents
                   WHERE tenant_id = $1 AND id = $2 AND owner_id = $3 AND retired_at IS NULL) AS "is!""#,
                tenant,
                agent.uuid(),
                me.uuid(),
            )
            .fetch_one(tx.conn())
            .await?
        }
    };
    if mine { Ok(()) } else { Err(Error::not_found("such agent or person")) }
}

impl Way {
    /// Without who gave it, which policy does not know.
    fn of(right: policy::Right) -> Self {
        let policy::Right { grant, key, holder, source, until } = right;
        Self { grant, key, holder, source, until, given: None }
    }
}

/// Fills in who gave the grants, and when.
async fn givers(tx: &mut TenantTx, ways: Vec<&mut Way>) -> Result<(), Error> {
    let tenant = tx.tenant_uuid();
    let ids: Vec<_> = ways.iter().map(|way| way.grant.uuid()).collect();
    let rows = sqlx::query!(
        "SELECT id, given_by, given_at FROM grants WHERE tenant_id = $1 AND id = ANY ($2)",
        tenant,
        &ids,
    )
    .fetch_all(tx.conn())
    .await?;
    let given: HashMap<_, _> = rows.into_iter().map(|row| (row.id, (row.given_by, row.given_at))).collect();
    for way in ways {
        way.given = given.get(&way.grant.uuid()).cloned();
    }
    Ok(())
}
