//! Secrets and content at rest: every tenant has its own data key, sealed by the installation's master key.
//!
//! XChaCha20-Poly1305 with random 192-bit nonces. What is sealed is bound (as associated data) to its tenant and to
//! what it is, so that a row copied to another place does not open.
//!
//! Form of a sealed value: 1 byte format (1), 4 bytes key version (big endian), 24 bytes nonce, ciphertext with tag.
//!
//! What belongs to no tenant yet is sealed by the master key itself: 1 byte format (2), 16 bytes id of the master key,
//! 24 bytes nonce, ciphertext with tag.

use std::collections::HashMap;
use std::sync::Arc;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use model::{Ambient, TenantId};
use parking_lot::RwLock;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use zeroize::{Zeroize, Zeroizing};

use crate::actor::Actor;
use crate::tx::TenantTx;
use crate::{Control, Error};

const FORMAT: u8 = 1;
const HEADER: usize = 1 + 4 + 24;
const STORED_FORMAT: u8 = 2;
const MASTER_ID: usize = 16;
const STORED_HEADER: usize = 1 + MASTER_ID + 24;

/// The keys of the installation: the first seals, all can open.
pub struct MasterKeys {
    keys: Vec<(String, XChaCha20Poly1305)>,
}

/// A master key that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a master key is 32 random bytes in base64, such as `head -c 32 /dev/urandom | base64` gives")]
pub struct NotAMasterKey;

impl std::fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|(id, _)| id)).finish()
    }
}

impl MasterKeys {
    /// Reads keys from base64, the newest first.
    pub fn from_base64<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, NotAMasterKey> {
        use base64::Engine as _;
        let mut keys = Vec::new();
        for text in texts {
            let mut bytes =
                base64::engine::general_purpose::STANDARD.decode(text.trim()).map_err(|_| NotAMasterKey)?;
            let cipher = XChaCha20Poly1305::new_from_slice(&bytes).map_err(|_| NotAMasterKey)?;
            let id = hex::encode(Sha256::digest(&bytes)).chars().take(MASTER_ID).collect();
            bytes.zeroize();
            keys.push((id, cipher));
        }
        if keys.is_empty() { Err(NotAMasterKey) } else { Ok(Self { keys }) }
    }

    /// No key, for work that neither seals nor opens anything; whatever would need one fails.
    pub fn none() -> Self {
        Self { keys: Vec::new() }
    }
}

/// What a sealed value is; part of what it is bound to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum About {
    /// The arguments of a call.
    Arguments(Uuid),
    /// The result of a call.
    Result(Uuid),
    /// What a connection presents upstream.
    Connection(Uuid),
    /// What a module that is being added will be presented.
    Draft(Uuid),
    /// What a server asked during a call, and what it was answered.
    Exchange(Uuid),
    /// The token of a connection, with what it is renewed with.
    Token(Uuid),
    /// The same of a module that is being added.
    DraftToken(Uuid),
    /// The client that a tenant is to an authorization server.
    Client(Uuid),
    /// What is kept of a person who was sent to an authorization server.
    Request(Uuid),
}

impl About {
    fn bind(self, tenant: TenantId) -> [u8; 33] {
        let (kind, id) = match self {
            Self::Arguments(id) => (1, id),
            Self::Result(id) => (2, id),
            Self::Connection(id) => (3, id),
            Self::Draft(id) => (9, id),
            Self::Exchange(id) => (10, id),
            Self::Token(id) => (11, id),
            Self::DraftToken(id) => (12, id),
            Self::Client(id) => (13, id),
            Self::Request(id) => (14, id),
        };
        let mut bound = [kind; 33];
        let (_, rest) = bound.split_at_mut(1);
        let (first, second) = rest.split_at_mut(16);
        first.copy_from_slice(tenant.uuid().as_bytes());
        second.copy_from_slice(id.as_bytes());
        bound
    }
}

/// What a value is that the master key seals, because it belongs to no tenant yet; part of what it is bound to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stored {
    /// A mail in the outbox.
    Mail(Uuid),
    /// A sign-up that waits for its address to be proved, by the hash of its token.
    SignUp([u8; 32]),
    /// An asked-for password reset, by the hash of its token.
    Reset([u8; 32]),
}

impl Stored {
    fn bind(self) -> Vec<u8> {
        match self {
            Self::Mail(id) => [b"mail\n".as_slice(), id.as_bytes()].concat(),
            Self::SignUp(hash) => [b"sign_up\n".as_slice(), &hash].concat(),
            Self::Reset(hash) => [b"reset\n".as_slice(), &hash].concat(),
        }
    }
}

/// A sealed value that does not open: damaged, moved, or of a key that is not here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a stored secret of this organization cannot be opened; is the master key the one it was sealed with?"
)]
pub struct Unsealable;

impl From<Unsealable> for Error {
    fn from(_: Unsealable) -> Self {
        Error::inconsistent("a sealed value", Unsealable)
    }
}

/// The data keys of one tenant.
pub struct TenantKeys {
    tenant: TenantId,
    newest: u32,
    ciphers: HashMap<u32, XChaCha20Poly1305>,
}

impl std::fmt::Debug for TenantKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TenantKeys").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl TenantKeys {
    /// Seals with the newest key.
    pub fn seal(&self, ambient: &Ambient, about: About, plain: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let cipher = self.ciphers.get(&self.newest).ok_or(Unsealable)?;
        let nonce = ambient.bytes::<24>();
        let bound = about.bind(self.tenant);
        let sealed = cipher
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: plain, aad: &bound })
            .map_err(|_| Unsealable)?;
        let mut out = Vec::with_capacity(HEADER + sealed.len());
        out.push(FORMAT);
        out.extend_from_slice(&self.newest.to_be_bytes());
        out.extend_from_slice(&nonce);
        out.extend_from_slice(&sealed);
        Ok(out)
    }

    /// Opens what was sealed about the same thing for the same tenant.
    pub fn open(&self, about: About, sealed: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let (header, body) = sealed.split_at_checked(HEADER).ok_or(Unsealable)?;
        let [FORMAT, a, b, c, d, nonce @ ..] = header else { return Err(Unsealable) };
        let cipher = self.ciphers.get(&u32::from_be_bytes([*a, *b, *c, *d])).ok_or(Unsealable)?;
        let bound = about.bind(self.tenant);
        cipher.decrypt(XNonce::from_slice(nonce), Payload { msg: body, aad: &bound }).map_err(|_| Unsealable)
    }
}

/// Opens tenants' keys and keeps them in memory.
#[derive(Debug)]
pub struct Vault {
    master: MasterKeys,
    open: RwLock<HashMap<TenantId, Arc<TenantKeys>>>,
}

impl Vault {
    pub(crate) fn new(master: MasterKeys) -> Self {
        Self { master, open: RwLock::default() }
    }

    fn bind(tenant: TenantId, version: i32) -> Vec<u8> {
        let mut bound = tenant.uuid().as_bytes().to_vec();
        bound.extend_from_slice(&version.to_be_bytes());
        bound
    }

    /// Makes the first data key of a new tenant, in the transaction that makes the tenant.
    pub(crate) async fn found(&self, tx: &mut TenantTx, ambient: &Ambient) -> Result<(), Error> {
        let (master_id, cipher) = self.master.keys.first().ok_or(Unsealable)?;
        let key = Zeroizing::new(ambient.bytes::<32>());
        let nonce = ambient.bytes::<24>();
        let bound = Self::bind(tx.tenant(), 1);
        let mut sealed = nonce.to_vec();
        sealed.extend(
            cipher
                .encrypt(XNonce::from_slice(&nonce), Payload { msg: key.as_slice(), aad: &bound })
                .map_err(|_| Unsealable)?,
        );
        let (tenant, now) = (tx.tenant_uuid(), tx.now());
        sqlx::query!(
            "INSERT INTO tenant_keys (tenant_id, version, master_id, sealed, created_at) VALUES ($1, 1, $2, $3, $4)",
            tenant,
            master_id,
            sealed,
            now,
        )
        .execute(tx.conn())
        .await?;
        Ok(())
    }
}

impl Vault {
    /// Seals with the newest master key.
    pub(crate) fn seal_stored(
        &self,
        ambient: &Ambient,
        what: Stored,
        plain: &[u8],
    ) -> Result<Vec<u8>, Unsealable> {
        let (master_id, cipher) = self.master.keys.first().ok_or(Unsealable)?;
        let nonce = ambient.bytes::<24>();
        let sealed = cipher
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: plain, aad: &what.bind() })
            .map_err(|_| Unsealable)?;
        Ok([&[STORED_FORMAT], master_id.as_bytes(), nonce.as_slice(), &sealed].concat())
    }

    /// Opens what was sealed about the same thing, by whichever master key.
    pub(crate) fn open_stored(&self, what: Stored, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
        let (header, body) = sealed.split_at_checked(STORED_HEADER).ok_or(Unsealable)?;
        let (id, nonce) = header.split_at_checked(1 + MASTER_ID).ok_or(Unsealable)?;
        let [STORED_FORMAT, id @ ..] = id else { return Err(Unsealable) };
        let mut masters = self.master.keys.iter();
        let (_, master) = masters.find(|(known, _)| known.as_bytes() == id).ok_or(Unsealable)?;
        let plain = master.decrypt(XNonce::from_slice(nonce), Payload { msg: body, aad: &what.bind() });
        plain.map(Zeroizing::new).map_err(|_| Unsealable)
    }
}

/// Whether the master keys open a tenant's data keys, for whoever looks after the installation.
pub async fn opens(control: &Control, tenant: TenantId) -> Result<(), Error> {
    control.keys(tenant).await.map(drop)
}

impl Control {
    /// The data keys of a tenant; read once, then kept in memory.
    pub(crate) async fn keys(&self, tenant: TenantId) -> Result<Arc<TenantKeys>, Error> {
        if let Some(keys) = self.vault.open.read().get(&tenant) {
            return Ok(keys.clone());
        }
        let mut tx = Actor::worker(tenant).read(self).await?;
        let rows = sqlx::query!("SELECT version, master_id, sealed FROM tenant_keys ORDER BY version")
            .fetch_all(tx.conn())
            .await?;
        let mut ciphers = HashMap::new();
        let mut newest = 0;
        for row in rows {
            let (_, master) =
                self.vault.master.keys.iter().find(|(id, _)| *id == row.master_id).ok_or(Unsealable)?;
            let (nonce, body) = row.sealed.split_at_checked(24).ok_or(Unsealable)?;
            let key = Zeroizing::new(
                master
                    .decrypt(
                        XNonce::from_slice(nonce),
                        Payload { msg: body, aad: &Vault::bind(tenant, row.version) },
                    )
                    .map_err(|_| Unsealable)?,
            );
            let version = u32::try_from(row.version).map_err(|_| Unsealable)?;
            ciphers.insert(version, XChaCha20Poly1305::new_from_slice(&key).map_err(|_| Unsealable)?);
            newest = newest.max(version);
        }
        if ciphers.is_empty() {
            return Err(Error::inconsistent(format!("tenant {tenant}"), "it has no data key"));
        }
        let keys = Arc::new(TenantKeys { tenant, newest, ciphers });
        self.vault.open.write().insert(tenant, keys.clone());
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counter(std::sync::atomic::AtomicU8);
    impl model::ambient::Entropy for Counter {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        }
    }
    impl model::ambient::Clock for Counter {
        fn now(&self) -> model::Timestamp {
            model::Timestamp::UNIX_EPOCH
        }
        fn since_boot(&self) -> std::time::Duration {
            std::time::Duration::ZERO
        }
    }

    fn keys(tenant: u128, versions: &[u32]) -> TenantKeys {
        TenantKeys {
            tenant: Uuid::from_u128(tenant).into(),
            newest: versions.iter().copied().max().unwrap(),
            ciphers: versions
                .iter()
                .map(|v| (*v, XChaCha20Poly1305::new_from_slice(&[*v as u8; 32]).unwrap()))
                .collect(),
        }
    }

    #[test]
    fn a_sealed_value_opens_only_where_it_belongs() {
        let ambient = Ambient::new(Arc::new(Counter(0.into())), Arc::new(Counter(0.into())));
        let call = Uuid::from_u128(9);
        let old = keys(1, &[1]).seal(&ambient, About::Arguments(call), b"{\"a\":1}").unwrap();
        // An older key still opens after a newer one was added.
        let both = keys(1, &[1, 2]);
        assert_eq!(both.open(About::Arguments(call), &old).unwrap(), b"{\"a\":1}");
        assert_eq!(both.open(About::Result(call), &old), Err(Unsealable));
        assert_eq!(both.open(About::Arguments(Uuid::from_u128(8)), &old), Err(Unsealable));
        assert_eq!(keys(2, &[1]).open(About::Arguments(call), &old), Err(Unsealable));
        assert_eq!(keys(1, &[2]).open(About::Arguments(call), &old), Err(Unsealable));
        for at in 0..old.len() {
            let mut bad = old.clone();
            bad[at] ^= 1;
            assert_eq!(both.open(About::Arguments(call), &bad), Err(Unsealable), "byte {at}");
        }
        assert_eq!(both.open(About::Arguments(call), &old[..10]), Err(Unsealable));
    }

    #[test]
    fn what_the_master_key_seals_opens_with_that_key_alone_and_as_what_it_was() {
        let ambient = Ambient::new(Arc::new(Counter(0.into())), Arc::new(Counter(0.into())));
        let key = |byte: u8| {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD.encode([byte; 32])
        };
        let vault = |keys: &[u8]| {
            let keys: Vec<_> = keys.iter().map(|byte| key(*byte)).collect();
            Vault::new(MasterKeys::from_base64(keys.iter().map(String::as_str)).unwrap())
        };
        let what = Stored::SignUp([7; 32]);
        let sealed = vault(&[1]).seal_stored(&ambient, what, b"somebody").unwrap();
        // The key was rotated meanwhile.
        assert_eq!(*vault(&[2, 1]).open_stored(what, &sealed).unwrap(), b"somebody");
        assert!(vault(&[2]).open_stored(what, &sealed).is_err());
        assert!(vault(&[1]).open_stored(Stored::Reset([7; 32]), &sealed).is_err());
        assert!(vault(&[1]).open_stored(Stored::SignUp([8; 32]), &sealed).is_err());
        for at in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            assert!(vault(&[1]).open_stored(what, &bad).is_err(), "byte {at}");
        }
        assert!(vault(&[1]).open_stored(what, &sealed[..20]).is_err());
        assert!(Vault::new(MasterKeys::none()).seal_stored(&ambient, what, b"x").is_err());
    }

    #[test]
    fn a_master_key_is_32_bytes() {
        assert!(MasterKeys::from_base64(["AAAA"]).is_err());
        assert!(MasterKeys::from_base64([]).is_err());
        assert!(MasterKeys::from_base64(["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]).is_ok());
    }
}
