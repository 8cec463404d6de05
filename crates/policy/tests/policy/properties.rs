//! What must hold in every tenant, tried on random ones against an oracle that walks the facts naively.

// Tests may panic; clippy knows that only of functions marked as tests.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::sketch::{any_index, sketch, whoever};
use crate::world::{at, hash};
use model::access::Grantee;
use model::call::Verdict;
use model::catalog::{Feature, ModuleStanding, ToolStanding};
use model::people::Standing;
use model::{GrantId, Timestamp, UnitId, UserId};
use policy::{AgentFact, CredentialFact, Decision, Directory, Facts, GrantFact, Holder, Subject, ToolFact};
use proptest::prelude::*;

fn is_in(facts: &Facts, mut unit: UnitId, wanted: UnitId) -> bool {
    loop {
        if unit == wanted {
            return true;
        }
        match facts.units.iter().find(|fact| fact.id == unit).unwrap().parent {
            Some(parent) => unit = parent,
            None => return false,
        }
    }
}

/// Whether a grant reaches an agent, or the person it acts for.
fn reaches(facts: &Facts, grant: &GrantFact, agent: Option<&AgentFact>, person: Option<UserId>) -> bool {
    let person = person.map(|id| facts.users.iter().find(|user| user.id == id).unwrap());
    match grant.grantee {
        Grantee::Agent(id) => agent.is_some_and(|agent| agent.id == id),
        Grantee::User(id) => person.is_some_and(|user| user.id == id),
        Grantee::Role(role) => person.is_some_and(|user| user.roles.contains(&role)),
        Grantee::Unit(unit) => {
            agent.is_some_and(|agent| is_in(facts, agent.home_unit, unit))
                || person.is_some_and(|user| {
                    is_in(facts, user.home_unit, unit)
                        || user.units.iter().any(|own| is_in(facts, *own, unit))
                })
        }
    }
}

/// The latest end among the grants that reach; the outer none: there is no such grant at `now`.
fn held(
    facts: &Facts,
    tool: &ToolFact,
    agent: Option<&AgentFact>,
    person: Option<UserId>,
    now: Timestamp,
) -> Option<Option<Timestamp>> {
    let mut ends = facts
        .grants
        .iter()
        .filter(|grant| grant.key.covers(&tool.key) && reaches(facts, grant, agent, person))
        .map(|grant| grant.expires_at)
        .filter(|end| end.is_none_or(|end| end > now));
    let first = ends.next()?;
    Some(ends.fold(first, |a, b| Some(a?.max(b?))))
}

fn active(facts: &Facts, person: UserId) -> bool {
    facts.users.iter().any(|user| user.id == person && user.standing == Standing::Active)
}

/// Whether a credential's holder may call a tool at `now`, and until when; straight from the facts.
fn oracle(
    facts: &Facts,
    holder: &CredentialFact,
    tool: &ToolFact,
    now: Timestamp,
) -> Option<Option<Timestamp>> {
    let agent = facts.agents.iter().find(|agent| agent.id == holder.agent).unwrap();
    let module = facts.modules.iter().find(|module| module.id == tool.module).unwrap();
    let open = facts.tenant.standing == Standing::Active
        && module.standing == ModuleStanding::Live
        && tool.standing == ToolStanding::Approved
        && agent.standing == Standing::Active
        && active(facts, agent.owner)
        && holder.on_behalf_of.is_none_or(|person| active(facts, person))
        && holder.expires_at.is_none_or(|end| end > now);
    if !open {
        return None;
    }
    let mut ends = vec![holder.expires_at, held(facts, tool, Some(agent), None, now)?];
    if let Some(person) = holder.on_behalf_of {
        ends.push(held(facts, tool, None, Some(person), now)?);
    }
    Some(ends.into_iter().flatten().min())
}

/// Every (credential, tool) that is permitted at `now`, with the end of the permit.
fn permitted(facts: &Facts, now: Timestamp) -> BTreeSet<(usize, String, Option<Timestamp>)> {
    let directory = Directory::build(facts.clone(), at(0)).unwrap();
    let mut permitted = BTreeSet::new();
    for n in 0..facts.credentials.len() {
        let principal = whoever(&directory, n);
        for name in names(facts) {
            let Ok(tool) = directory.resolve(&principal, Feature::Tool, &name) else { continue };
            if let Decision::Permit(permit) = directory.decide(&principal, &tool, [0; 32], now) {
                permitted.insert((n, name, permit.valid_until()));
            }
        }
    }
    permitted
}

fn names(facts: &Facts) -> Vec<String> {
    facts.tools.iter().map(|tool| full_name(facts, tool)).collect()
}

fn full_name(facts: &Facts, tool: &ToolFact) -> String {
    let module = facts.modules.iter().find(|module| module.id == tool.module).unwrap();
    format!("{}.{}", module.name, tool.name)
}

fn without_ends(set: BTreeSet<(usize, String, Option<Timestamp>)>) -> BTreeSet<(usize, String)> {
    set.into_iter().map(|(n, name, _)| (n, name)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// No permit without a path of grants, no refusal with one, whenever it is asked, and each permit ends
    /// when what it rests on does. Nobody suspended is permitted anything, and nothing panics.
    #[test]
    fn decisions_are_those_of_the_oracle(sketch in sketch(), later in 0i64..7) {
        let facts = sketch.facts();
        let now = at(later);
        let mut expected = BTreeSet::new();
        for (n, holder) in facts.credentials.iter().enumerate() {
            for tool in &facts.tools {
                if let Some(end) = oracle(&facts, holder, tool, now) {
                    expected.insert((n, full_name(&facts, tool), end));
                }
            }
        }
        prop_assert_eq!(permitted(&facts, now), expected);
    }

    /// An old directory says no less strictly what one says that is built at the instant.
    #[test]
    fn an_old_directory_decides_as_a_new_one(sketch in sketch(), later in 0i64..7) {
        let facts = sketch.facts();
        let (old, new) = (facts.clone(), Directory::build(facts.clone(), at(later)).unwrap());
        let old = Directory::build(old, at(0)).unwrap();
        for n in 0..facts.credentials.len() {
            let (before, after) = (whoever(&old, n), whoever(&new, n));
            for name in names(&facts) {
                let Ok(tool) = new.resolve(&after, Feature::Tool, &name) else { continue };
                let was = matches!(old.decide(&before, &tool, [0; 32], at(later)), Decision::Permit(_));
                let is = matches!(new.decide(&after, &tool, [0; 32], at(later)), Decision::Permit(_));
                prop_assert_eq!(was, is, "{} calls {}", n, name);
            }
        }
    }

    /// Taking a grant away, or suspending somebody, never permits anything.
    #[test]
    fn less_is_never_more(sketch in sketch(), which in any_index()) {
        let facts = sketch.facts();
        let before = without_ends(permitted(&facts, at(0)));
        if !facts.grants.is_empty() {
            let mut fewer = facts.clone();
            fewer.grants.remove(which.index(facts.grants.len()));
            prop_assert!(without_ends(permitted(&fewer, at(0))).is_subset(&before));
        }
        let mut calmer = facts.clone();
        calmer.users[which.index(facts.users.len())].standing = Standing::Suspended;
        prop_assert!(without_ends(permitted(&calmer, at(0))).is_subset(&before));
    }

    /// On behalf of a person an agent may do what it may do for itself and the person may do too, and nothing
    /// else.
    #[test]
    fn on_behalf_of_somebody_is_what_both_may(sketch in sketch()) {
        let facts = sketch.facts();
        let mut for_itself = facts.clone();
        for_itself.credentials.iter_mut().for_each(|credential| credential.on_behalf_of = None);
        let (both, alone) = (without_ends(permitted(&facts, at(0))), without_ends(permitted(&for_itself, at(0))));
        prop_assert!(both.is_subset(&alone));
        for (n, name) in alone {
            let Some(person) = facts.credentials[n].on_behalf_of else { continue };
            let tool = facts.tools.iter().find(|tool| full_name(&facts, tool) == name).unwrap();
            let person_may = active(&facts, person) && held(&facts, tool, None, Some(person), at(0)).is_some();
            prop_assert_eq!(both.contains(&(n, name)), person_may);
        }
    }

    /// What is shown is what may be called, in order, the first time and the second.
    #[test]
    fn what_is_visible_may_be_called(sketch in sketch()) {
        let mut facts = sketch.facts();
        facts.credentials.iter_mut().for_each(|credential| credential.expires_at = None);
        let callable = without_ends(permitted(&facts, at(0)));
        let directory = Directory::build(facts.clone(), at(0)).unwrap();
        for n in 0..facts.credentials.len() {
            let principal = whoever(&directory, n);
            let may: Vec<&str> = callable.iter().filter(|(who, _)| *who == n).map(|(_, name)| name.as_str()).collect();
            for _ in 0..2 {
                let shown = directory.visible(&principal);
                prop_assert_eq!(shown.iter().map(|tool| &*tool.full_name).collect::<Vec<_>>(), may.clone());
            }
        }
    }

    /// What is said of somebody's access is what a call of theirs would be answered, word for word, and each right that
    /// is named is a grant that reaches them.
    #[test]
    fn access_is_what_is_decided(sketch in sketch(), later in 0i64..7) {
        let mut facts = sketch.facts();
        facts.credentials.iter_mut().for_each(|credential| credential.expires_at = None);
        let directory = Directory::build(facts.clone(), at(0)).unwrap();
        let now = at(later);
        for (n, holder) in facts.credentials.iter().enumerate() {
            let principal = whoever(&directory, n);
            let subject = match holder.on_behalf_of {
                Some(person) => Subject::OnBehalf(holder.agent, person),
                None => Subject::Agent(holder.agent),
            };
            let access = directory.access_of(subject, now).unwrap().unwrap();
            let listed: Vec<(String, Verdict)> =
                access.tools().map(|(tool, verdict)| (tool.full_name.to_string(), verdict)).collect();
            prop_assert_eq!(listed.len(), facts.tools.len());
            for (name, verdict) in listed {
                let fact = facts.tools.iter().find(|tool| full_name(&facts, tool) == name).unwrap();
                let said = access.said_of(&name).unwrap();
                prop_assert_eq!(said.verdict, verdict, "{} in the list", name);
                match directory.resolve(&principal, Feature::Tool, &name) {
                    Ok(tool) => match directory.decide(&principal, &tool, [0; 32], now) {
                        Decision::Permit(permit) => {
                            prop_assert_eq!((said.verdict, said.until), (Verdict::Permit, permit.valid_until()));
                            prop_assert_eq!(said.reason, None);
                        }
                        Decision::Hold(refusal) => {
                            prop_assert_eq!((said.verdict, said.reason), (Verdict::Hold, Some(refusal.reason)));
                        }
                        Decision::Deny(refusal) => {
                            prop_assert_eq!((said.verdict, said.reason), (Verdict::Deny, Some(refusal.reason)));
                        }
                    },
                    Err(refusal) => {
                        prop_assert_eq!(said.verdict, Verdict::Deny);
                        // Whoever is suspended does not get as far as to be told that a tool is switched off.
                        let suspended = directory.authenticate(&hash(n as u8), None, now).is_err();
                        if !suspended {
                            prop_assert_eq!(said.reason, Some(refusal.reason));
                        }
                    }
                }
                let agent = facts.agents.iter().find(|agent| agent.id == holder.agent);
                let expected: BTreeSet<(GrantId, Holder)> = facts
                    .grants
                    .iter()
                    .filter(|grant| grant.key.covers(&fact.key) && grant.expires_at.is_none_or(|end| end > now))
                    .flat_map(|grant| {
                        let of_agent = reaches(&facts, grant, agent, None).then_some((grant.id, Holder::Agent));
                        let of_person = holder.on_behalf_of.filter(|person| reaches(&facts, grant, None, Some(*person)));
                        of_agent.into_iter().chain(of_person.map(|_| (grant.id, Holder::Person)))
                    })
                    .collect();
                let named: BTreeSet<_> = said.rights.iter().map(|right| (right.grant, right.holder)).collect();
                prop_assert_eq!(named.len(), said.rights.len(), "no right twice");
                prop_assert_eq!(named, expected);
            }
        }
    }

    /// What a person may have done on their behalf is what the oracle says, also of people whom no request leads to;
    /// and an agent on behalf of anybody may do what both may.
    #[test]
    fn access_of_people_is_that_of_the_oracle(sketch in sketch(), later in 0i64..7, which in any_index()) {
        let facts = sketch.facts();
        let directory = Directory::build(facts.clone(), at(0)).unwrap();
        let now = at(later);
        let agent = facts.agents[which.index(facts.agents.len())].id;
        let alone = directory.access_of(Subject::Agent(agent), now).unwrap().unwrap();
        let alone: Vec<Verdict> = alone.tools().map(|(_, verdict)| verdict).collect();
        for user in &facts.users {
            let access = directory.access_of(Subject::Person(user.id), now).unwrap().unwrap();
            for (tool, verdict) in access.tools() {
                let fact = facts.tools.iter().find(|fact| fact.id == tool.id).unwrap();
                let module = facts.modules.iter().find(|module| module.id == fact.module).unwrap();
                let open = facts.tenant.standing == Standing::Active
                    && user.standing == Standing::Active
                    && module.standing == ModuleStanding::Live
                    && fact.standing == ToolStanding::Approved;
                let end = held(&facts, fact, None, Some(user.id), now).filter(|_| open);
                prop_assert_eq!(verdict == Verdict::Permit, end.is_some());
                let said = access.said_of(&tool.full_name).unwrap();
                prop_assert_eq!((said.verdict, said.reason.is_none()), (verdict, verdict == Verdict::Permit));
                prop_assert_eq!(said.until, end.flatten());
            }
            let both = directory.access_of(Subject::OnBehalf(agent, user.id), now).unwrap().unwrap();
            for (((_, both), (_, person)), agent) in both.tools().zip(access.tools()).zip(&alone) {
                prop_assert_eq!(both == Verdict::Permit, person == Verdict::Permit && *agent == Verdict::Permit);
            }
        }
    }

    /// What a move would change is what it does change, where nobody is suspended.
    #[test]
    fn a_move_changes_what_was_said(sketch in sketch(), which in any_index(), there in any_index()) {
        let mut facts = sketch.facts();
        facts.tenant.standing = Standing::Active;
        facts.users.iter_mut().for_each(|user| user.standing = Standing::Active);
        facts.agents.iter_mut().for_each(|agent| agent.standing = Standing::Active);
        facts.modules.iter_mut().for_each(|module| module.standing = ModuleStanding::Live);
        facts.tools.iter_mut().for_each(|tool| tool.standing = ToolStanding::Approved);
        let (agent, unit) = (which.index(facts.agents.len()), facts.units[there.index(facts.units.len())].id);
        let id = facts.agents[agent].id;
        let may = |facts: &Facts| -> BTreeSet<String> {
            let directory = Directory::build(facts.clone(), at(0)).unwrap();
            let access = directory.access_of(Subject::Agent(id), at(0)).unwrap().unwrap();
            let tools = access.tools().filter(|(_, verdict)| *verdict == Verdict::Permit);
            tools.map(|(tool, _)| tool.full_name.to_string()).collect()
        };
        let before = may(&facts);
        let said = Directory::build(facts.clone(), at(0)).unwrap().if_moved(id, unit, at(0)).unwrap();
        facts.agents[agent].home_unit = unit;
        let after = may(&facts);
        let names = |tools: &[Arc<policy::Tool>]| -> BTreeSet<String> {
            tools.iter().map(|tool| tool.full_name.to_string()).collect()
        };
        prop_assert_eq!(names(&said.lost), before.difference(&after).cloned().collect());
        prop_assert_eq!(names(&said.gained), after.difference(&before).cloned().collect());
    }

    /// Names and calls from outside are answered, whatever they are.
    #[test]
    fn any_name_is_answered(sketch in sketch(), name in ".{0,120}", more in "(crm|gmail)[._]?[a-z_0-9]{0,8}") {
        let facts = sketch.facts();
        let directory = Directory::build(facts.clone(), at(0)).unwrap();
        for n in 0..facts.credentials.len() {
            let principal = whoever(&directory, n);
            for name in [&name, &more] {
                if let Err(refusal) = directory.resolve(&principal, Feature::Tool, name) {
                    prop_assert!(refusal.reason.sentence.starts_with("Denied: "));
                    prop_assert!(!refusal.reason.sentence.contains(char::is_control));
                    prop_assert!(refusal.reason.sentence.len() < 1_000);
                }
            }
        }
    }
}
