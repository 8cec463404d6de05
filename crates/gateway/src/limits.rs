//! Limits on calls, held by all nodes together. What a limit leaves is metered once for all of them; each node draws some of it
//! at a time, through [`seams::Limits`](crate::seams::Limits), and lets calls through from what it has drawn. So most calls ask nobody,
//! and what nodes do not know of each other cannot add up to more than [`policy::meter`] says.
//!
//! A node draws when somebody waits for a call and there is none left, and twice a second for those who come next, in
//! proportion to those who came. What it does not need it brings back.

mod account;
mod floods;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use model::{AgentId, TenantId};
use parking_lot::{Mutex as SyncMutex, RwLock};
use policy::{Limit, Permit, meter};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::account::{Account, Asked, Drawing, Held, Took, Waiting};
pub(crate) use self::floods::{Floods, Noted};
use crate::seams::{BootClock, Limits, Metered, NotDrawn};

/// How long a call waits at most until it is known whether there is room for it.
const LONGEST: Duration = Duration::from_secs(2);
/// How long what was drawn may take to be brought back in the end; what is left then is used.
const LAST: Duration = Duration::from_secs(5);
/// Limits of agents that a node keeps in mind at a time; beyond, calls that such a limit counts are not let through.
const MOST: usize = 200_000;
/// The same of one tenant, so that none takes the place of all others.
const MOST_OF_ONE: usize = 50_000;
/// Tenants for which is drawn at a time, as the clock wants it.
const AT_A_TIME: usize = 2;

/// What this node has drawn.
pub(crate) struct Limiter {
    plug: Arc<dyn Limits>,
    clock: Arc<dyn BootClock>,
    tenants: RwLock<HashMap<TenantId, Arc<Books>>>,
    kept: Arc<AtomicU64>,
}

/// What it has drawn for one tenant.
struct Books {
    tenant: TenantId,
    accounts: RwLock<HashMap<Metered, Arc<Account>>>,
    /// Those at which somebody waits for the next draw.
    waited_at: SyncMutex<HashMap<Metered, Arc<Account>>>,
    /// Held by the one who draws.
    drawing: Arc<Mutex<()>>,
    /// How many draws have begun for those who wait.
    begun: AtomicU64,
}

/// What a call has taken of its limits. Unless it is spent, it is given back.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Few calls have more than one limit: those that have none or one allocate nothing.
    first: Option<Held>,
    more: Vec<Held>,
}

impl Taken {
    fn add(&mut self, held: Held) {
        match self.first {
            None => self.first = Some(held),
            Some(_) => self.more.push(held),
        }
    }

    /// The call is made.
    pub(crate) fn spend(self) {
        self.first.into_iter().chain(self.more).for_each(Held::spend);
    }
}

/// Why a call is not let through.
#[derive(Debug)]
pub(crate) enum Short {
    /// A limit leaves no room for it until so much time has passed.
    Reached { limit: Arc<Limit>, wait: Duration },
    /// It cannot be found out at the moment.
    Unknown,
}

/// Of the limits that leave no room, the one that leaves none for the longest: before that time another try is in vain.
#[derive(Default)]
struct Longest<'a>(Option<(&'a Arc<Limit>, Duration)>);

impl<'a> Longest<'a> {
    fn add(&mut self, limit: &'a Arc<Limit>, wait: Option<Duration>) {
        if let Some(wait) = wait
            && self.0.is_none_or(|(_, longest)| wait > longest)
        {
            self.0 = Some((limit, wait));
        }
    }

    fn is_any(&self) -> bool {
        self.0.is_some()
    }

    fn refuse(self) -> Result<(), Short> {
        match self.0 {
            None => Ok(()),
            Some((limit, wait)) => Err(Short::Reached { limit: Arc::clone(limit), wait }),
        }
    }
}

impl Limiter {
    pub(crate) fn new(plug: Arc<dyn Limits>, clock: Arc<dyn BootClock>) -> Self {
        Self { plug, clock, tenants: RwLock::default(), kept: Arc::default() }
    }

    /// Takes a call from each limit that counts it: from all of them, or from none.
    pub(crate) async fn take(&self, permit: &Permit, deadline: Instant) -> Result<Taken, Short> {
        let mut taken = Taken::default();
        let mut limits = permit.limits().peekable();
        if limits.peek().is_none() {
            return Ok(taken);
        }
        let until = deadline.min(Instant::now() + LONGEST);
        let agent = permit.principal().attribution.agent;
        let books = self.books(permit.tenant());
        let epoch = permit.epoch().number;
        let mut reached = Longest::default();
        let mut missing = Vec::new();
        for limit in limits {
            let account = self.account(&books, limit, agent).ok_or(Short::Unknown)?;
            if reached.is_any() {
                // It is refused: nothing is taken for it any more.
                reached.add(limit, account.closed_for(limit, self.clock.since_boot()));
                continue;
            }
            match account.take(limit, epoch, self.clock.since_boot(), false) {
                Took::One(held) => taken.add(held),
                Took::Closed(wait) => reached.add(limit, Some(wait)),
                Took::None => missing.push((limit, account)),
            }
        }
        reached.refuse()?;
        while !missing.is_empty() {
            let waiting: Vec<_> = missing.iter().map(|(_, account)| Waiting::at(account)).collect();
            let at = missing.iter().map(|(limit, account)| (metered(limit, agent), Arc::clone(account)));
            books.waited_at.lock().extend(at);
            let drawn = tokio::time::timeout_at(until, self.draw_for_waiting(&books)).await;
            drawn.map_err(|_| Short::Unknown)?.map_err(|_| Short::Unknown)?;
            let (now, mut reached, mut still) = (self.clock.since_boot(), Longest::default(), Vec::new());
            for (limit, account) in &missing {
                match account.take(limit, epoch, now, true) {
                    Took::One(held) => taken.add(held),
                    Took::Closed(wait) => reached.add(limit, Some(wait)),
                    Took::None => still.push((*limit, Arc::clone(account))),
                }
            }
            drop(waiting);
            reached.refuse()?;
            missing = still;
        }
        Ok(taken)
    }

    fn books(&self, tenant: TenantId) -> Arc<Books> {
        if let Some(books) = self.tenants.read().get(&tenant) {
            return Arc::clone(books);
        }
        let books = Books {
            tenant,
            accounts: RwLock::default(),
            waited_at: SyncMutex::default(),
            drawing: Arc::default(),
            begun: AtomicU64::new(0),
        };
        Arc::clone(self.tenants.write().entry(tenant).or_insert_with(|| Arc::new(books)))
    }

    fn account(&self, books: &Books, limit: &Limit, agent: AgentId) -> Option<Arc<Account>> {
        let metered = metered(limit, agent);
        if let Some(account) = books.accounts.read().get(&metered) {
            return Some(Arc::clone(account));
        }
        if self.kept.load(Ordering::Relaxed) >= MOST as u64 {
            tracing::warn!(tenant = %books.tenant, "too many limits are in use on this node");
            return None;
        }
        let mut accounts = books.accounts.write();
        if accounts.len() >= MOST_OF_ONE && !accounts.contains_key(&metered) {
            tracing::warn!(tenant = %books.tenant, "too many limits of one organization are in use on this node");
            return None;
        }
        let account = accounts.entry(metered).or_insert_with(|| {
            self.kept.fetch_add(1, Ordering::Relaxed);
            Arc::new(Account::new(limit))
        });
        Some(Arc::clone(account))
    }

    /// Draws for all who wait in a tenant. Who comes while somebody draws for others waits for the next draw, and shares it.
    async fn draw_for_waiting(&self, books: &Arc<Books>) -> Result<(), NotDrawn> {
        // We are counted among those who wait: whatever begins from here on is for us too.
        let before = books.begun.load(Ordering::SeqCst);
        let turn = Arc::clone(&books.drawing).lock_owned().await;
        if books.begun.load(Ordering::SeqCst) > before {
            return Ok(());
        }
        let (plug, clock, books) = (Arc::clone(&self.plug), Arc::clone(&self.clock), Arc::clone(books));
        // It goes on when its caller leaves: others wait for it, and what is drawn must not be lost.
        let drawn = tokio::spawn(async move {
            let drawn = books.draw(&*plug, &*clock, Account::wants_now, books.waited_at()).await;
            drop(turn);
            drawn
        });
        drawn.await.unwrap_or(Err(NotDrawn::InDoubt))
    }

    /// Draws ahead for those who will come and brings back what is not needed, twice a second, until `stop`; then brings back
    /// everything.
    pub(crate) async fn keep(&self, stop: &CancellationToken) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(meter::AHEAD) => {}
                () = stop.cancelled() => break,
            }
            self.tend(Account::wants_by_the_clock).await;
            self.forget_unused();
        }
        if tokio::time::timeout(LAST, self.tend(Account::wants_nothing_more)).await.is_err() {
            tracing::warn!("not everything that was drawn from limits was brought back in time");
        }
    }

    async fn tend(&self, wants: fn(&Account, Duration) -> Option<Asked>) {
        let all: Vec<_> = self.tenants.read().values().cloned().collect();
        futures::stream::iter(all)
            .for_each_concurrent(AT_A_TIME, |books| async move {
                let _turn = books.drawing.lock().await;
                // Who needs it finds out for itself.
                let all = books.accounts.read().clone();
                let _ = books.draw(&*self.plug, &*self.clock, wants, all).await;
            })
            .await;
    }

    fn forget_unused(&self) {
        self.tenants.write().retain(|_, books| {
            let mut accounts = books.accounts.write();
            let before = accounts.len();
            accounts.retain(|_, account| Arc::strong_count(account) > 1 || !account.is_unused());
            self.kept.fetch_sub((before - accounts.len()) as u64, Ordering::Relaxed);
            !accounts.is_empty() || Arc::strong_count(books) > 1
        });
    }
}

/// Where a limit is metered for an agent.
fn metered(limit: &Limit, agent: AgentId) -> Metered {
    Metered { limit: limit.id, agent: limit.scope.each_agent.then_some(agent) }
}

impl Books {
    /// Those at which somebody waits; whoever comes from here on waits for the draw after this one.
    fn waited_at(&self) -> HashMap<Metered, Arc<Account>> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        std::mem::take(&mut *self.waited_at.lock())
    }

    /// Draws what accounts want, all at once. Only for whoever has the turn.
    async fn draw(
        &self,
        plug: &dyn Limits,
        clock: &dyn BootClock,
        wants: fn(&Account, Duration) -> Option<Asked>,
        of: HashMap<Metered, Arc<Account>>,
    ) -> Result<(), NotDrawn> {
        let asked_at = clock.since_boot();
        let (mut drawings, mut draws) = (Vec::new(), Vec::new());
        for (metered, account) in of {
            if let Some(asked) = wants(&account, asked_at) {
                let drawing = Drawing::of(account, asked);
                draws.push(drawing.asking(metered));
                drawings.push(drawing);
            }
        }
        if draws.is_empty() {
            return Ok(());
        }
        let drawn = tokio::time::timeout(LONGEST, plug.draw(self.tenant, draws)).await;
        let drawn = match drawn.unwrap_or(Err(NotDrawn::InDoubt)) {
            Ok(drawn) if drawn.len() == drawings.len() => drawn,
            Err(NotDrawn::NothingDone) => {
                drawings.into_iter().for_each(Drawing::undone);
                return Err(NotDrawn::NothingDone);
            }
            // The meter may have taken back what was brought: it must not be let through as well.
            Ok(_) | Err(NotDrawn::InDoubt) => return Err(NotDrawn::InDoubt),
        };
        let now = clock.since_boot();
        for (drawing, drawn) in drawings.into_iter().zip(drawn) {
            drawing.brought(drawn, asked_at, now);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
