//! What a decision knew of its principal, content-addressed: canonical JSON and its SHA-256.
//!
//! Records carry the address; the text is stored once for all calls that were decided under it, so that a
//! draft policy can be tried on them later. The text follows RFC 8785: the fields of each struct here stand
//! in alphabetical order, there are no numbers, and `serde_json` escapes strings as that RFC says.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::access::PermissionKey;
use model::call::Attribution;
use model::people::{Role, Standing};
use model::{AgentId, CredentialId, UnitId, UserId};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::directory::Directory;
use crate::people::{Agent, Person};

#[derive(Serialize)]
struct State<'a> {
    active: bool,
    agent: AgentId,
    /// Sorted.
    keys: Vec<&'a PermissionKey>,
    name: &'a str,
    on_behalf_of: Option<PersonState<'a>>,
    owner: OwnerState,
    /// From the top down to the home unit.
    unit_path: &'a [UnitId],
}

#[derive(Serialize)]
struct OwnerState {
    active: bool,
    user: UserId,
}

#[derive(Serialize)]
struct PersonState<'a> {
    active: bool,
    /// Sorted.
    keys: Vec<&'a PermissionKey>,
    /// Sorted.
    roles: BTreeSet<Role>,
    /// Home, further units and all above them, sorted.
    units: BTreeSet<UnitId>,
    user: UserId,
}

/// Attributes what is done with a credential.
pub(crate) fn attribute(
    directory: &Directory,
    credential: CredentialId,
    agent: &Agent,
    person: Option<&Arc<Person>>,
) -> Attribution {
    let may_act =
        |standing: Standing| standing == Standing::Active && directory.tenant.standing == Standing::Active;
    let on_behalf_of = person.map(|person| PersonState {
        active: may_act(person.standing),
        keys: person.keys.iter().collect(),
        roles: person.roles.iter().copied().collect(),
        units: person
            .units
            .iter()
            .filter_map(|unit| directory.tree.get(*unit))
            .flat_map(|unit| unit.path.iter().copied())
            .collect(),
        user: person.id,
    });
    let state = State {
        active: may_act(agent.standing) && !directory.tenant.agents_stopped,
        agent: agent.id,
        keys: agent.keys.iter().collect(),
        name: &agent.name,
        on_behalf_of,
        owner: OwnerState { active: may_act(agent.owner.standing), user: agent.owner.id },
        unit_path: &agent.path,
    };
    // Strings, lists and booleans always serialize.
    let state_json = serde_json::to_string(&state).unwrap_or_default();
    Attribution {
        tenant: directory.tenant.id,
        credential,
        agent: agent.id,
        owner: agent.owner.id,
        on_behalf_of: person.map(|person| person.id),
        unit_path: Arc::clone(&agent.path),
        state: Sha256::digest(&state_json).into(),
        state_json: state_json.into(),
    }
}
