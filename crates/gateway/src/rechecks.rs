//! Servers that say that their lists have changed are not believed: they are asked again what they offer, and that is compared with
//! what was approved (`seams::Catalog`). Nothing becomes callable by it; what is no longer what was approved is frozen, and whoever
//! listens hears of that as of any other change of what they are shown.
//!
//! A server that says so without end is asked a few times, and then once in a while.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::gateway::House;
use crate::upstream::Key;

/// How often a server is asked in a row, and after what time once more.
const IN_A_ROW: u32 = 10;
const BETWEEN: Duration = Duration::from_secs(10);
/// What it says within this time is one change.
const GATHERING: Duration = Duration::from_millis(100);
/// From how many servers on those of which nothing was heard for long are forgotten.
const MANY: usize = 1024;

/// Which servers are to be asked again.
#[derive(Debug, Default)]
pub(crate) struct Rechecks(Mutex<HashMap<Key, Recheck>>);

#[derive(Debug)]
struct Recheck {
    left: u32,
    /// Since when `left` has been counted up.
    since: Instant,
    is_due: bool,
    asking: Arc<tokio::sync::Mutex<()>>,
}

impl Recheck {
    /// How often it may be asked by now.
    fn refill(&mut self, now: Instant) {
        let more = now.duration_since(self.since).as_secs() / BETWEEN.as_secs();
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        self.since += BETWEEN * more;
        self.left = self.left.saturating_add(more).min(IN_A_ROW);
        if self.left == IN_A_ROW {
            self.since = now;
        }
    }

    /// Takes one turn; or says when there is one.
    fn turn(&mut self, now: Instant) -> Result<(), Instant> {
        self.refill(now);
        if self.left == 0 {
            return Err(self.since + BETWEEN);
        }
        self.left -= 1;
        Ok(())
    }
}

impl Rechecks {
    /// Whether this is news: nobody is about to ask it anyway.
    fn is_news(&self, key: &Key, now: Instant) -> bool {
        let mut servers = self.0.lock();
        if servers.len() >= MANY {
            servers.retain(|_, recheck| {
                recheck.refill(now);
                recheck.is_due || recheck.left < IN_A_ROW
            });
        }
        let recheck = servers.entry(key.clone()).or_insert_with(|| Recheck {
            left: IN_A_ROW,
            since: now,
            is_due: false,
            asking: Arc::default(),
        });
        !std::mem::replace(&mut recheck.is_due, true)
    }

    /// Waits for a turn. What is said from then on is news again. None: it is forgotten.
    async fn turn(&self, key: &Key) -> Option<Arc<tokio::sync::Mutex<()>>> {
        tokio::time::sleep(GATHERING).await;
        loop {
            let until = {
                let mut servers = self.0.lock();
                let recheck = servers.get_mut(key)?;
                match recheck.turn(Instant::now()) {
                    Ok(()) => {
                        recheck.is_due = false;
                        return Some(recheck.asking.clone());
                    }
                    Err(until) => until,
                }
            };
            tokio::time::sleep_until(until).await;
        }
    }
}

/// A server says that what it offers has changed, or may have while it was not heard.
pub(crate) fn heard(house: &Weak<House>, key: &Key) {
    let Some(house) = house.upgrade() else { return };
    if !house.rechecks.is_news(key, Instant::now()) {
        return;
    }
    let (house, key) = (Arc::downgrade(&house), key.clone());
    tokio::spawn(async move {
        let rechecks = house.upgrade()?.rechecks.clone();
        let asking = rechecks.turn(&key).await?;
        let _one_at_a_time = asking.lock().await;
        recheck(&*house.upgrade()?, &key).await;
        Some(())
    });
}

async fn recheck(house: &House, key: &Key) {
    let discovered = house.discover_connected(key.tenant, &key.url, key.connection).await;
    match discovered {
        Ok(discovered) => {
            if house.plugs.catalog.offered(key.tenant, key.module, &key.url, discovered).await.is_err() {
                tracing::error!(module = %key.module, "what a server offers cannot be compared with what was approved");
            }
        }
        Err(error) => {
            tracing::info!(module = %key.module, %error, "a server says that its lists have changed, and does not tell them")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_says_so_without_end_is_asked_once_in_a_while() {
        let begin = Instant::now();
        let mut recheck = Recheck { left: IN_A_ROW, since: begin, is_due: false, asking: Arc::default() };
        for _ in 0..IN_A_ROW {
            assert_eq!(recheck.turn(begin + BETWEEN / 2), Ok(()));
        }
        let next = begin + BETWEEN / 2 + BETWEEN;
        assert_eq!(recheck.turn(begin + BETWEEN), Err(next));
        assert_eq!(recheck.turn(next), Ok(()));
        assert_eq!(recheck.turn(next), Err(next + BETWEEN));
        let later = next + BETWEEN * 1000;
        for _ in 0..IN_A_ROW {
            assert_eq!(recheck.turn(later), Ok(()));
        }
        assert_eq!(recheck.turn(later), Err(later + BETWEEN));
    }
}
