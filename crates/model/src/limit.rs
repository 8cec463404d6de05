//! Limits: how many calls in which time, of whom and of what.

use serde::{Deserialize, Serialize};

use crate::{AgentId, ModuleId, ToolId, UnitId, words};

words! {
    /// The time that a limit's calls are for. Up to an hour it is a *rate*, which is given back little by little; a day's and a
    /// month's are *quotas*, which begin anew with the next day or month.
    Per {
        /// A second.
        Second = "second",
        /// A minute.
        Minute = "minute",
        /// An hour.
        Hour = "hour",
        /// A calendar day in the organization's time zone.
        Day = "day",
        /// A calendar month in the organization's time zone.
        Month = "month",
    }
}

impl Per {
    /// How long it is; none for a quota's, which are not all alike.
    pub const fn seconds(self) -> Option<u32> {
        match self {
            Self::Second => Some(1),
            Self::Minute => Some(60),
            Self::Hour => Some(3600),
            Self::Day | Self::Month => None,
        }
    }

    /// Whether it is a calendar time.
    pub const fn is_quota(self) -> bool {
        self.seconds().is_none()
    }

    /// Most calls that a limit can be of.
    pub const fn most(self) -> u32 {
        if self.is_quota() { 1_000_000_000 } else { 1_000_000 }
    }
}

/// How many calls in which time.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Allowance {
    /// So many calls, 1 to [`Per::most`].
    pub calls: u32,
    /// In this time.
    pub per: Per,
    /// How many of a rate's may come at once, 1 to `calls`; of a quota all may.
    pub burst: u32,
}

impl Allowance {
    /// An allowance of which all calls may come at once.
    pub const fn new(calls: u32, per: Per) -> Self {
        Self { calls, per, burst: calls }
    }

    /// Whether the numbers are such as a limit can have.
    pub const fn is_sound(self) -> bool {
        1 <= self.calls
            && self.calls <= self.per.most()
            && 1 <= self.burst
            && self.burst <= self.calls
            && (!self.per.is_quota() || self.burst == self.calls)
    }
}

/// Whose calls count.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Whose {
    /// Every agent's.
    Everybody,
    /// Those of the agents in a unit or below it.
    Unit(UnitId),
    /// One agent's.
    Agent(AgentId),
}

/// Calls of what count.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum OfWhat {
    /// Of everything.
    Everything,
    /// Of all that a module has.
    Module(ModuleId),
    /// Of one tool.
    Tool(ToolId),
}

/// Which calls a limit counts, and whether together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Scope {
    /// Whose.
    pub whose: Whose,
    /// Of what.
    pub what: OfWhat,
    /// Whether each agent has the whole allowance to itself; else all share one.
    pub each_agent: bool,
}
