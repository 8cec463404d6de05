//! What a directory is built from: rows of one tenant, all read at one instant.

use ipnet::IpNet;
use model::access::{Grantee, PermissionKey};
use model::call::{Digest, Epoch};
use model::catalog::{ModuleKind, ModuleStanding, Timeouts, ToolStanding};
use model::limit::{Allowance, Scope};
use model::people::{Role, Slug, Standing, UnitKind};
use model::{
    AgentId, BundleId, ConnectionId, CredentialId, GrantId, LimitId, McpId, ModuleId, Money, RateId,
    TenantId, Timestamp, ToolId, UnitId, UserId, Zone,
};
use serde::{Deserialize, Serialize};

/// Everything that authorizes in one tenant, under one epoch.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Under which epoch the rows were read, in the same transaction.
    pub epoch: Epoch,
    /// The tenant.
    pub tenant: TenantFact,
    /// Its tree.
    pub units: Vec<UnitFact>,
    /// Its people.
    pub users: Vec<UserFact>,
    /// Its agents.
    pub agents: Vec<AgentFact>,
    /// Credentials that have not been revoked; expired ones included, so that the reason can be told.
    pub credentials: Vec<CredentialFact>,
    /// Its modules.
    pub modules: Vec<ModuleFact>,
    /// Their tools, whatever their standing.
    pub tools: Vec<ToolFact>,
    /// Grants that have not been revoked.
    pub grants: Vec<GrantFact>,
    /// Endpoints with a choice of the tools.
    pub bundles: Vec<BundleFact>,
    /// Limits on calls.
    pub limits: Vec<LimitFact>,
}

/// The tenant itself.
#[derive(Clone, Debug)]
pub struct TenantFact {
    /// Its id.
    pub id: TenantId,
    /// Its name in URLs.
    pub slug: Slug,
    /// Its name for people.
    pub name: String,
    /// The id in its MCP URL.
    pub mcp_id: McpId,
    /// Whether anything may be called at all.
    pub standing: Standing,
    /// Whether an owner has stopped all agents.
    pub agents_stopped: bool,
    /// Where its days begin.
    pub zone: Zone,
}

/// A department or team.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct UnitFact {
    /// Its id.
    pub id: UnitId,
    /// The unit above.
    pub parent: Option<UnitId>,
    /// Department or team.
    pub kind: UnitKind,
    /// Its name.
    pub name: String,
}

/// A person.
#[derive(Clone, Debug)]
pub struct UserFact {
    /// Their id.
    pub id: UserId,
    /// Their name.
    pub name: String,
    /// Home unit.
    pub home_unit: UnitId,
    /// Further units they are a member of.
    pub units: Vec<UnitId>,
    /// Roles held tenant-wide.
    pub roles: Vec<Role>,
    /// May they act.
    pub standing: Standing,
}

/// An agent.
#[derive(Clone, Debug)]
pub struct AgentFact {
    /// Its id.
    pub id: AgentId,
    /// Its name.
    pub name: String,
    /// Who answers for it.
    pub owner: UserId,
    /// Its unit.
    pub home_unit: UnitId,
    /// May it act.
    pub standing: Standing,
}

/// A credential.
#[derive(Clone, Debug)]
pub struct CredentialFact {
    /// Its id.
    pub id: CredentialId,
    /// Whose.
    pub agent: AgentId,
    /// The person the agent acts for when it presents this.
    pub on_behalf_of: Option<UserId>,
    /// SHA-256 of the whole key.
    pub secret_hash: Digest,
    /// From when it is refused.
    pub expires_at: Option<Timestamp>,
    /// From where it may come; empty: from anywhere.
    pub allowed_addresses: Vec<IpNet>,
}

/// A module.
#[derive(Clone, Debug)]
pub struct ModuleFact {
    /// Its id.
    pub id: ModuleId,
    /// Its permission key and the first part of its tools' names.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// How it is reached.
    pub kind: ModuleKind,
    /// Where, unless native.
    pub url: Option<String>,
    /// What we present there, if anything.
    pub connection: Option<ConnectionId>,
    /// Who answers for it.
    pub owner: Option<UserId>,
    /// Does it take calls.
    pub standing: ModuleStanding,
}

/// A tool.
#[derive(Clone, Debug)]
pub struct ToolFact {
    /// Its id.
    pub id: ToolId,
    /// The module that owns it.
    pub module: ModuleId,
    /// Its name inside the module, as the upstream knows it.
    pub name: String,
    /// The approved definition (an MCP `Tool` object) as JSON text.
    pub definition: String,
    /// SHA-256 of the canonical definition.
    pub definition_hash: Digest,
    /// The key one needs.
    pub key: PermissionKey,
    /// Where it stands.
    pub standing: ToolStanding,
    /// What a call costs.
    pub price: Money,
    /// By which rate; none when it costs nothing.
    pub rate: Option<RateId>,
    /// How long its server may take.
    pub timeouts: Timeouts,
}

/// A grant.
#[derive(Clone, Debug)]
pub struct GrantFact {
    /// Its id.
    pub id: GrantId,
    /// What it gives.
    pub key: PermissionKey,
    /// To whom.
    pub grantee: Grantee,
    /// Until when.
    pub expires_at: Option<Timestamp>,
}

/// An endpoint of its own with a choice of the tools. It gives no right: what it shows, its caller may call anyway.
#[derive(Clone, Debug)]
pub struct BundleFact {
    /// Its id.
    pub id: BundleId,
    /// The last part of its address.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// What is in it.
    pub tools: Vec<BundledFact>,
}

/// A tool in a bundle.
#[derive(Clone, Debug)]
pub struct BundledFact {
    /// Which.
    pub tool: ToolId,
    /// What it is called there; of what is not a tool in MCP's narrower sense with what it is before it, as in
    /// [`ToolFact::name`].
    pub name: String,
}

/// A limit on calls. It takes no right: a call that it refuses is permitted a while later.
#[derive(Clone, Debug)]
pub struct LimitFact {
    /// Its id.
    pub id: LimitId,
    /// Which calls it counts.
    pub scope: Scope,
    /// How many, in which time.
    pub allowance: Allowance,
    /// Who set it, by name.
    pub set_by: String,
}
