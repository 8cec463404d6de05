//! Who there is in a directory: people, agents and their credentials, resolved when it is built.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use cedar_policy::EntityUid;
use ipnet::IpNet;
use model::call::{Digest, ReasonCode};
use model::people::{Role, Standing};
use model::{AgentId, CredentialId, Timestamp, UnitId, UserId};

use crate::directory::{BuildError, Directory, Principal, Unauthenticated};
use crate::facts::CredentialFact;
use crate::keys::{Keys, over};
use crate::state;

/// A person.
#[derive(Debug)]
pub(crate) struct Person {
    pub(crate) id: UserId,
    pub(crate) name: String,
    /// Home first, then the further units.
    pub(crate) units: Vec<UnitId>,
    pub(crate) roles: Vec<Role>,
    pub(crate) standing: Standing,
    pub(crate) keys: Arc<Keys>,
    pub(crate) uid: EntityUid,
}

/// An agent.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) id: AgentId,
    pub(crate) name: String,
    pub(crate) owner: Arc<Person>,
    pub(crate) unit_name: String,
    /// From the top down to its home unit.
    pub(crate) path: Arc<[UnitId]>,
    pub(crate) standing: Standing,
    pub(crate) keys: Arc<Keys>,
    pub(crate) uid: EntityUid,
}

/// A credential and, once it has been presented, the principal that it stands for.
#[derive(Debug)]
pub(crate) struct Credential {
    fact: CredentialFact,
    agent: Arc<Agent>,
    person: Option<Arc<Person>>,
    /// Made at first use: most credentials are not presented between two epochs, and the state is long to
    /// write.
    principal: OnceLock<Arc<Principal>>,
}

/// Credentials by the SHA-256 of the key, and by id for those whom the dashboard lets act as an agent.
#[derive(Debug, Default)]
pub(crate) struct Credentials {
    by_hash: HashMap<Digest, Credential>,
    hashes: HashMap<CredentialId, Digest>,
}

impl Credentials {
    pub(crate) fn add(
        &mut self,
        fact: CredentialFact,
        agent: Arc<Agent>,
        person: Option<Arc<Person>>,
    ) -> Result<(), BuildError> {
        let what = format!("the secret of {} of agent {}", fact.id, agent.name);
        let credential = Credential { agent, person, principal: OnceLock::new(), fact };
        self.hashes.insert(credential.fact.id, credential.fact.secret_hash);
        match self.by_hash.insert(credential.fact.secret_hash, credential) {
            None => Ok(()),
            Some(_) => Err(BuildError::Twice { what }),
        }
    }
}

impl Directory {
    /// Finds whom a credential stands for, without its key: for a person who was authorized to act as its agent.
    /// Everything else holds as it does for the key itself.
    ///
    /// # Errors
    /// As [`Directory::authenticate`].
    pub fn authenticate_as(
        &self,
        credential: CredentialId,
        from: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Arc<Principal>, Unauthenticated> {
        let hash = self.credentials.hashes.get(&credential).ok_or(Unauthenticated::Unknown)?;
        self.authenticate(hash, from, now)
    }

    /// Finds who presents a key, by the SHA-256 of the whole key. `from` is the address that the request came
    /// from.
    ///
    /// # Errors
    /// [`Unauthenticated::Unknown`] when no credential has this hash; [`Unauthenticated::Refused`] when one
    /// has and may not be used: expired (at `expires_at` itself already), from elsewhere than it allows, or
    /// with the tenant, the agent, its owner or the person it acts for suspended. The first of these that
    /// applies, in this order.
    pub fn authenticate(
        &self,
        hash: &Digest,
        from: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Arc<Principal>, Unauthenticated> {
        // No constant-time comparison is needed. What the time of this look-up could tell is how far the
        // digest of a guess agrees with a digest that we hold. Digests of one's choice cannot be made, and
        // knowing even the whole digest brings nobody nearer to the 256 random bits behind it.
        let credential = self.credentials.by_hash.get(hash).ok_or(Unauthenticated::Unknown)?;
        let principal = credential.principal.get_or_init(|| Arc::new(credential.introduce(self)));
        let refusal = if over(credential.fact.expires_at, now) {
            Some((ReasonCode::CredentialExpired, self.credential_expired(principal)))
        } else if !allows(&credential.fact.allowed_addresses, from) {
            Some((ReasonCode::CredentialAddress, self.credential_address(principal, from)))
        } else {
            self.suspension(principal).map(|(code, sentence)| (code, format!("Refused: {sentence}")))
        };
        match refusal {
            None => Ok(Arc::clone(principal)),
            Some((code, sentence)) => {
                Err(Unauthenticated::Refused { principal: Arc::clone(principal), code, sentence })
            }
        }
    }
}

impl Credential {
    fn introduce(&self, directory: &Directory) -> Principal {
        directory.introduce(self.fact.id, self.fact.expires_at, &self.agent, self.person.as_ref())
    }
}

impl Directory {
    /// An agent, for itself or on behalf of a person, as it stands behind a credential.
    pub(crate) fn introduce(
        &self,
        credential: CredentialId,
        expires_at: Option<Timestamp>,
        agent: &Arc<Agent>,
        person: Option<&Arc<Person>>,
    ) -> Principal {
        Principal {
            attribution: Arc::new(state::attribute(self, credential, agent, person)),
            agent_name: agent.name.clone(),
            unit_name: agent.unit_name.clone(),
            owner_name: agent.owner.name.clone(),
            on_behalf_of_name: person.map(|person| person.name.clone()),
            expires_at,
            origin: self.origin,
            agent: Arc::clone(agent),
            person: person.cloned(),
            limits: self.limits.of(agent),
        }
    }
}

/// Whether a credential may be used from an address. Without a list, from anywhere; with one, an unknown
/// address is not on it. An IPv4 address that arrives as IPv6 (`::ffff:192.0.2.1`, RFC 4291 section 2.5.5.2)
/// is the IPv4 address.
fn allows(allowed: &[IpNet], from: Option<IpAddr>) -> bool {
    allowed.is_empty()
        || from.is_some_and(|from| {
            let canonical = from.to_canonical();
            allowed.iter().any(|net| net.contains(&canonical) || net.contains(&from))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_allowed_as_listed() {
        let nets: Vec<IpNet> = vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        for (from, allowed) in [
            (Some("192.0.2.77"), true),
            (Some("::ffff:192.0.2.77"), true),
            (Some("2001:db8::1"), true),
            (Some("192.0.3.1"), false),
            (Some("::ffff:192.0.3.1"), false),
            (Some("2001:db9::1"), false),
            (None, false),
        ] {
            assert_eq!(allows(&nets, from.map(|text| text.parse().unwrap())), allowed, "{from:?}");
        }
        assert!(allows(&[], None));
        assert!(allows(
            &["::ffff:192.0.2.0/120".parse().unwrap()],
            Some("::ffff:192.0.2.9".parse().unwrap())
        ));
    }
}
