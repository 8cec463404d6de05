//! Who does something. Only an actor opens a transaction on a tenant's rows.

use std::sync::Arc;

use model::call::Attribution;
use model::people::Role;
use model::{TenantId, UnitId, UserId};

use crate::authority::Deed;
use crate::tx::TenantTx;
use crate::{Control, Error};

/// A role as a person holds it: in the whole tenant, or on a unit and below.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HeldRole {
    /// The role.
    pub role: Role,
    /// Where; none: everywhere in the tenant.
    pub unit: Option<UnitId>,
}

/// Somebody acting in one tenant.
#[derive(Clone, Debug)]
pub struct Actor {
    tenant: TenantId,
    who: Who,
}

/// What kind of somebody.
#[derive(Clone, Debug)]
pub enum Who {
    /// A person, signed in. Made afresh for each request, so that a role that was taken away is gone.
    User {
        /// Their id.
        id: UserId,
        /// Their name, for the record.
        name: Arc<str>,
        /// What they may do.
        roles: Arc<[HeldRole]>,
    },
    /// An agent, through a native module. What it may do was decided by policy before.
    Agent(Arc<Attribution>),
    /// Whoever runs the installation, from its command line.
    Operator {
        /// Name of the operating system's user, for the record.
        name: Arc<str>,
    },
    /// The installation itself, in the background and on the path of calls.
    Worker,
}

impl Actor {
    /// A person whose session was checked. Only sign-in makes one.
    pub(crate) fn user(tenant: TenantId, id: UserId, name: &str, roles: Vec<HeldRole>) -> Self {
        Self { tenant, who: Who::User { id, name: name.into(), roles: roles.into() } }
    }

    /// An agent whose call was admitted.
    pub fn agent(who: Arc<Attribution>) -> Self {
        Self { tenant: who.tenant, who: Who::Agent(who) }
    }

    /// The operator, at the command line of the installation.
    pub fn operator(tenant: TenantId, name: &str) -> Self {
        Self { tenant, who: Who::Operator { name: name.into() } }
    }

    /// The installation itself.
    pub(crate) fn worker(tenant: TenantId) -> Self {
        Self { tenant, who: Who::Worker }
    }

    /// In which tenant.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Who.
    pub fn who(&self) -> &Who {
        &self.who
    }

    /// The person's id, if it is a person.
    pub fn user_id(&self) -> Option<UserId> {
        match &self.who {
            Who::User { id, .. } => Some(*id),
            _ => None,
        }
    }

    /// A name for the record.
    pub fn name(&self) -> &str {
        match &self.who {
            Who::User { name, .. } | Who::Operator { name } => name,
            Who::Agent(_) => "agent",
            Who::Worker => "WorkingAgents",
        }
    }

    /// The roles of a person; none for others.
    pub fn roles(&self) -> &[HeldRole] {
        match &self.who {
            Who::User { roles, .. } => roles,
            _ => &[],
        }
    }

    /// Opens a transaction that only reads.
    pub(crate) async fn read(&self, control: &Control) -> Result<TenantTx, Error> {
        TenantTx::read(control, self.clone()).await
    }

    /// Opens a transaction that writes rows which do not authorize anything.
    pub(crate) async fn write(&self, control: &Control) -> Result<TenantTx, Error> {
        TenantTx::write(control, self.clone()).await
    }

    /// Opens a transaction that changes who may do what: takes the tenant's gate first and moves its epoch. Nobody whose
    /// roles do not include the deed gets to the gate, which calls wait for; to them there is no `what`.
    pub(crate) async fn change(&self, control: &Control, deed: Deed, what: &str) -> Result<TenantTx, Error> {
        TenantTx::change(control, self.clone(), deed, what).await
    }

    /// The same for what a person does to themselves alone, which no role has to include.
    pub(crate) async fn change_self(&self, control: &Control, what: &str) -> Result<TenantTx, Error> {
        TenantTx::change_self(control, self.clone(), what).await
    }
}
