//! The tenant as Cedar entities. What the attributes mean is told in the crate's documentation.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;

use cedar_policy::{Entities, Entity, EntityId, EntityTypeName, EntityUid, RestrictedExpression as Value};
use model::access::PermissionKey;
use model::catalog::{ModuleStanding, ToolStanding};
use model::people::Role;
use model::{AgentId, ModuleId, TenantId, ToolId, UnitId, UserId};

use crate::catalog::Module;
use crate::directory::BuildError;
use crate::keys::Keys;
use crate::standing::Rules;

/// Gathers the entities of one tenant.
pub(crate) struct Gathering {
    kinds: Kinds,
    tenant: EntityUid,
    entities: Vec<Entity>,
}

struct Kinds {
    unit: EntityTypeName,
    role: EntityTypeName,
    user: EntityTypeName,
    agent: EntityTypeName,
    module: EntityTypeName,
    tool: EntityTypeName,
}

impl Gathering {
    pub(crate) fn new(tenant: TenantId) -> Result<Self, BuildError> {
        let kind = |name: &str| name.parse::<EntityTypeName>().map_err(cedar);
        let kinds = Kinds {
            unit: kind("Unit")?,
            role: kind("Role")?,
            user: kind("User")?,
            agent: kind("Agent")?,
            module: kind("Module")?,
            tool: kind("Tool")?,
        };
        let tenant = uid(&kind("Tenant")?, tenant);
        let entities = vec![Entity::new_no_attrs(tenant.clone(), HashSet::new())];
        Ok(Self { kinds, tenant, entities })
    }

    pub(crate) fn unit(&mut self, id: UnitId, parent: Option<UnitId>) {
        let above = parent.map_or_else(|| self.tenant.clone(), |parent| uid(&self.kinds.unit, parent));
        self.entities.push(Entity::new_no_attrs(uid(&self.kinds.unit, id), HashSet::from([above])));
    }

    /// The same, unless it is there already.
    pub(crate) fn unit_once(&mut self, id: UnitId, parent: Option<UnitId>) {
        let unit = uid(&self.kinds.unit, id);
        if self.entities.iter().all(|known| known.uid() != unit) {
            self.unit(id, parent);
        }
    }

    pub(crate) fn user_uid(&self, id: UserId) -> EntityUid {
        uid(&self.kinds.user, id)
    }

    pub(crate) fn user(
        &mut self,
        user: EntityUid,
        units: &[UnitId],
        roles: &[Role],
        active: bool,
        keys: &Keys,
    ) -> Result<EntityUid, BuildError> {
        let units = units.iter().map(|unit| uid(&self.kinds.unit, unit));
        let roles = roles.iter().map(|role| uid(&self.kinds.role, role.word()));
        let parents = units.chain(roles).collect();
        let attributes = [("active", Value::new_bool(active)), ("keys", set_of(keys))];
        self.add(user, attributes, parents)
    }

    pub(crate) fn agent(
        &mut self,
        id: AgentId,
        home: UnitId,
        owner: &EntityUid,
        active: bool,
        keys: &Keys,
    ) -> Result<EntityUid, BuildError> {
        let parents = HashSet::from([uid(&self.kinds.unit, home)]);
        let attributes = [
            ("active", Value::new_bool(active)),
            ("keys", set_of(keys)),
            ("owner", Value::new_entity_uid(owner.clone())),
        ];
        let agent = uid(&self.kinds.agent, id);
        self.add(agent, attributes, parents)
    }

    pub(crate) fn module(&mut self, id: ModuleId) -> EntityUid {
        let module = uid(&self.kinds.module, id);
        self.entities.push(Entity::with_uid(module.clone()));
        module
    }

    pub(crate) fn tool(
        &mut self,
        id: ToolId,
        module: &Module,
        keys: (&PermissionKey, &PermissionKey),
        standing: ToolStanding,
    ) -> Result<EntityUid, BuildError> {
        let (key, module_key) = keys;
        let live = module.fact.standing == ModuleStanding::Live;
        let attributes = [
            ("key", Value::new_string(key.as_str().to_owned())),
            ("moduleKey", Value::new_string(module_key.as_str().to_owned())),
            ("moduleLive", Value::new_bool(live)),
            ("standing", Value::new_string(standing.word().to_owned())),
        ];
        let tool = uid(&self.kinds.tool, id);
        self.add(tool, attributes, HashSet::from([module.uid.clone()]))
    }

    /// Takes an entity over from others, with everything above it. What is not there, or was taken over before, is
    /// passed over.
    pub(crate) fn copy(&mut self, from: &Entities, uid: &EntityUid) {
        let above = from.ancestors(uid).into_iter().flatten();
        for uid in above.chain(std::iter::once(uid)) {
            if self.entities.iter().all(|known| known.uid() != *uid) {
                self.entities.extend(from.get(uid).cloned());
            }
        }
    }

    fn add<const N: usize>(
        &mut self,
        uid: EntityUid,
        attributes: [(&str, Value); N],
        parents: HashSet<EntityUid>,
    ) -> Result<EntityUid, BuildError> {
        let attributes: HashMap<String, Value> =
            attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        self.entities.push(Entity::new(uid.clone(), attributes, parents).map_err(cedar)?);
        Ok(uid)
    }

    /// Checks all against the schema and works out who is under whom.
    pub(crate) fn close(self, rules: &Rules) -> Result<Entities, BuildError> {
        Entities::from_entities(self.entities, Some(rules.schema())).map_err(cedar)
    }
}

fn uid(kind: &EntityTypeName, id: impl Display) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id.to_string()))
}

fn set_of(keys: &Keys) -> Value {
    Value::new_set(keys.iter().map(|key| Value::new_string(key.as_str().to_owned())))
}

fn cedar(error: impl Display) -> BuildError {
    BuildError::Cedar(error.to_string())
}
