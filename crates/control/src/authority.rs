//! What each role may do in the dashboard, the API and the command line. One table, read in one place.

use model::people::Role;
use model::words;

use crate::actor::{Actor, Who};

words! {
    /// What one may want to do.
    Deed {
        /// See calls of everybody in the tenant, without their content.
        ReadActivity = "activity.read",
        /// See arguments and results.
        ReadContent = "content.read",
        /// See units, people and agents.
        ReadPeople = "people.read",
        /// Change units, people and their roles.
        ChangePeople = "people.change",
        /// Make and unmake owners, and change what only they may: the owners' roles, standing and passwords.
        ChangeOwners = "owners.change",
        /// Suspend the organization or let it go on: for whoever runs the installation, no role includes it.
        ChangeTenant = "tenant.change",
        /// Change agents and issue or revoke their keys.
        ChangeAgents = "agents.change",
        /// See modules and tools.
        ReadCatalog = "catalog.read",
        /// Add modules, approve tools, set prices.
        ChangeCatalog = "catalog.change",
        /// See who may use what.
        ReadGrants = "grants.read",
        /// Give and revoke permission keys.
        ChangeGrants = "grants.change",
        /// See limits on calls, and how much of them is used.
        ReadLimits = "limits.read",
        /// Set limits on calls.
        ChangeLimits = "limits.change",
        /// See what calls cost, by whom.
        ReadMoney = "money.read",
        /// See the CRM's records without a permission key of it.
        ReadCrm = "crm.read",
        /// Change the CRM's records without a permission key of it.
        ChangeCrm = "crm.change",
        /// See the organization's settings and the record of changes to the set-up.
        ReadSettings = "settings.read",
        /// Change the organization's settings.
        ChangeSettings = "settings.change",
    }
}

/// Whether a role, held in the whole tenant, includes a deed.
pub fn includes(role: Role, deed: Deed) -> bool {
    use Deed::*;
    match role {
        Role::Owner => deed != ChangeTenant,
        Role::Admin => !matches!(deed, ChangeTenant | ChangeOwners),
        Role::Auditor => {
            matches!(
                deed,
                ReadActivity
                    | ReadContent
                    | ReadPeople
                    | ReadCatalog
                    | ReadGrants
                    | ReadLimits
                    | ReadMoney
                    | ReadCrm
                    | ReadSettings
            )
        }
        Role::Finance => matches!(deed, ReadActivity | ReadPeople | ReadCatalog | ReadMoney),
        Role::Approver => matches!(deed, ReadPeople | ReadCatalog),
        Role::Member => matches!(deed, ReadCatalog),
    }
}

/// Whether an actor may do a deed in the whole tenant.
pub fn may(actor: &Actor, deed: Deed) -> bool {
    match actor.who() {
        Who::Operator { .. } | Who::Worker => true,
        // What agents may do is decided by policy, call by call; none of the deeds above is theirs.
        Who::Agent(_) => false,
        Who::User { roles, .. } => roles.iter().any(|held| held.unit.is_none() && includes(held.role, deed)),
    }
}

/// All that an actor may do in the whole tenant.
pub fn deeds(actor: &Actor) -> Vec<Deed> {
    Deed::ALL.iter().copied().filter(|deed| may(actor, *deed)).collect()
}
