//! An immutable snapshot of one tenant: who there is, what there is, and who may use what.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, OnceLock};

use cedar_policy::{Entities, EntityUid};
use model::access::{Grantee, PermissionKey};
use model::call::{Attribution, Digest, Epoch, ReasonCode};
use model::catalog::{Feature, ModuleKind, Timeouts, ToolStanding};
use model::people::Standing;
use model::{AgentId, ConnectionId, ModuleId, Money, RateId, TenantId, Timestamp, ToolId, UserId};

use crate::bundle::Bundles;
use crate::catalog::{Catalog, Module};
use crate::entities::Gathering;
use crate::facts::{AgentFact, Facts, GrantFact, TenantFact, UserFact};
use crate::holders::Holders;
use crate::keys::{KeyRing, over};
use crate::limit::{Limit, Limits};
use crate::people::{Agent, Credentials, Person};
use crate::standing::Rules;
use crate::tree::{MAX_UNIT_DEPTH, Tree};

/// Facts that contradict each other: nothing is decided on them.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A row points to one that is not there.
    #[error("{what} refers to {missing}, which is not among the facts")]
    Dangling {
        /// The row.
        what: String,
        /// What it points to.
        missing: String,
    },
    /// The units do not form a tree.
    #[error("the units above {unit} form a circle")]
    Circle {
        /// One of them.
        unit: String,
    },
    /// A unit stands below more than [`MAX_UNIT_DEPTH`] others.
    #[error("unit {unit} is more than {MAX_UNIT_DEPTH} levels deep")]
    TooDeep {
        /// Which.
        unit: String,
    },
    /// Two tools would have the same full name or the same name in a bundle, or two modules or bundles the same name.
    #[error("two tools, modules or bundles are called {name}")]
    SameName {
        /// The name.
        name: String,
    },
    /// What can be there only once is there twice.
    #[error("{what} is among the facts twice")]
    Twice {
        /// What.
        what: String,
    },
    /// Cedar would not take the entities or standing policies.
    #[error("cedar: {0}")]
    Cedar(String),
}

/// Why a credential was refused.
#[derive(Debug, Clone)]
pub enum Unauthenticated {
    /// No credential has this hash: nothing is known of who it was.
    Unknown,
    /// The credential is known and may not be used (expired, wrong address, tenant, agent or person
    /// suspended).
    Refused {
        /// Whose it is.
        principal: Arc<Principal>,
        /// Which of those.
        code: ReasonCode,
        /// In words.
        sentence: String,
    },
}

/// Which directory something belongs to. What belongs to another is not decided on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Origin {
    tenant: TenantId,
    pub(crate) epoch: Epoch,
}

/// Who calls: an agent with one credential, for itself or on behalf of a person.
#[derive(Debug)]
pub struct Principal {
    /// For the record.
    pub attribution: Arc<Attribution>,
    /// The agent's name.
    pub agent_name: String,
    /// The name of the agent's home unit.
    pub unit_name: String,
    /// The owner's name.
    pub owner_name: String,
    /// The name of the person it acts for.
    pub on_behalf_of_name: Option<String>,
    /// From when the credential is refused.
    pub expires_at: Option<Timestamp>,
    pub(crate) origin: Origin,
    pub(crate) agent: Arc<Agent>,
    pub(crate) person: Option<Arc<Person>>,
    /// Those that count its calls, of whatever.
    pub(crate) limits: Arc<[Arc<Limit>]>,
}

/// A tool that can be resolved by name.
#[derive(Clone, Debug)]
pub struct Tool {
    /// Its id.
    pub id: ToolId,
    /// Its module.
    pub module: ModuleId,
    /// The module's key word, `crm`.
    pub module_name: Arc<str>,
    /// The module's title.
    pub module_title: Arc<str>,
    /// Who answers for the module, if they are still there: a name as sentences show it.
    pub owner: Option<Arc<str>>,
    /// How the module is reached.
    pub kind: ModuleKind,
    /// Where the module is reached, unless native.
    pub url: Option<Arc<str>>,
    /// What we present there.
    pub connection: Option<ConnectionId>,
    /// What of its server it is.
    pub feature: Feature,
    /// Its name, URI or URI template, as the upstream knows it.
    pub name: Arc<str>,
    /// `module.tool`, as the record has it: `crm.find`, `crm.prompt:summary`, `crm.resource:file:///notes.txt`.
    pub full_name: Arc<str>,
    /// As agents see it: `crm.find`, `crm.summary`, `crm+file:///notes.txt`; in a bundle by its name there.
    pub shown: Arc<str>,
    /// The key one needs.
    pub key: PermissionKey,
    /// The approved definition as agents see it: a complete MCP object as JSON text whose `name`, `uri` or `uriTemplate` is
    /// `shown`.
    pub listing: Arc<str>,
    /// SHA-256 of the canonical definition.
    pub definition_hash: Digest,
    /// What a call costs.
    pub price: Money,
    /// By which rate.
    pub rate: Option<RateId>,
    /// How long its server may take, where that is not as everywhere.
    pub timeouts: Timeouts,
    pub(crate) origin: Origin,
    pub(crate) standing: ToolStanding,
    pub(crate) module_key: PermissionKey,
    pub(crate) uid: EntityUid,
}

/// The tools that are shown to an agent, for itself or on behalf of a person.
pub(crate) type Lists = HashMap<(AgentId, Option<UserId>), OnceLock<Vec<Arc<Tool>>>>;

/// The snapshot.
#[derive(Debug)]
pub struct Directory {
    pub(crate) tenant: TenantFact,
    pub(crate) origin: Origin,
    pub(crate) rules: Arc<Rules>,
    pub(crate) entities: Entities,
    pub(crate) tree: Tree,
    pub(crate) people: HashMap<UserId, Arc<Person>>,
    pub(crate) agents: HashMap<AgentId, Arc<Agent>>,
    pub(crate) credentials: Credentials,
    pub(crate) catalog: Catalog,
    pub(crate) bundles: Bundles,
    pub(crate) limits: Limits,
    pub(crate) holders: Holders,
    /// Who is shown which tools, found out at first use.
    pub(crate) lists: Lists,
    stale_at: Option<Timestamp>,
}

impl Directory {
    /// Builds the snapshot. `now` decides which grants have ended; see [`Directory::stale_at`].
    ///
    /// # Errors
    /// Facts that contradict each other. They were read in one transaction from tables whose keys forbid
    /// it, so this is a fault of ours, and nothing in the tenant may be called until it is mended.
    pub fn build(facts: Facts, now: Timestamp) -> Result<Self, BuildError> {
        Self::build_under(Rules::standing()?, facts, now)
    }

    pub(crate) fn build_under(rules: Arc<Rules>, facts: Facts, now: Timestamp) -> Result<Self, BuildError> {
        let Facts {
            epoch,
            tenant,
            units,
            users,
            agents,
            credentials,
            modules,
            tools,
            grants,
            bundles,
            limits,
        } = facts;
        let origin = Origin { tenant: tenant.id, epoch };
        let tenant_active = tenant.standing == Standing::Active;
        let agents_stopped = tenant.agents_stopped;
        let mut gathering = Gathering::new(tenant.id)?;

        let tree = Tree::grow(units)?;
        for unit in tree.top_down() {
            gathering.unit(unit.id, unit.parent);
        }
        let mut ring = KeyRing::new(&grants, &tree, now);
        let mut settling = Settling {
            tenant_active,
            agents_stopped,
            tree: &tree,
            ring: &mut ring,
            gathering: &mut gathering,
        };

        let mut led_to: HashSet<UserId> = agents.iter().map(|agent| agent.owner).collect();
        led_to.extend(credentials.iter().filter_map(|credential| credential.on_behalf_of));
        let mut people = HashMap::with_capacity(users.len());
        for user in users {
            let led_to = led_to.contains(&user.id);
            let person = settling.person(user, led_to)?;
            once(&mut people, person.id, Arc::new(person), |person| format!("user {}", person.name))?;
        }
        let mut agents_by_id = HashMap::with_capacity(agents.len());
        for agent in agents {
            let agent = settling.agent(agent, &people)?;
            once(&mut agents_by_id, agent.id, Arc::new(agent), |agent| format!("agent {}", agent.name))?;
        }
        let agents = agents_by_id;

        let mut credentials_by_hash = Credentials::default();
        let mut lists = HashMap::new();
        for fact in credentials {
            let what = || format!("credential {}", fact.id);
            let agent = found(agents.get(&fact.agent), what, fact.agent)?;
            let person = match fact.on_behalf_of {
                None => None,
                Some(id) => Some(Arc::clone(found(people.get(&id), what, id)?)),
            };
            lists.insert((agent.id, fact.on_behalf_of), OnceLock::new());
            credentials_by_hash.add(fact, Arc::clone(agent), person)?;
        }

        let mut modules_by_id = HashMap::with_capacity(modules.len());
        for fact in modules {
            let owner = match fact.owner {
                None => None,
                Some(id) => Some(Arc::clone(found(people.get(&id), || format!("module {}", fact.name), id)?)),
            };
            let uid = gathering.module(fact.id);
            once(&mut modules_by_id, fact.id, Module { fact, owner, uid }, |module| {
                format!("module {}", module.fact.name)
            })?;
        }
        let catalog = Catalog::fill(modules_by_id, tools, origin, &mut gathering)?;

        let bundles = Bundles::bind(bundles, &catalog)?;
        let limits = Limits::bind(limits, tenant.zone, &tree, &agents, &catalog)?;

        check_grantees(&grants, &tree, &people, &agents)?;
        let stale_at = grants.iter().filter_map(|grant| grant.expires_at).filter(|end| *end > now).min();
        let lasting = grants.into_iter().filter(|grant| !over(grant.expires_at, now));
        let holders = Holders::new(lasting, catalog.keys());

        let entities = gathering.close(&rules)?;
        Ok(Self {
            tenant,
            origin,
            rules,
            entities,
            tree,
            people,
            agents,
            credentials: credentials_by_hash,
            catalog,
            bundles,
            limits,
            holders,
            lists,
            stale_at,
        })
    }

    /// The tenant.
    pub fn tenant(&self) -> &TenantFact {
        &self.tenant
    }

    /// Under which epoch it was read.
    pub fn epoch(&self) -> Epoch {
        self.origin.epoch
    }

    /// From this instant on the snapshot would say something else although nothing was changed (a grant
    /// ends): it must be built anew. Of a snapshot that is used for longer, [`Directory::decide`] still
    /// permits nothing that has ended; a list may show more than may be called.
    pub fn stale_at(&self) -> Option<Timestamp> {
        self.stale_at
    }

    /// SHA-256 of the schema and policies in force, as every decision carries it.
    pub fn policy_version(&self) -> Digest {
        self.rules.version()
    }
}

/// What it takes to put people and agents in their places.
struct Settling<'a> {
    tenant_active: bool,
    agents_stopped: bool,
    tree: &'a Tree,
    ring: &'a mut KeyRing,
    gathering: &'a mut Gathering,
}

impl Settling<'_> {
    /// Only people whom a request can lead to, as the owner of an agent or because one acts for them, are
    /// made entities and given keys: most of a large organization owns no agent, and keys are what building
    /// takes its time for.
    fn person(&mut self, fact: UserFact, led_to: bool) -> Result<Person, BuildError> {
        let UserFact { id, name, home_unit, units: further, roles, standing } = fact;
        let mut units = vec![home_unit];
        units.extend(further.into_iter().filter(|unit| *unit != home_unit));
        for unit in &units {
            found(self.tree.get(*unit), || format!("user {name}"), unit)?;
        }
        let keys = if led_to { self.ring.of(Grantee::User(id), &units, &roles) } else { Arc::default() };
        let uid = self.gathering.user_uid(id);
        if led_to {
            let active = self.tenant_active && standing == Standing::Active;
            self.gathering.user(uid.clone(), &units, &roles, active, &keys)?;
        }
        Ok(Person { id, name, units, roles, standing, keys, uid })
    }

    fn agent(&mut self, fact: AgentFact, people: &HashMap<UserId, Arc<Person>>) -> Result<Agent, BuildError> {
        let AgentFact { id, name, owner, home_unit, standing } = fact;
        let what = || format!("agent {name}");
        let home = found(self.tree.get(home_unit), what, home_unit)?;
        let owner = Arc::clone(found(people.get(&owner), what, owner)?);
        let keys = self.ring.of(Grantee::Agent(id), &[home_unit], &[]);
        let active = self.tenant_active && !self.agents_stopped && standing == Standing::Active;
        let uid = self.gathering.agent(id, home_unit, &owner.uid, active, &keys)?;
        let (path, unit_name) = (Arc::clone(&home.path), home.name.clone());
        Ok(Agent { id, name, owner, unit_name, path, standing, keys, uid })
    }
}

fn check_grantees(
    grants: &[GrantFact],
    tree: &Tree,
    people: &HashMap<UserId, Arc<Person>>,
    agents: &HashMap<AgentId, Arc<Agent>>,
) -> Result<(), BuildError> {
    for grant in grants {
        let what = || format!("the grant of {} ({})", grant.key, grant.id);
        match grant.grantee {
            Grantee::Unit(id) => found(tree.get(id), what, id).map(|_| ())?,
            Grantee::User(id) => found(people.get(&id), what, id).map(|_| ())?,
            Grantee::Agent(id) => found(agents.get(&id), what, id).map(|_| ())?,
            Grantee::Role(_) => {}
        }
    }
    Ok(())
}

/// What a row refers to, or the error that it is not there.
pub(crate) fn found<T>(
    there: Option<T>,
    what: impl FnOnce() -> String,
    id: impl std::fmt::Display,
) -> Result<T, BuildError> {
    there.ok_or_else(|| BuildError::Dangling { what: what(), missing: id.to_string() })
}

/// Adds a row whose id must not have come before.
pub(crate) fn once<K: Eq + Hash, V>(
    rows: &mut HashMap<K, V>,
    id: K,
    row: V,
    what: impl FnOnce(&V) -> String,
) -> Result<(), BuildError> {
    match rows.insert(id, row) {
        None => Ok(()),
        Some(twice) => Err(BuildError::Twice { what: what(&twice) }),
    }
}
