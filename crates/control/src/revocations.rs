//! Revoke now: everything that an agent, a person or a key may do ends with one commit.
//!
//! What is suspended and revoked goes through the gate in one transaction. Taking the gate waits for admissions in flight
//! and holds back later ones, so the database's time when it was taken is the instant since when nothing more is
//! admitted. What had been admitted before may still be running; it is told by name.

mod store;

use std::collections::BTreeSet;

use model::call::Verdict;
use model::people::Standing;
use model::{AgentId, AuditEventId, CallId, CredentialId, Timestamp, UserId};
use policy::Subject;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::authority::Deed;
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, agents, credentials, directory, users};

/// Most running calls, and most agents, that are told by name.
pub const NAMED: usize = 50;

/// Whose rights end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// An agent: it is suspended and its keys are revoked.
    Agent(AgentId),
    /// A person: they and the agents they own are suspended, and every key of those agents, or with which an agent acts
    /// for them, is revoked.
    Person(UserId),
    /// One key.
    Key(CredentialId),
}

/// What it would mean, in numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Consequence {
    /// Whose rights would end.
    pub target: Target,
    /// Their name.
    pub name: String,
    /// The agent of a key.
    pub agent: Option<(AgentId, String)>,
    /// Whether the agent or person is suspended already.
    pub suspended: bool,
    /// Keys in force that would be revoked.
    pub keys: usize,
    /// Agents that use those keys or are suspended, by name, at most [`NAMED`].
    pub agents: Vec<(AgentId, String)>,
    /// How many there are.
    pub agent_count: usize,
    /// The units that those agents sit in, by name.
    pub units: Vec<String>,
    /// Tools that can be called by these keys at this moment.
    pub tools: usize,
    /// Calls that are running by these keys at this moment.
    pub running: Running,
}

/// Calls that were admitted and have not ended, newest first; at most [`NAMED`] of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Running {
    /// The calls.
    pub calls: Vec<RunningCall>,
    /// Whether there are more.
    pub more: bool,
}

/// A call that was admitted and has not ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunningCall {
    /// The call.
    pub call: CallId,
    /// Its agent.
    pub agent: AgentId,
    /// The agent's name.
    pub agent_name: String,
    /// The tool, as it was asked for.
    pub tool_name: String,
    /// When it was admitted, by the database's clock.
    pub admitted_at: Timestamp,
}

/// What was done, and what is left of what had begun before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revocation {
    /// Under what it is on record.
    pub event: AuditEventId,
    /// Whose rights ended.
    pub target: Target,
    /// Their name at the time.
    pub name: String,
    /// The agent of a key.
    pub agent: Option<(AgentId, String)>,
    /// Who did it.
    pub by: String,
    /// Since when nothing more was admitted, by the database's clock.
    pub since: Timestamp,
    /// The number of the epoch that began with it.
    pub epoch: i64,
    /// How many keys were revoked.
    pub keys: usize,
    /// How many agents were suspended.
    pub agents: usize,
    /// Calls that were admitted before and are still running.
    pub running: Running,
}

/// What is kept of a revocation in the record of changes.
#[derive(Serialize, Deserialize)]
struct Kept {
    since: Timestamp,
    epoch: i64,
    agent: Option<(AgentId, String)>,
    /// Agents that were suspended.
    suspended: Vec<AgentId>,
    /// All whose calls are concerned.
    agents: Vec<AgentId>,
    keys: Vec<CredentialId>,
}

/// Whom and what a revocation takes.
struct Reach {
    name: String,
    agent: Option<(AgentId, String)>,
    standing: Standing,
    /// Agents that are to be suspended.
    own: Vec<AgentId>,
    /// Keys in force that are to be revoked.
    keys: Vec<store::Key>,
}

impl Reach {
    /// All agents that are concerned: those to be suspended, and those whose keys go.
    fn agents(&self) -> Vec<AgentId> {
        let all: BTreeSet<_> =
            self.own.iter().copied().chain(self.keys.iter().map(|key| key.agent)).collect();
        all.into_iter().collect()
    }

    fn key_ids(&self) -> Vec<CredentialId> {
        self.keys.iter().map(|key| key.id).collect()
    }
}

async fn reach(tx: &mut TenantTx, target: Target) -> Result<Reach, Error> {
    Ok(match target {
        Target::Agent(id) => {
            let agent = agents::one(tx, id).await?;
            let keys = store::keys(tx, &[id], None).await?;
            Reach { name: agent.name, agent: None, standing: agent.standing, own: vec![id], keys }
        }
        Target::Person(id) => {
            let person = users::one(tx, id).await?;
            let own = store::agents_of(tx, id).await?;
            let keys = store::keys(tx, &own, Some(id)).await?;
            Reach { name: person.name, agent: None, standing: person.standing, own, keys }
        }
        Target::Key(id) => {
            let line = credentials::one(tx, id).await?;
            let agent = line.view.agent;
            let keys =
                store::keys(tx, &[agent], None).await?.into_iter().filter(|key| key.id == id).collect();
            let name = format!("{} ({}…)", line.view.name, line.view.prefix);
            let standing = if line.revoked_at.is_some() { Standing::Suspended } else { Standing::Active };
            Reach { name, agent: Some((agent, line.agent_name)), standing, own: Vec::new(), keys }
        }
    })
}

fn deeds(target: Target) -> (Deed, &'static str) {
    match target {
        Target::Agent(_) => (Deed::ChangeAgents, "such agent"),
        Target::Key(_) => (Deed::ChangeAgents, "such key"),
        Target::Person(_) => (Deed::ChangePeople, "such person"),
    }
}

/// What a revocation would mean, before it is done. For whoever may do it.
pub async fn consequence(control: &Control, actor: &Actor, target: Target) -> Result<Consequence, Error> {
    let mut tx = actor.read(control).await?;
    let (deed, what) = deeds(target);
    tx.authorize(deed, what)?;
    tx.authorize(Deed::ChangeAgents, what)?;
    let reach = reach(&mut tx, target).await?;
    let (agents, keys) = (reach.agents(), reach.key_ids());
    let (named, units) = store::named(&mut tx, &agents).await?;
    let running = store::running(&mut tx, &agents, &reach.own, &keys, None).await?;
    drop(tx);

    let directory = directory::present(control, actor.tenant()).await?;
    let now = control.ambient().now();
    let subjects: BTreeSet<_> = reach.keys.iter().map(|key| (key.agent, key.on_behalf_of)).collect();
    let mut tools = BTreeSet::new();
    for (agent, person) in subjects {
        let subject = match person {
            Some(person) => Subject::OnBehalf(agent, person),
            None => Subject::Agent(agent),
        };
        let access =
            directory.access_of(subject, now).map_err(|error| Error::inconsistent("the set-up", error))?;
        let callable = access.iter().flat_map(|access| access.tools());
        tools.extend(callable.filter(|(_, verdict)| *verdict != Verdict::Deny).map(|(tool, _)| tool.id));
    }
    Ok(Consequence {
        target,
        name: reach.name,
        agent: reach.agent,
        suspended: reach.standing == Standing::Suspended,
        keys: keys.len(),
        agent_count: agents.len(),
        agents: named.into_iter().take(NAMED).collect(),
        units,
        tools: tools.len(),
        running,
    })
}

/// Ends everything that an agent, a person or a key may do. When it has returned, no call of theirs is admitted, on any
/// node. Returns under what it is on record; see [`story`].
///
/// # Errors
/// `nothing_to_do` when there was nothing left to end; `last_owner` for the only active owner.
pub async fn revoke_now(control: &Control, actor: &Actor, target: Target) -> Result<AuditEventId, Error> {
    let (deed, what) = deeds(target);
    let mut tx = actor.change(control, deed, what).await?;
    tx.authorize(Deed::ChangeAgents, what)?;
    let (epoch, since) = store::gate(&mut tx).await?;
    let reach = reach(&mut tx, target).await?;
    let mut changed = false;
    if let Target::Person(user) = target {
        changed = users::stop(&mut tx, user).await?.1;
    }
    let suspended = store::suspend(&mut tx, &reach.own).await?;
    let keys = store::revoke(&mut tx, &reach.key_ids()).await?;
    if !changed && suspended.is_empty() && keys.is_empty() {
        let name = &reach.name;
        return Err(Error::refused("nothing_to_do", format!("“{name}” may do nothing already")));
    }
    let (action, kind, id) = match target {
        Target::Agent(id) => ("agent.revoke_now", "agent", id.to_string()),
        Target::Person(id) => ("user.revoke_now", "user", id.to_string()),
        Target::Key(id) => ("credential.revoke_now", "credential", id.to_string()),
    };
    let kept = Kept { since, epoch, agents: reach.agents(), agent: reach.agent, suspended, keys };
    let event = tx.id();
    tx.audit_as(event, action, kind, id, &reach.name, json!(kept)).await?;
    tx.commit().await?;
    Ok(event)
}

/// What was done, and which calls that were admitted before are still running. For whoever may do it.
pub async fn story(control: &Control, actor: &Actor, event: AuditEventId) -> Result<Revocation, Error> {
    let mut tx = actor.read(control).await?;
    tx.authorize(Deed::ChangeAgents, "such revocation")?;
    let (action, subject, name, by, detail) =
        store::event(&mut tx, event).await?.ok_or_else(|| Error::not_found("such revocation"))?;
    let wrong = |error| Error::inconsistent("a revocation on record", error);
    let target = match action.as_str() {
        "agent.revoke_now" => Target::Agent(subject.parse().map_err(wrong)?),
        "user.revoke_now" => Target::Person(subject.parse().map_err(wrong)?),
        "credential.revoke_now" => Target::Key(subject.parse().map_err(wrong)?),
        _ => return Err(Error::not_found("such revocation")),
    };
    let kept: Kept = serde_json::from_value(detail)
        .map_err(|error| Error::inconsistent("a revocation on record", error))?;
    let running =
        store::running(&mut tx, &kept.agents, &own(target, &kept), &kept.keys, Some(kept.since)).await?;
    Ok(Revocation {
        event,
        target,
        name,
        agent: kept.agent,
        by,
        since: kept.since,
        epoch: kept.epoch,
        keys: kept.keys.len(),
        agents: kept.suspended.len(),
        running,
    })
}

/// Agents of which every call is concerned, by whatever key.
fn own(target: Target, kept: &Kept) -> Vec<AgentId> {
    match target {
        Target::Agent(agent) => vec![agent],
        Target::Person(_) => kept.suspended.clone(),
        Target::Key(_) => Vec::new(),
    }
}
