//! Limits in a directory: which of them count a call, and how it is said that one is reached. How much of it is used is not known
//! here; see [`crate::meter`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use model::call::{Reason, ReasonCode};
use model::limit::{Allowance, OfWhat, Per, Scope, Whose};
use model::{AgentId, LimitId, Timestamp, ToolId, Zone};

use crate::catalog::Catalog;
use crate::decision::Permit;
use crate::directory::{BuildError, Principal, Tool, found};
use crate::explain::{agent, shown};
use crate::facts::LimitFact;
use crate::people::Agent;
use crate::tree::Tree;

/// From when on it is said at what time to try again, and no longer in how long.
const FAR: Duration = Duration::from_secs(2 * 3600);

/// A limit that holds for a principal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limit {
    /// Its id.
    pub id: LimitId,
    /// Which calls it counts.
    pub scope: Scope,
    /// How many, in which time.
    pub allowance: Allowance,
    /// Where its days and months begin.
    pub zone: Zone,
    /// Who set it, by name.
    pub set_by: String,
    /// Whose calls of what, in words: `all agents together`, and ` of Gmail`.
    whose: String,
    what: String,
}

/// All limits of a tenant.
#[derive(Debug, Default)]
pub(crate) struct Limits(Vec<Arc<Limit>>);

impl Limits {
    /// Finds whom and what limits name.
    pub(crate) fn bind(
        facts: Vec<LimitFact>,
        zone: Zone,
        tree: &Tree,
        agents: &HashMap<AgentId, Arc<Agent>>,
        catalog: &Catalog,
    ) -> Result<Self, BuildError> {
        let tools: HashMap<ToolId, &Arc<Tool>> =
            if facts.is_empty() { HashMap::new() } else { catalog.by_id() };
        let bound = facts.into_iter().map(|fact| {
            let LimitFact { id, scope, allowance, set_by } = fact;
            let what = || format!("limit {id}");
            let whose = match scope.whose {
                Whose::Everybody if scope.each_agent => "each agent".to_owned(),
                Whose::Everybody => "all agents together".to_owned(),
                Whose::Unit(unit) => {
                    let name = shown(&found(tree.get(unit), what, unit)?.name);
                    if scope.each_agent {
                        format!("each agent of {name}")
                    } else {
                        format!("the agents of {name} together")
                    }
                }
                Whose::Agent(agent) => {
                    format!("agent {}", shown(&found(agents.get(&agent), what, agent)?.name))
                }
            };
            let of = match scope.what {
                OfWhat::Everything => String::new(),
                OfWhat::Module(module) => {
                    format!(" of {}", shown(found(catalog.title_of(module), what, module)?))
                }
                OfWhat::Tool(tool) => {
                    format!(" of `{}`", shown(&found(tools.get(&tool), what, tool)?.full_name))
                }
            };
            Ok(Arc::new(Limit { id, scope, allowance, zone, set_by, whose, what: of }))
        });
        bound.collect::<Result<_, _>>().map(Self)
    }

    /// Those that count the calls of an agent.
    pub(crate) fn of(&self, agent: &Agent) -> Arc<[Arc<Limit>]> {
        let counts = |limit: &&Arc<Limit>| match limit.scope.whose {
            Whose::Everybody => true,
            Whose::Unit(unit) => agent.path.contains(&unit),
            Whose::Agent(one) => one == agent.id,
        };
        self.0.iter().filter(counts).cloned().collect()
    }
}

impl Limit {
    /// Whether it counts calls of this tool.
    fn counts(&self, tool: &Tool) -> bool {
        match self.scope.what {
            OfWhat::Everything => true,
            OfWhat::Module(module) => module == tool.module,
            OfWhat::Tool(one) => one == tool.id,
        }
    }

    /// Why a call is refused that it leaves no room for until `wait` has passed.
    pub fn reached(&self, principal: &Principal, now: Timestamp, wait: Duration) -> Reason {
        let Self { allowance: Allowance { calls, per, .. }, whose, what, .. } = self;
        let noun = if *calls == 1 { "call" } else { "calls" };
        let (who, set_by) = (agent(principal), shown(&self.set_by));
        let (calls, per, again) = (grouped(*calls), a(*per), self.again(now, wait));
        let sentence = format!(
            "Denied: {who} has reached a limit: {whose} may make {calls} {noun}{what} {per}. Nothing was done. Try again \
             {again}. The limit was set by {set_by}."
        );
        Reason { code: ReasonCode::LimitReached, sentence, missing_key: None, ask: Some(self.set_by.clone()) }
    }

    fn again(&self, now: Timestamp, wait: Duration) -> String {
        let at = TimeDelta::from_std(wait).ok().and_then(|wait| now.checked_add_signed(wait));
        match at {
            Some(at) if wait > FAR => {
                format!("from {} on ({})", at.with_timezone(&self.zone).format("%Y-%m-%d %H:%M"), self.zone)
            }
            _ if wait > Duration::from_secs(120) => format!("in {} minutes", wait.as_secs().div_ceil(60)),
            _ => format!("in {} s", retry_after(wait)),
        }
    }
}

/// After how many whole seconds another try may be worth it: at least one.
pub fn retry_after(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).max(1).try_into().unwrap_or(u64::MAX)
}

fn a(per: Per) -> &'static str {
    match per {
        Per::Second => "a second",
        Per::Minute => "a minute",
        Per::Hour => "an hour",
        Per::Day => "a day",
        Per::Month => "a month",
    }
}

/// `1,000`.
fn grouped(number: u32) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

impl Permit {
    /// The limits that count this call; for most there is none.
    pub fn limits(&self) -> impl Iterator<Item = &Arc<Limit>> {
        self.principal.limits.iter().filter(|limit| limit.counts(&self.tool))
    }
}
