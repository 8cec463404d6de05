//! A tenant to decide in, made line by line. Ids are counted, so that every run has the same.

use std::sync::Arc;

use model::access::{Grantee, PermissionKey};
use model::call::{Digest, Epoch};
use model::catalog::{Feature, ModuleKind, ModuleStanding, ToolStanding};
use model::people::{Role, Standing, UnitKind};
use model::{
    AgentId, CredentialId, Currency, GrantId, McpId, ModuleId, Money, TenantId, Timestamp, ToolId, UnitId,
    UserId,
};
use policy::{
    AgentFact, BundleFact, BundledFact, CredentialFact, Decision, Directory, Facts, GrantFact, ModuleFact,
    Principal, TenantFact, Tool, ToolFact, UnitFact, UserFact,
};
use uuid::Uuid;

/// The instant `second` after the one at which directories are built here.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_timestamp(1_800_000_000 + second, 0).unwrap()
}

/// A permission key.
pub fn key(text: &str) -> PermissionKey {
    text.parse().unwrap()
}

/// The hash of credential number `n`.
pub fn hash(n: u8) -> Digest {
    [n; 32]
}

/// Facts in the making.
#[derive(Clone)]
pub struct World {
    /// What has been said so far.
    pub facts: Facts,
    last: u128,
}

impl World {
    /// An organization with nothing in it.
    pub fn new() -> Self {
        let facts = Facts {
            epoch: Epoch { number: 7, token: Uuid::from_u128(7) },
            tenant: TenantFact {
                id: TenantId::from(Uuid::from_u128(1)),
                slug: "acme".parse().unwrap(),
                name: "Acme".to_owned(),
                mcp_id: McpId::from(Uuid::from_u128(2)),
                standing: Standing::Active,
                agents_stopped: false,
                zone: model::Zone::UTC,
            },
            units: vec![],
            users: vec![],
            agents: vec![],
            credentials: vec![],
            modules: vec![],
            tools: vec![],
            grants: vec![],
            bundles: vec![],
            limits: vec![],
        };
        Self { facts, last: 2 }
    }

    fn id<T: From<Uuid>>(&mut self) -> T {
        self.last += 1;
        T::from(Uuid::from_u128(self.last))
    }

    /// A unit.
    pub fn unit(&mut self, name: &str, parent: Option<UnitId>) -> UnitId {
        let id = self.id();
        self.facts.units.push(UnitFact { id, parent, kind: UnitKind::Team, name: name.to_owned() });
        id
    }

    /// An active person with no roles.
    pub fn user(&mut self, name: &str, home_unit: UnitId) -> UserId {
        let id = self.id();
        self.facts.users.push(UserFact {
            id,
            name: name.to_owned(),
            home_unit,
            units: vec![],
            roles: vec![],
            standing: Standing::Active,
        });
        id
    }

    /// An active agent.
    pub fn agent(&mut self, name: &str, owner: UserId, home_unit: UnitId) -> AgentId {
        let id = self.id();
        let standing = Standing::Active;
        self.facts.agents.push(AgentFact { id, name: name.to_owned(), owner, home_unit, standing });
        id
    }

    /// A credential that never expires, with [`hash`] `n`.
    pub fn credential(&mut self, n: u8, agent: AgentId, on_behalf_of: Option<UserId>) -> CredentialId {
        self.credential_of(hash(n), agent, on_behalf_of)
    }

    /// A credential with any hash.
    pub fn credential_of(
        &mut self,
        secret_hash: Digest,
        agent: AgentId,
        on_behalf_of: Option<UserId>,
    ) -> CredentialId {
        let id = self.id();
        self.facts.credentials.push(CredentialFact {
            id,
            agent,
            on_behalf_of,
            secret_hash,
            expires_at: None,
            allowed_addresses: vec![],
        });
        id
    }

    /// A bundle with tools by names of its own.
    pub fn bundle(&mut self, name: &str, tools: &[(ToolId, &str)]) {
        let id = self.id();
        let (name, title) = (name.to_owned(), name.to_uppercase());
        let tools = tools.iter().map(|(tool, name)| BundledFact { tool: *tool, name: (*name).to_owned() });
        self.facts.bundles.push(BundleFact { id, name, title, tools: tools.collect() });
    }

    /// A live module.
    pub fn module(&mut self, name: &str, title: &str, owner: Option<UserId>) -> ModuleId {
        let id = self.id();
        self.facts.modules.push(ModuleFact {
            id,
            name: name.to_owned(),
            title: title.to_owned(),
            kind: ModuleKind::Native,
            url: None,
            connection: None,
            owner,
            standing: ModuleStanding::Live,
        });
        id
    }

    /// An approved tool.
    pub fn tool(&mut self, module: ModuleId, name: &str, wanted: &str) -> ToolId {
        let id = self.id();
        self.facts.tools.push(ToolFact {
            id,
            module,
            name: name.to_owned(),
            definition: format!(r#"{{"name":"{name}","inputSchema":{{"type":"object"}}}}"#),
            definition_hash: [3; 32],
            key: key(wanted),
            standing: ToolStanding::Approved,
            price: Money::zero(Currency::EUR),
            rate: None,
            timeouts: Default::default(),
        });
        id
    }

    /// A grant.
    pub fn grant(&mut self, given: &str, grantee: Grantee, expires_at: Option<Timestamp>) -> GrantId {
        let id = self.id();
        self.facts.grants.push(GrantFact { id, key: key(given), grantee, expires_at });
        id
    }

    /// Gives a person a role.
    pub fn role(&mut self, user: UserId, role: Role) {
        self.user_mut(user).roles.push(role);
    }

    /// A person, to change.
    pub fn user_mut(&mut self, id: UserId) -> &mut UserFact {
        self.facts.users.iter_mut().find(|user| user.id == id).unwrap()
    }

    /// The last person that was made, to change.
    pub fn user_mut_last(&mut self) -> &mut UserFact {
        self.facts.users.last_mut().unwrap()
    }

    /// An agent, to change.
    pub fn agent_mut(&mut self, id: AgentId) -> &mut AgentFact {
        self.facts.agents.iter_mut().find(|agent| agent.id == id).unwrap()
    }

    /// A credential, to change.
    pub fn credential_mut(&mut self, n: u8) -> &mut CredentialFact {
        self.facts.credentials.iter_mut().find(|credential| credential.secret_hash == hash(n)).unwrap()
    }

    /// A module, to change.
    pub fn module_mut(&mut self, id: ModuleId) -> &mut ModuleFact {
        self.facts.modules.iter_mut().find(|module| module.id == id).unwrap()
    }

    /// A tool, to change.
    pub fn tool_mut(&mut self, id: ToolId) -> &mut ToolFact {
        self.facts.tools.iter_mut().find(|tool| tool.id == id).unwrap()
    }

    /// The directory as of `at(0)`.
    pub fn directory(&self) -> Directory {
        Directory::build(self.facts.clone(), at(0)).unwrap()
    }
}

/// Who presents credential `n`.
pub fn principal(directory: &Directory, n: u8) -> Arc<Principal> {
    directory.authenticate(&hash(n), None, at(0)).unwrap()
}

/// A tool by its name.
pub fn tool(directory: &Directory, principal: &Principal, name: &str) -> Arc<Tool> {
    directory.resolve(principal, Feature::Tool, name).unwrap()
}

/// What is decided when the holder of credential `n` calls a tool at `at(0)`.
pub fn call(directory: &Directory, n: u8, name: &str) -> Decision {
    let principal = principal(directory, n);
    let tool = tool(directory, &principal, name);
    directory.decide(&principal, &tool, [9; 32], at(0))
}

/// An organization in which every refusal can be had. Marketing lies in Commerce; Sales lies beside it.
pub struct Acme {
    /// Its facts.
    pub world: World,
    /// The units Commerce, Marketing and Sales.
    pub units: [UnitId; 3],
    /// Dana Roth of Sales, who owns Gmail; role admin.
    pub dana: UserId,
    /// Mara Vogel of Marketing.
    pub mara: UserId,
    /// Inbox helper, Mara's agent in Marketing. Credential 1 is for itself, 2 on behalf of Dana.
    pub inbox: AgentId,
    /// Deal mover, Dana's agent in Sales. Credential 3 is for itself, 4 on behalf of Mara.
    pub mover: AgentId,
    /// `gmail`, owned by Dana, with `gmail.read` and `gmail.send` under `gmail:read` and `gmail:send`.
    pub gmail: ModuleId,
    /// `gmail.send`.
    pub send: ToolId,
}

impl Acme {
    /// Sales and role admin have `gmail:send`, Commerce and all below it `gmail:read`.
    pub fn new() -> Self {
        let mut world = World::new();
        let commerce = world.unit("Commerce", None);
        let marketing = world.unit("Marketing", Some(commerce));
        let sales = world.unit("Sales", Some(commerce));
        let dana = world.user("Dana Roth", sales);
        let mara = world.user("Mara Vogel", marketing);
        world.role(dana, Role::Admin);
        let inbox = world.agent("Inbox helper", mara, marketing);
        let mover = world.agent("Deal mover", dana, sales);
        world.credential(1, inbox, None);
        world.credential(2, inbox, Some(dana));
        world.credential(3, mover, None);
        world.credential(4, mover, Some(mara));
        let gmail = world.module("gmail", "Gmail", Some(dana));
        // Owned by nobody.
        let crm = world.module("crm", "CRM", None);
        world.tool(gmail, "read", "gmail:read");
        let send = world.tool(gmail, "send", "gmail:send");
        world.tool(crm, "list", "crm:read");
        world.grant("gmail:send", Grantee::Role(Role::Admin), None);
        world.grant("gmail:send", Grantee::Unit(sales), None);
        world.grant("gmail:read", Grantee::Unit(commerce), None);
        Self { world, units: [commerce, marketing, sales], dana, mara, inbox, mover, gmail, send }
    }
}
