//! Effective access: what somebody may call, by which grants and until when, and why not the rest.
//!
//! Nobody is asked for twice: what is said here of an agent is what [`Directory::decide`] would say, found by the same
//! code. No [`crate::Permit`] comes of it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use cedar_policy::{Entities, EntityUid};
use model::access::{Grantee, PermissionKey};
use model::call::{Reason, Verdict};
use model::people::{Role, Standing};
use model::{AgentId, CredentialId, GrantId, Timestamp, UnitId, UserId};
use uuid::Uuid;

use crate::decide::{Side, Weighed, until};
use crate::directory::{BuildError, Directory, Principal, Tool};
use crate::entities::Gathering;
use crate::holders::Holding;
use crate::keys::{Keys, over};
use crate::people::{Agent, Person};

/// Whose access is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Subject {
    /// An agent, for itself.
    Agent(AgentId),
    /// An agent on behalf of a person: what both may.
    OnBehalf(AgentId, UserId),
    /// A person: the most that any agent may do on their behalf.
    Person(UserId),
}

/// On whose side a right is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Holder {
    /// The agent's own.
    Agent,
    /// The person's.
    Person,
}

/// Where a right comes from.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Source {
    /// A grant to the agent or the person itself.
    Itself,
    /// A grant to a unit.
    Unit {
        /// How far above the unit in which the holder sits; 0: that unit itself.
        above: usize,
        /// The unit that it was given to.
        unit: UnitId,
        /// Its name.
        name: String,
        /// The name of the unit in which the holder sits, where that is another one.
        through: Option<String>,
    },
    /// A grant to a role that the person holds.
    Role(Role),
}

/// One grant that reaches somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Right {
    /// The grant.
    pub grant: GrantId,
    /// What it gives.
    pub key: PermissionKey,
    /// Whom it reaches, of agent and person.
    pub holder: Holder,
    /// By which way.
    pub source: Source,
    /// Until when.
    pub until: Option<Timestamp>,
}

/// What is said of one tool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Said {
    /// Permitted, held or denied.
    pub verdict: Verdict,
    /// Why, unless permitted: the sentence that a call would be denied with.
    pub reason: Option<Reason>,
    /// When what a permit rests on ends.
    pub until: Option<Timestamp>,
    /// The grants of the tool's key or its module's that reach the subject.
    pub rights: Vec<Right>,
}

/// What a move to another unit would change for an agent, by the keys that units give.
#[derive(Clone, Debug, Default)]
pub struct Moved {
    /// Tools whose key it would no longer have, by full name.
    pub lost: Vec<Arc<Tool>>,
    /// Tools whose key it would have from then on.
    pub gained: Vec<Arc<Tool>>,
}

/// The access of one subject under one directory at one instant.
#[derive(Debug)]
pub struct Access<'a> {
    directory: &'a Directory,
    now: Timestamp,
    who: Who,
    entities: Cow<'a, Entities>,
    verdicts: HashMap<usize, Verdict>,
}

#[derive(Debug)]
enum Who {
    Agent(Box<Principal>),
    Person(Arc<Person>),
}

impl Directory {
    /// The access of an agent, of an agent on behalf of a person, or of a person. None: there is nobody of that id.
    ///
    /// Takes one question to Cedar for each kind of tool, whatever the number of tools.
    ///
    /// # Errors
    /// [`BuildError::Cedar`] when Cedar takes no entity for the person.
    pub fn access_of(&self, subject: Subject, now: Timestamp) -> Result<Option<Access<'_>>, BuildError> {
        let (agent, person) = match subject {
            Subject::Agent(agent) => (Some(agent), None),
            Subject::OnBehalf(agent, person) => (Some(agent), Some(person)),
            Subject::Person(person) => (None, Some(person)),
        };
        let agent = match agent {
            Some(id) => match self.agents.get(&id) {
                Some(agent) => Some(agent),
                None => return Ok(None),
            },
            None => None,
        };
        let person = match person {
            Some(id) => match self.people.get(&id) {
                Some(person) => Some(self.whole(person)),
                None => return Ok(None),
            },
            None => None,
        };
        let entities = match &person {
            Some(person) => self.with(agent, person)?,
            None => Cow::Borrowed(&self.entities),
        };
        let who = match (agent, person) {
            (Some(agent), person) => {
                // No credential is presented; nothing that could be done with one comes of this.
                let nobody = CredentialId::from(Uuid::nil());
                Who::Agent(Box::new(self.introduce(nobody, None, agent, person.as_ref())))
            }
            (None, Some(person)) => Who::Person(person),
            (None, None) => return Ok(None),
        };
        let mut access = Access { directory: self, now, who, entities, verdicts: HashMap::new() };
        let mut verdicts = HashMap::new();
        for (tool, kind, sample) in self.catalog.all() {
            verdicts.entry(kind).or_insert_with(|| access.weigh(tool, sample).0);
        }
        access.verdicts = verdicts;
        Ok(Some(access))
    }

    /// What a move to another unit would change for an agent. None: there is no such agent or unit.
    pub fn if_moved(&self, agent: AgentId, to: UnitId, now: Timestamp) -> Option<Moved> {
        let (agent, there) = (self.agents.get(&agent)?, self.tree.get(to)?);
        let holds = |path: &[UnitId], tool: &Tool| {
            self.grants_for(tool).filter(|(_, holding)| !over(holding.until, now)).any(|(_, holding)| {
                match holding.grantee {
                    Grantee::Agent(id) => id == agent.id,
                    Grantee::Unit(unit) => path.contains(&unit),
                    Grantee::User(_) | Grantee::Role(_) => false,
                }
            })
        };
        let mut moved = Moved::default();
        for (tool, ..) in self.catalog.all() {
            match (holds(&agent.path, tool), holds(&there.path, tool)) {
                (true, false) => moved.lost.push(Arc::clone(tool)),
                (false, true) => moved.gained.push(Arc::clone(tool)),
                _ => {}
            }
        }
        Some(moved)
    }

    /// The grants of a tool's key and of its module's.
    fn grants_for(&self, tool: &Tool) -> impl Iterator<Item = (PermissionKey, &Holding)> {
        let module = (tool.module_key != tool.key).then_some(&tool.module_key);
        std::iter::once(&tool.key)
            .chain(module)
            .flat_map(|key| self.holders.of(key).iter().map(move |holding| (key.clone(), holding)))
    }

    /// A person with their keys, which those to whom no request leads were not given when the directory was built.
    fn whole(&self, person: &Arc<Person>) -> Arc<Person> {
        if self.entities.get(&person.uid).is_some() {
            return Arc::clone(person);
        }
        let reaching = self
            .holders
            .all()
            .filter(|(_, holding)| self.reaches_person(holding.grantee, person).is_some())
            .map(|(key, holding)| (key, holding.until));
        Arc::new(Person {
            id: person.id,
            name: person.name.clone(),
            units: person.units.clone(),
            roles: person.roles.clone(),
            standing: person.standing,
            keys: Arc::new(Keys::of_grants(reaching)),
            uid: person.uid.clone(),
        })
    }

    /// The entities with a person among them. To make all anew for one would take long; those that this person and
    /// this agent are asked about are enough.
    fn with(&self, agent: Option<&Arc<Agent>>, person: &Person) -> Result<Cow<'_, Entities>, BuildError> {
        if self.entities.get(&person.uid).is_some() {
            return Ok(Cow::Borrowed(&self.entities));
        }
        let mut gathering = Gathering::new(self.tenant.id)?;
        let own = agent.into_iter().flat_map(|agent| [&agent.uid, &agent.owner.uid]);
        for uid in own.chain(self.catalog.samples()) {
            gathering.copy(&self.entities, uid);
        }
        let units = person.units.iter().filter_map(|unit| self.tree.get(*unit));
        for unit in units.flat_map(|unit| unit.path.iter()).filter_map(|unit| self.tree.get(*unit)) {
            gathering.unit_once(unit.id, unit.parent);
        }
        let active = self.tenant.standing == Standing::Active && person.standing == Standing::Active;
        gathering.user(person.uid.clone(), &person.units, &person.roles, active, &person.keys)?;
        Ok(Cow::Owned(gathering.close(&self.rules)?))
    }

    /// How a grant reaches an agent.
    fn reaches_agent(&self, grantee: Grantee, agent: &Agent) -> Option<Source> {
        match grantee {
            Grantee::Agent(id) => (id == agent.id).then_some(Source::Itself),
            Grantee::Unit(unit) => self.given_on_unit(unit, &agent.path),
            Grantee::User(_) | Grantee::Role(_) => None,
        }
    }

    /// How a grant reaches a person: of several ways, the shortest.
    fn reaches_person(&self, grantee: Grantee, person: &Person) -> Option<Source> {
        match grantee {
            Grantee::User(id) => (id == person.id).then_some(Source::Itself),
            Grantee::Role(role) => person.roles.contains(&role).then_some(Source::Role(role)),
            Grantee::Unit(unit) => {
                let own = person.units.iter().filter_map(|own| self.tree.get(*own));
                own.filter_map(|own| self.given_on_unit(unit, &own.path)).min()
            }
            Grantee::Agent(_) => None,
        }
    }

    /// How a grant to a unit reaches whoever sits at the end of a path.
    fn given_on_unit(&self, unit: UnitId, path: &[UnitId]) -> Option<Source> {
        let above = path.iter().rev().position(|step| *step == unit)?;
        let name = |id| self.tree.get(id).map(|unit| unit.name.clone()).unwrap_or_default();
        let through = path.last().filter(|_| above > 0).map(|home| name(*home));
        Some(Source::Unit { above, unit, name: name(unit), through })
    }
}

impl Access<'_> {
    /// Every tool by full name, with what would come of calling it.
    pub fn tools(&self) -> impl Iterator<Item = (&Arc<Tool>, Verdict)> {
        self.directory
            .catalog
            .all()
            .map(|(tool, kind, _)| (tool, self.verdicts.get(&kind).copied().unwrap_or(Verdict::Deny)))
    }

    /// All that is to be said of one tool. None: there is no tool of that full name.
    pub fn said_of(&self, full_name: &str) -> Option<Said> {
        let (tool, sample) = self.directory.catalog.one(full_name)?;
        let (verdict, reason, until) = self.weigh(tool, sample);
        let reaching = self.directory.grants_for(tool);
        let mut rights: Vec<Right> =
            reaching.flat_map(|(key, holding)| self.rights_by(&key, holding)).collect();
        sort(&mut rights);
        Some(Said { verdict, reason, until, rights })
    }

    /// Every grant that reaches the subject, whether there is a tool for it or not.
    pub fn rights(&self) -> Vec<Right> {
        let all = self.directory.holders.all();
        let mut rights: Vec<Right> = all.flat_map(|(key, holding)| self.rights_by(key, holding)).collect();
        sort(&mut rights);
        rights
    }

    fn rights_by(&self, key: &PermissionKey, holding: &Holding) -> impl Iterator<Item = Right> + use<> {
        let (agent, person) = match &self.who {
            Who::Agent(principal) => (Some(&principal.agent), principal.person.as_ref()),
            Who::Person(person) => (None, Some(person)),
        };
        let lasting = !over(holding.until, self.now);
        let of_agent = agent
            .filter(|_| lasting)
            .and_then(|agent| self.directory.reaches_agent(holding.grantee, agent))
            .map(|source| (Holder::Agent, source));
        let of_person = person
            .filter(|_| lasting)
            .and_then(|person| self.directory.reaches_person(holding.grantee, person))
            .map(|source| (Holder::Person, source));
        let (grant, key, until) = (holding.grant, key.clone(), holding.until);
        of_agent.into_iter().chain(of_person).map(move |(holder, source)| Right {
            grant,
            key: key.clone(),
            holder,
            source,
            until,
        })
    }

    fn weigh(&self, tool: &Tool, sample: &EntityUid) -> (Verdict, Option<Reason>, Option<Timestamp>) {
        let directory = self.directory;
        let person = match &self.who {
            Who::Agent(principal) => {
                return match directory.weigh(&self.entities, principal, tool, sample, self.now) {
                    Weighed::Permit { until, .. } => (Verdict::Permit, None, until),
                    Weighed::Hold(refusal) => (Verdict::Hold, Some(refusal.reason), None),
                    Weighed::Deny(refusal) => (Verdict::Deny, Some(refusal.reason), None),
                };
            }
            Who::Person(person) => person,
        };
        let end = until(&person.keys, tool);
        match directory.side(&self.entities, &person.uid, sample, true) {
            Side { verdict, failed: false, .. } if verdict != Verdict::Deny && over(end, self.now) => {
                (Verdict::Deny, Some(directory.key_over_for(person, tool)), None)
            }
            Side { verdict: Verdict::Permit, failed: false, .. } => (Verdict::Permit, None, end),
            side => (side.verdict, Some(directory.why_not_for(person, tool, &side)), None),
        }
    }
}

/// Agent before person, and on each side the nearest first.
fn sort(rights: &mut [Right]) {
    rights
        .sort_by(|a, b| (a.holder, &a.source, &a.key, a.grant).cmp(&(b.holder, &b.source, &b.key, b.grant)));
}
