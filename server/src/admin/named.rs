//! Finding things by the names people give them, and reading times.

use std::time::Duration;

use chrono::TimeDelta;
use control::{Actor, Control, agents, units, users};
use model::access::{Grantee, PermissionKey};
use model::people::{AgentView, Role, UnitView, UserView};
use model::{Timestamp, UnitId, UserId};

use super::Desk;
use crate::Failure;

/// A grantee, named by exactly one option.
#[derive(clap::Args, Debug)]
#[group(required = true, multiple = false)]
pub(super) struct Whom {
    /// A unit by path: everybody and every agent there and below.
    #[arg(long, value_name = "PATH")]
    unit: Option<String>,
    /// Everybody with a role: owner, admin, auditor, finance, approver, member.
    #[arg(long)]
    role: Option<Role>,
    /// A person by mail address.
    #[arg(long, value_name = "EMAIL")]
    user: Option<String>,
    /// An agent by name.
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
}

impl Whom {
    pub(super) async fn find(&self, control: &Control, actor: &Actor) -> Result<(Grantee, String), Failure> {
        if let Some(path) = &self.unit {
            let unit = units::find(control, actor, path).await?;
            return Ok((Grantee::Unit(unit.id), format!("unit “{}”", unit.name)));
        }
        if let Some(role) = self.role {
            return Ok((Grantee::Role(role), format!("everybody with the role {role}")));
        }
        if let Some(email) = &self.user {
            let user = users::find(control, actor, email).await?;
            return Ok((Grantee::User(user.id), user.name));
        }
        let agent = agents::find(control, actor, self.agent.as_deref().unwrap_or_default()).await?;
        Ok((Grantee::Agent(agent.id), format!("agent “{}”", agent.name)))
    }
}

impl Desk {
    pub(super) async fn unit(&self, actor: &Actor, path: &str) -> Result<UnitView, Failure> {
        Ok(units::find(&self.control, actor, path).await?)
    }

    pub(super) async fn user(&self, actor: &Actor, email: &str) -> Result<UserView, Failure> {
        Ok(users::find(&self.control, actor, email).await?)
    }

    pub(super) async fn agent(&self, actor: &Actor, name: &str) -> Result<AgentView, Failure> {
        Ok(agents::find(&self.control, actor, name).await?)
    }

    /// Names of units and people by their ids, for lists.
    pub(super) async fn names(&self, actor: &Actor) -> Result<Names, Failure> {
        Ok(Names {
            units: units::list(&self.control, actor).await?,
            users: users::list(&self.control, actor).await?.into_iter().map(|line| line.view).collect(),
        })
    }

    /// The instant after a time from now.
    pub(super) fn after(&self, time: Option<Duration>) -> Option<Timestamp> {
        time.and_then(|time| TimeDelta::from_std(time).ok())
            .and_then(|time| self.control.ambient().now().checked_add_signed(time))
    }
}

/// Units and people of an organization.
pub(super) struct Names {
    units: Vec<UnitView>,
    users: Vec<UserView>,
}

impl Names {
    /// `Sales/EMEA`.
    pub(super) fn unit(&self, id: UnitId) -> String {
        let path = units::path(&self.units, id);
        if path.is_empty() { "(archived)".to_owned() } else { path.join("/") }
    }

    pub(super) fn user(&self, id: UserId) -> String {
        self.users.iter().find(|user| user.id == id).map_or_else(|| id.to_string(), |user| user.name.clone())
    }

    pub(super) fn email(&self, id: UserId) -> String {
        self.users.iter().find(|user| user.id == id).map_or_else(|| id.to_string(), |user| user.email.clone())
    }
}

/// An instant, or what stands for none.
pub(super) fn when(at: Option<Timestamp>, none: &str) -> String {
    at.map_or_else(|| none.to_owned(), |at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// Until when something holds.
pub(super) fn until(end: Option<Timestamp>) -> String {
    end.map_or_else(|| "until it is revoked".to_owned(), |end| format!("until {}", when(Some(end), "")))
}

/// `2s`, `15m`, `12h`, `30d`, at most ten years.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let read = || {
        let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return None,
        };
        let time = count.parse::<u64>().ok()?.checked_mul(seconds)?;
        Some(Duration::from_secs(time)).filter(|time| *time <= Duration::from_secs(3650 * 86_400))
    };
    read().ok_or_else(|| "give a time such as 30d, 12h, 15m or 2s, at most 3650d".to_owned())
}

/// A permission key.
pub(super) fn key(text: &str) -> Result<PermissionKey, String> {
    text.parse().map_err(|error: model::access::NotAPermissionKey| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(time("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(time("30d"), Ok(Duration::from_secs(30 * 86_400)));
        for bad in ["", "30", "d", "-1d", "1w", "4000d", "9é"] {
            assert!(time(bad).is_err(), "{bad}");
        }
    }
}
