//! Activity as it happens: new calls, and calls that have ended since they were shown.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use chrono::TimeDelta;
use futures::Stream;
use model::Timestamp;
use model::call::{CallRow, Outcome, Verdict};
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Filter, Range, Sight, store};
use crate::{Actor, Control, Error, rows, sign_in};

/// How long after the last look the next one is, when nothing is heard: calls may have come through other
/// nodes.
const UNHEARD: Duration = Duration::from_secs(2);
/// Looks are at least this far apart, however much is heard.
const APART: Duration = Duration::from_millis(250);
/// Ids are made when a request arrives and committed later, so each look begins this long before the last one
/// did.
const OVERLAP: TimeDelta = TimeDelta::seconds(10);
/// How often it is asked whether the actor may still look.
const RIGHTS: Duration = Duration::from_secs(10);
/// Most new calls of one look, and most running calls whose end is waited for: the newest. Nobody reads more.
const MOST: usize = 200;
/// For this long the end of a running call is waited for.
const PATIENCE: TimeDelta = TimeDelta::minutes(15);

/// New and changed calls that the actor may see, from ten seconds ago on; a call that ends is told once more.
/// When more than 200 come at once, the newest 200. Ends with an error when the actor's rights are gone or
/// the database is.
pub fn follow(
    control: &Control,
    actor: &Actor,
    filter: Filter,
) -> impl Stream<Item = Result<CallRow, Error>> + Send + 'static + use<> {
    let follower = Follower {
        beats: control.pulse().watch(actor.tenant()),
        looked: None,
        since: control.ambient().now(),
        checked: Instant::now(),
        told: Told::default(),
        ready: VecDeque::new(),
        control: control.clone(),
        actor: actor.clone(),
        filter,
    };
    futures::stream::unfold(Some(follower), |follower| async move {
        let mut follower = follower?;
        match follower.next().await {
            Ok(row) => Some((Ok(row), Some(follower))),
            Err(error) => Some((Err(error), None)),
        }
    })
}

struct Follower {
    control: Control,
    actor: Actor,
    filter: Filter,
    beats: watch::Receiver<u64>,
    /// When the last look was.
    looked: Option<Instant>,
    /// Up to when the last look saw, before what may still be on its way.
    since: Timestamp,
    /// When the actor's rights were asked for last.
    checked: Instant,
    told: Told,
    ready: VecDeque<CallRow>,
}

impl Follower {
    async fn next(&mut self) -> Result<CallRow, Error> {
        loop {
            if let Some(row) = self.ready.pop_front() {
                return Ok(row);
            }
            self.wait().await;
            if self.checked.elapsed() >= RIGHTS {
                self.check_rights().await?;
            }
            self.look().await?;
        }
    }

    async fn wait(&mut self) {
        let Some(looked) = self.looked else { return };
        tokio::time::sleep_until(looked + APART).await;
        tokio::select! {
            changed = self.beats.changed() => if changed.is_err() {
                // Nothing will ever be heard again.
                tokio::time::sleep_until(looked + UNHEARD).await;
            },
            () = tokio::time::sleep_until(looked + UNHEARD) => {}
        }
    }

    async fn check_rights(&mut self) -> Result<(), Error> {
        if let Some(user) = self.actor.user_id() {
            self.actor = sign_in::actor(&self.control, self.actor.tenant(), user)
                .await?
                .ok_or_else(|| Error::not_found("activity that you may see any more"))?;
        }
        self.checked = Instant::now();
        Ok(())
    }

    async fn look(&mut self) -> Result<(), Error> {
        self.looked = Some(Instant::now());
        self.beats.borrow_and_update();
        let now = self.control.ambient().now();
        let from = rows::uuid_floor(self.since - OVERLAP);
        let sight = Sight::of(&self.actor)?;
        let mut tx = self.actor.read(&self.control).await?;
        tx.bound_time().await?;
        // How a call ended is looked at below: it may end long after it was received.
        let filter = Filter { outcome: None, ..self.filter.clone() };
        let most = i64::try_from(MOST).unwrap_or(i64::MAX);
        let mut ids = store::newest(&mut tx, &sight, &filter, Range::of(&filter).from(from), most).await?;
        ids.extend(self.told.running().filter(|id| *id < from));
        let found = store::rows(&mut tx, &ids).await?;
        self.since = now;
        for row in found.into_iter().rev() {
            if self.told.is_news(&row)
                && self.filter.outcome.is_none_or(|outcome| row.outcome == Some(outcome))
            {
                self.ready.push_back(row);
            }
        }
        self.told.forget(from, rows::uuid_floor(now - PATIENCE));
        Ok(())
    }
}

/// What was told before, as long as it can come up again.
#[derive(Default)]
struct Told {
    calls: BTreeMap<Uuid, State>,
}

#[derive(Clone, Copy, Debug)]
struct State {
    outcome: Option<Outcome>,
    /// It runs, and its end is waited for.
    awaited: bool,
}

impl Told {
    fn running(&self) -> impl Iterator<Item = Uuid> {
        self.calls.iter().filter(|(_, state)| state.awaited).map(|(id, _)| *id)
    }

    /// Whether a row is new, or has ended since it was told.
    fn is_news(&mut self, row: &CallRow) -> bool {
        let running = row.verdict == Verdict::Permit && row.outcome.is_none();
        match self.calls.entry(row.id.uuid()) {
            Entry::Vacant(entry) => {
                entry.insert(State { outcome: row.outcome, awaited: running });
                true
            }
            Entry::Occupied(mut entry) => {
                let state = entry.get_mut();
                let news = state.outcome != row.outcome;
                *state = State { outcome: row.outcome, awaited: state.awaited && running };
                news
            }
        }
    }

    /// Forgets what no look will find again: ended calls before `from`, and running ones before `lost`.
    fn forget(&mut self, from: Uuid, lost: Uuid) {
        self.calls.retain(|id, state| *id >= from || (state.awaited && *id >= lost));
        let beyond = self.running().count().saturating_sub(MOST);
        for (_, state) in self.calls.iter_mut().filter(|(_, state)| state.awaited).take(beyond) {
            state.awaited = false;
        }
        // Of the overlap only the newest are looked at; older ones are not found again.
        while self.calls.len() > 4 * MOST {
            self.calls.pop_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: u128, outcome: Option<Outcome>) -> CallRow {
        CallRow {
            id: Uuid::from_u128(id).into(),
            received_at: Timestamp::UNIX_EPOCH,
            agent: Uuid::nil().into(),
            agent_name: String::new(),
            owner: Uuid::nil().into(),
            owner_name: String::new(),
            on_behalf_of: None,
            on_behalf_of_name: None,
            unit: None,
            unit_name: None,
            tool_name: String::new(),
            verdict: Verdict::Permit,
            reason: None,
            outcome,
            duration_us: None,
            charge: None,
        }
    }

    #[test]
    fn a_call_is_told_once_when_it_begins_and_once_when_it_ends() {
        let mut told = Told::default();
        assert!(told.is_news(&row(1, None)));
        assert!(!told.is_news(&row(1, None)));
        // It runs on while the overlap moves past it.
        told.forget(Uuid::from_u128(100), Uuid::nil());
        assert_eq!(told.running().count(), 1);
        assert!(told.is_news(&row(1, Some(Outcome::Succeeded))));
        assert!(!told.is_news(&row(1, Some(Outcome::Succeeded))));
        told.forget(Uuid::from_u128(100), Uuid::nil());
        assert!(told.calls.is_empty());
    }

    #[test]
    fn memory_is_bounded_and_nothing_is_told_twice_for_it() {
        let mut told = Told::default();
        for n in 0..10_000 {
            told.is_news(&row(n, None));
            told.forget(Uuid::nil(), Uuid::nil());
        }
        assert!(told.calls.len() <= 4 * MOST && told.running().count() <= MOST);
        for n in 10_000 - MOST as u128..10_000 {
            assert!(!told.is_news(&row(n, None)));
        }
    }
}
