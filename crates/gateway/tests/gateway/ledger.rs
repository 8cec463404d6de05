//! A ledger and directories in memory that hold to the rules of the real ones: what was decided under another epoch is
//! stale, whatever its verdict.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use gateway::seams::{Directories, Ledger, Limits, MeterDraw, Metered, NotDrawn, Unavailable};
use model::call::{Entry, Epoch, NotAdmitted, Receipt, Rejection, Settlement};
use model::limit::{Per, Scope};
use model::{McpId, TenantId};
use parking_lot::Mutex;
use policy::Directory;
use policy::meter::{Drawn, Meter};
use tokio::sync::{Notify, watch};

use crate::world::at;

/// What the ledger does with the next entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mood {
    #[default]
    Honest,
    /// Cannot write.
    Unavailable,
    /// Waits until told to go on.
    Slow,
    /// Gives a receipt for another call.
    OtherCall,
    /// Gives a receipt for other arguments.
    OtherArguments,
    /// Says that the next so many decisions had expired.
    Expired(u32),
    /// Says that every decision is stale.
    AlwaysStale,
    /// Panics while it admits.
    Panics,
}

/// Remembers everything.
#[derive(Default)]
pub struct MemoryLedger {
    pub epoch: Mutex<Option<Epoch>>,
    pub mood: Mutex<Mood>,
    pub go_on: Notify,
    pub reached: Notify,
    pub entries: Mutex<Vec<Entry>>,
    pub settlements: Mutex<Vec<Settlement>>,
    pub rejections: Mutex<Vec<Rejection>>,
    pub attempts: AtomicU32,
    pub send_within: Mutex<Option<Duration>>,
}

impl MemoryLedger {
    /// The only settlement there is.
    pub fn settlement(&self) -> Settlement {
        let settlements = self.settlements.lock();
        assert_eq!(settlements.len(), 1, "exactly one settlement: {settlements:?}");
        settlements[0].clone()
    }

    /// The only entry there is.
    pub fn entry(&self) -> Entry {
        let entries = self.entries.lock();
        assert_eq!(entries.len(), 1, "exactly one entry: {entries:?}");
        entries[0].clone()
    }

    /// The codes of what was turned away.
    pub fn rejected(&self) -> Vec<(&'static str, u16)> {
        self.rejections.lock().iter().map(|rejection| (rejection.code, rejection.status)).collect()
    }

    /// Every permitted entry has exactly one settlement, and nothing else has one.
    pub fn assert_balanced(&self) {
        let mut permitted: Vec<_> = self
            .entries
            .lock()
            .iter()
            .filter(|entry| entry.verdict == model::call::Verdict::Permit)
            .map(|entry| entry.id)
            .collect();
        let mut settled: Vec<_> = self.settlements.lock().iter().map(|settlement| settlement.call).collect();
        permitted.sort();
        settled.sort();
        assert_eq!(permitted, settled);
    }
}

#[async_trait]
impl Ledger for MemoryLedger {
    async fn admit(&self, entry: Entry) -> Result<Receipt, NotAdmitted> {
        self.attempts.fetch_add(1, Ordering::SeqCst);
        self.reached.notify_one();
        let mood = *self.mood.lock();
        match mood {
            Mood::Unavailable => return Err(NotAdmitted::Unavailable),
            Mood::AlwaysStale => return Err(NotAdmitted::Stale { current: entry.epoch }),
            Mood::Slow => self.go_on.notified().await,
            Mood::Expired(left) if left > 0 => {
                *self.mood.lock() = Mood::Expired(left - 1);
                return Err(NotAdmitted::Expired);
            }
            Mood::Panics => panic!("the ledger broke"),
            _ => (),
        }
        let current = self.epoch.lock().expect("an epoch");
        if entry.epoch != current {
            return Err(NotAdmitted::Stale { current });
        }
        let mut receipt = Receipt {
            call: entry.id,
            arguments_digest: entry.arguments_digest,
            admitted_at: at(0),
            send_before: self.send_within.lock().unwrap_or(Duration::from_secs(2)),
        };
        match mood {
            Mood::OtherCall => receipt.call = model::CallId::from(uuid::Uuid::from_u128(99)),
            Mood::OtherArguments => receipt.arguments_digest = [9; 32],
            _ => (),
        }
        self.entries.lock().push(entry);
        Ok(receipt)
    }

    fn settle(&self, settlement: Settlement) {
        self.settlements.lock().push(settlement);
    }

    fn reject(&self, rejection: Rejection) {
        self.rejections.lock().push(rejection);
    }
}

/// Directories in memory: the snapshot that a node has, and the one that the database has.
pub struct MemoryDirectories {
    pub endpoint: McpId,
    pub had: Mutex<Arc<Directory>>,
    pub latest: Mutex<Arc<Directory>>,
    pub asked_for_newer: AtomicU32,
    pub unavailable: AtomicBool,
    /// Says that what the database has is another.
    pub told: watch::Sender<()>,
}

impl MemoryDirectories {
    pub fn new(endpoint: McpId, directory: Arc<Directory>) -> Self {
        Self {
            endpoint,
            had: Mutex::new(directory.clone()),
            latest: Mutex::new(directory),
            asked_for_newer: AtomicU32::new(0),
            unavailable: AtomicBool::new(false),
            told: watch::Sender::new(()),
        }
    }
}

#[async_trait]
impl Directories for MemoryDirectories {
    async fn current(&self, endpoint: McpId) -> Result<Option<Arc<Directory>>, Unavailable> {
        if self.unavailable.load(Ordering::SeqCst) {
            return Err(Unavailable);
        }
        Ok((endpoint == self.endpoint).then(|| self.had.lock().clone()))
    }

    async fn newer(&self, endpoint: McpId, _seen: Epoch) -> Result<Option<Arc<Directory>>, Unavailable> {
        self.asked_for_newer.fetch_add(1, Ordering::SeqCst);
        let latest = self.latest.lock().clone();
        *self.had.lock() = latest.clone();
        Ok((endpoint == self.endpoint).then_some(latest))
    }

    /// The database's word reaches the node by the one who waits for it.
    async fn moved(&self, endpoint: McpId, seen: Epoch) -> Result<Option<Arc<Directory>>, Unavailable> {
        let mut told = self.told.subscribe();
        while self.latest.lock().epoch() == seen {
            told.changed().await.map_err(|_| Unavailable)?;
        }
        self.newer(endpoint, seen).await
    }
}

/// Meters of limits in memory, as the nodes of an installation share them. The instant is the present one.
#[derive(Default)]
pub struct MemoryLimits {
    pub meters: Mutex<HashMap<(TenantId, Metered), Meter>>,
    pub broken: AtomicBool,
    /// For which kinds calls were refused.
    pub reached: Mutex<Vec<(Scope, Per)>>,
}

#[async_trait]
impl Limits for MemoryLimits {
    async fn draw(&self, tenant: TenantId, draws: Vec<MeterDraw>) -> Result<Vec<Drawn>, NotDrawn> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(NotDrawn::NothingDone);
        }
        let mut meters = self.meters.lock();
        let draw = |draw: MeterDraw| {
            let meter = meters.entry((tenant, draw.metered)).or_default();
            meter.draw(draw.allowance, draw.zone, at(0), draw.draw)
        };
        Ok(draws.into_iter().map(draw).collect())
    }

    fn reached(&self, scope: Scope, per: Per) {
        self.reached.lock().push((scope, per));
    }
}
