//! Snapshots of tenants, kept in memory and read anew when a tenant's epoch moves.
//!
//! A notification tells early that it has. Nothing depends on it: a decision made on an old snapshot is refused by
//! the ledger, which then says so.

mod store;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use model::call::Epoch;
use model::{McpId, TenantId};
use parking_lot::RwLock;
use policy::Directory;
use sqlx::postgres::PgListener;
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

use crate::{Control, Error};

/// At most this often is the database asked whether a tenant's epoch has moved.
const BETWEEN_CHECKS: Duration = Duration::from_millis(25);
/// While notifications cannot be heard, a snapshot is used this long before the epoch is asked for.
const UNHEARD: Duration = Duration::from_secs(1);
/// So often is it tried to read what was heard to have changed. A call that comes later tries as well.
const TRIES: usize = 5;

/// The snapshots of this node. Cheap to clone.
#[derive(Clone)]
pub struct Directories {
    inner: Arc<Inner>,
}

struct Inner {
    control: Control,
    /// Whether notifications are being heard.
    hearing: AtomicBool,
}

/// The snapshots that a process has, for the path of calls and for pages alike.
#[derive(Default)]
pub(crate) struct Shelf {
    slots: RwLock<HashMap<McpId, Arc<Slot>>>,
}

struct Slot {
    tenant: TenantId,
    current: ArcSwapOption<Directory>,
    /// Held by the one who asks the database; says when that was last done.
    asking: Mutex<Option<Instant>>,
    /// Until when at least the snapshot was the newest: when the last question began whose answer said so.
    confirmed: RwLock<Instant>,
    /// Tells those who wait that there is another snapshot.
    moved: watch::Sender<()>,
}

impl std::fmt::Debug for Directories {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directories").field("tenants", &self.inner.control.shelf.slots.read().len()).finish()
    }
}

/// Reads everything that authorizes in a tenant, at one instant.
pub async fn facts(control: &Control, tenant: TenantId) -> Result<policy::Facts, Error> {
    store::facts(control, tenant, None).await
}

/// The same, with those tools alone whose keys are of these modules: what is asked of a few keys need not carry the
/// definitions of all tools.
pub(crate) async fn facts_of(
    control: &Control,
    tenant: TenantId,
    modules: &[String],
) -> Result<policy::Facts, Error> {
    store::facts(control, tenant, Some(modules)).await
}

/// The snapshot that holds at this moment, for pages: they must show what was changed a moment ago. When nothing was,
/// this costs one small question; else whatever building a snapshot takes, once for all who ask.
pub async fn present(control: &Control, tenant: TenantId) -> Result<Arc<Directory>, Error> {
    let (epoch, endpoint) = store::head(control, tenant).await?;
    let slot = control.shelf.slot(endpoint, tenant);
    let now = control.ambient().now();
    let holds = |directory: &Arc<Directory>| {
        directory.epoch() == epoch && directory.stale_at().is_none_or(|at| at > now)
    };
    if let Some(directory) = slot.current.load_full().filter(holds) {
        return Ok(directory);
    }
    let mut asked = slot.asking.lock().await;
    // Somebody else may have read it while we waited for our turn.
    if let Some(directory) = slot.current.load_full().filter(holds) {
        return Ok(directory);
    }
    let directory = read(control, &slot).await?;
    *asked = Some(Instant::now());
    Ok(directory)
}

/// Reads a snapshot and puts it in its place. Only for whoever holds [`Slot::asking`].
async fn read(control: &Control, slot: &Slot) -> Result<Arc<Directory>, Error> {
    let began = Instant::now();
    let facts = store::facts(control, slot.tenant, None).await?;
    let now = control.ambient().now();
    // Building thousands of entities must not hold up the other tasks of this thread.
    let directory = tokio::task::spawn_blocking(move || Directory::build(facts, now))
        .await
        .map_err(|error| Error::inconsistent("directory", error))?
        .map_err(|error| Error::inconsistent(format!("the set-up of {}", slot.tenant), error))?;
    let directory = Arc::new(directory);
    tracing::debug!(tenant = %slot.tenant, epoch = directory.epoch().number, took = ?began.elapsed(), "directory read");
    slot.current.store(Some(directory.clone()));
    *slot.confirmed.write() = began;
    slot.moved.send_replace(());
    Ok(directory)
}

impl Shelf {
    fn slot(&self, endpoint: McpId, tenant: TenantId) -> Arc<Slot> {
        if let Some(slot) = self.slots.read().get(&endpoint) {
            return slot.clone();
        }
        let slot = Arc::new(Slot {
            tenant,
            current: ArcSwapOption::empty(),
            asking: Mutex::new(None),
            confirmed: RwLock::new(Instant::now()),
            moved: watch::Sender::new(()),
        });
        self.slots.write().entry(endpoint).or_insert(slot).clone()
    }
}

impl Directories {
    /// No snapshot yet. Spawn [`Directories::listen`] beside it.
    pub fn new(control: Control) -> Self {
        Self { inner: Arc::new(Inner { control, hearing: AtomicBool::new(false) }) }
    }

    /// The newest snapshot this node has, read if there is none. `None`: there is no such endpoint.
    pub async fn current(&self, endpoint: McpId) -> Result<Option<Arc<Directory>>, Error> {
        let Some(slot) = self.slot(endpoint).await? else { return Ok(None) };
        let now = self.inner.control.ambient().now();
        match slot.current.load_full() {
            Some(directory) if directory.stale_at().is_some_and(|at| at <= now) => {
                self.read_again(&slot, None).await.map(Some)
            }
            Some(directory)
                if !self.inner.hearing.load(Ordering::Relaxed)
                    && slot.confirmed.read().elapsed() > UNHEARD =>
            {
                self.newer_of(&slot, directory.epoch()).await.map(Some)
            }
            Some(directory) => Ok(Some(directory)),
            None => self.read_again(&slot, None).await.map(Some),
        }
    }

    /// A snapshot that is not of the epoch `seen`; or that very one, when the database says it still holds.
    pub async fn newer(&self, endpoint: McpId, seen: Epoch) -> Result<Option<Arc<Directory>>, Error> {
        let Some(slot) = self.slot(endpoint).await? else { return Ok(None) };
        self.newer_of(&slot, seen).await.map(Some)
    }

    /// Waits until there is a snapshot that is not of the epoch `seen`; of itself it reads none. `None`: there is no such
    /// endpoint.
    pub async fn moved(&self, endpoint: McpId, seen: Epoch) -> Result<Option<Arc<Directory>>, Error> {
        let Some(slot) = self.slot(endpoint).await? else { return Ok(None) };
        let mut moved = slot.moved.subscribe();
        loop {
            if let Some(directory) = slot.current.load_full().filter(|directory| directory.epoch() != seen) {
                return Ok(Some(directory));
            }
            moved.changed().await.map_err(|error| Error::inconsistent("directory", error))?;
        }
    }

    async fn newer_of(&self, slot: &Slot, seen: Epoch) -> Result<Arc<Directory>, Error> {
        if let Some(directory) = slot.current.load_full().filter(|directory| directory.epoch() != seen) {
            return Ok(directory);
        }
        let mut asked = slot.asking.lock().await;
        // Somebody else may have read it while we waited for our turn.
        if let Some(directory) = slot.current.load_full().filter(|directory| directory.epoch() != seen) {
            return Ok(directory);
        }
        self.ask(slot, &mut asked).await
    }

    /// Sees to it that the snapshot, if there is one, is of `since` or later. That it is another than the one before says
    /// nothing of that: what is being read as a change is heard may be of before the change.
    async fn catch_up(&self, slot: &Slot, since: Instant) -> Result<(), Error> {
        let mut asked = slot.asking.lock().await;
        if slot.current.load().is_none() || *slot.confirmed.read() >= since {
            return Ok(());
        }
        self.ask(slot, &mut asked).await.map(drop)
    }

    /// Asks for the epoch, and reads the snapshot when it has moved.
    async fn ask(&self, slot: &Slot, asked: &mut Option<Instant>) -> Result<Arc<Directory>, Error> {
        if let Some(last) = *asked {
            tokio::time::sleep_until(last + BETWEEN_CHECKS).await;
        }
        let began = Instant::now();
        let epoch = store::epoch(&self.inner.control, slot.tenant).await?;
        *asked = Some(Instant::now());
        match slot.current.load_full() {
            Some(directory) if directory.epoch() == epoch => {
                *slot.confirmed.write() = began;
                Ok(directory)
            }
            _ => read(&self.inner.control, slot).await,
        }
    }

    /// Reads the snapshot anew unless somebody else did so since `unless_not`.
    async fn read_again(&self, slot: &Slot, unless_not: Option<Epoch>) -> Result<Arc<Directory>, Error> {
        let now = self.inner.control.ambient().now();
        let mut asked = slot.asking.lock().await;
        if let Some(directory) = slot.current.load_full() {
            let expired = directory.stale_at().is_some_and(|at| at <= now);
            if !expired && unless_not.is_none_or(|epoch| directory.epoch() != epoch) {
                return Ok(directory);
            }
        }
        let directory = read(&self.inner.control, slot).await?;
        *asked = Some(Instant::now());
        Ok(directory)
    }

    async fn slot(&self, endpoint: McpId) -> Result<Option<Arc<Slot>>, Error> {
        let shelf = &self.inner.control.shelf;
        if let Some(slot) = shelf.slots.read().get(&endpoint) {
            return Ok(Some(slot.clone()));
        }
        let found = sqlx::query_scalar!("SELECT tenant_of_endpoint($1)", endpoint.uuid())
            .fetch_one(self.inner.control.pool())
            .await?;
        Ok(found.map(|tenant| shelf.slot(endpoint, tenant.into())))
    }

    /// Hears that tenants' epochs have moved and reads those it holds anew. Runs until dropped; needs a direct
    /// connection to the database, not one through a pooler that shares sessions.
    pub async fn listen(self, url: secrecy::SecretString) {
        use secrecy::ExposeSecret as _;
        loop {
            match PgListener::connect(url.expose_secret()).await {
                Ok(listener) => {
                    if let Err(error) = self.hear(listener).await {
                        tracing::warn!(%error, "notifications of changed rights are not heard; asking instead");
                    }
                }
                Err(error) => tracing::warn!(%error, "cannot listen for changed rights; asking instead"),
            }
            self.inner.hearing.store(false, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn hear(&self, mut listener: PgListener) -> Result<(), sqlx::Error> {
        listener.eager_reconnect(false);
        listener.listen("directory").await?;
        // What was said before we listened was not heard.
        let slots: Vec<_> = self.inner.control.shelf.slots.read().values().cloned().collect();
        for slot in slots {
            self.refresh(slot);
        }
        self.inner.hearing.store(true, Ordering::Relaxed);
        while let Some(heard) = listener.try_recv().await? {
            let Ok(tenant) = heard.payload().parse::<uuid::Uuid>() else { continue };
            let slot = self
                .inner
                .control
                .shelf
                .slots
                .read()
                .values()
                .find(|slot| slot.tenant.uuid() == tenant)
                .cloned();
            if let Some(slot) = slot {
                self.refresh(slot);
            }
        }
        Ok(())
    }

    fn refresh(&self, slot: Arc<Slot>) {
        let (directories, heard) = (self.clone(), Instant::now());
        tokio::spawn(async move {
            for _ in 0..TRIES {
                let Err(error) = directories.catch_up(&slot, heard).await else { return };
                tracing::warn!(tenant = %slot.tenant, %error, "a changed directory could not be read");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
    }
}
