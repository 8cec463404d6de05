//! What we decide and remember: a slice for each capability, its SQL inside.
//!
//! Every function that touches a tenant takes an [`Actor`]; only an actor opens a [`tx::TenantTx`], which is the only
//! door to a tenant's rows; and the function authorizes inside it. Pages, API and command line only call these.

pub mod access;
pub mod account;
pub mod activity;
pub mod actor;
pub mod agents;
pub mod authority;
pub mod bundles;
pub mod credentials;
pub mod crm;
pub mod database;
pub mod directory;
mod error;
pub mod find;
mod given;
pub mod grants;
pub mod home;
pub mod invitations;
pub mod ledger;
pub mod limits;
pub mod mail;
pub mod modules;
pub mod money;
pub mod native;
pub mod nodes;
mod passwords;
pub mod people;
pub mod pulse;
pub mod resets;
pub mod revocations;
mod rows;
pub mod sessions;
pub mod settings;
pub mod sheet;
pub mod sign_in;
pub mod sign_ups;
pub mod tenants;
pub mod throttle;
mod token;
pub mod tx;
pub mod units;
pub mod users;
pub mod vault;

use std::sync::Arc;

use model::Ambient;
use sqlx::PgPool;

pub use actor::Actor;
pub use error::Error;

/// Everything the slices work with: connections, clock, keys. Cheap to clone.
#[derive(Clone)]
pub struct Control {
    pool: PgPool,
    ambient: Ambient,
    vault: Arc<vault::Vault>,
    pulse: pulse::Pulse,
    opened: Arc<modules::connections::Opened>,
    sends_mail: bool,
    shelf: Arc<directory::Shelf>,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").finish_non_exhaustive()
    }
}

impl Control {
    /// Joins a pool that is logged in as the application role (see [`database::connect`]), a clock and the master keys.
    pub fn new(pool: PgPool, ambient: Ambient, master_keys: vault::MasterKeys) -> Self {
        Self {
            pool,
            ambient,
            vault: Arc::new(vault::Vault::new(master_keys)),
            pulse: pulse::Pulse::default(),
            opened: Arc::default(),
            sends_mail: false,
            shelf: Arc::default(),
        }
    }

    /// The same, in an installation that sends mail.
    #[must_use]
    pub fn sending_mail(self) -> Self {
        Self { sends_mail: true, ..self }
    }

    /// The same, over other connections: for what must not wait until a page has been read.
    #[must_use]
    pub fn over(&self, pool: PgPool) -> Self {
        Self { pool, ..self.clone() }
    }

    /// Whether the installation sends mail. Where it does not, what goes by mail alone cannot be done.
    pub fn sends_mail(&self) -> bool {
        self.sends_mail
    }

    /// Time and randomness.
    pub fn ambient(&self) -> &Ambient {
        &self.ambient
    }

    /// Tells when something was recorded for a tenant on this node.
    pub fn pulse(&self) -> &pulse::Pulse {
        &self.pulse
    }

    pub(crate) fn vault(&self) -> &vault::Vault {
        &self.vault
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }
}
