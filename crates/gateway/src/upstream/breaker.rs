//! Whether a server that keeps failing is left alone (circuit breaker): its calls would each wait for what does not come,
//! and what is ill does not get well by being asked.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// How often a rest is doubled.
const DOUBLINGS: u32 = 4;

/// After how many faults in a row a server rests, and for how long at first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// 0: it never rests.
    pub(super) faults: u32,
    pub(super) rest: Duration,
}

/// One server's faults.
#[derive(Debug)]
pub(super) struct Breaker {
    patience: Patience,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    /// In a row.
    faults: u32,
    /// How many rests there were since it last did well.
    rests: u32,
    /// Until when it rests.
    until: Option<Instant>,
    /// Whether a call is under way that finds out how it is.
    is_tried: bool,
}

/// Leave to make one call. Dropped without a word, it says nothing of the server.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    /// Whether others wait for what comes of it.
    is_trial: bool,
}

impl Breaker {
    pub(super) fn new(patience: Patience) -> Self {
        let state = State { faults: 0, rests: 0, until: None, is_tried: false };
        Self { patience, state: Mutex::new(state) }
    }

    /// Leave for a call, or how long the server is left alone. After a rest one call goes ahead of the others.
    pub(super) fn pass(&self, now: Instant) -> Result<Pass<'_>, Duration> {
        let mut state = self.state.lock();
        let Some(until) = state.until else { return Ok(Pass { breaker: self, is_trial: false }) };
        if now < until {
            return Err(until - now);
        }
        if state.is_tried {
            return Err(self.patience.rest);
        }
        state.is_tried = true;
        Ok(Pass { breaker: self, is_trial: true })
    }
}

impl Pass<'_> {
    /// The server did its part, whatever it answered.
    pub(super) fn went_well(self) {
        let mut state = self.breaker.state.lock();
        (state.faults, state.rests, state.until) = (0, 0, None);
    }

    /// The server failed.
    pub(super) fn failed(self, now: Instant) {
        let Patience { faults, rest } = self.breaker.patience;
        let mut state = self.breaker.state.lock();
        // Of calls that began before it rested, nothing more is learned.
        if faults == 0 || (state.until.is_some() && !self.is_trial) {
            return;
        }
        state.faults = state.faults.saturating_add(1);
        if state.faults >= faults {
            state.until = Some(now + rest * (1 << state.rests.min(DOUBLINGS)));
            state.rests = state.rests.saturating_add(1);
        }
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.is_trial {
            self.breaker.state.lock().is_tried = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_secs(5);

    fn breaker() -> Breaker {
        Breaker::new(Patience { faults: 3, rest: REST })
    }

    #[test]
    fn a_server_rests_after_faults_in_a_row_and_longer_each_time() {
        let (breaker, mut now) = (breaker(), Instant::now());
        for _ in 0..2 {
            breaker.pass(now).unwrap().failed(now);
        }
        breaker.pass(now).unwrap().went_well();
        for _ in 0..3 {
            breaker.pass(now).unwrap().failed(now);
        }
        for rests in [1, 2, 4, 8, 16, 16] {
            let rest = REST * rests;
            assert_eq!(breaker.pass(now).unwrap_err(), rest);
            assert_eq!(breaker.pass(now + rest - REST / 5).unwrap_err(), REST / 5);
            now += rest;
            breaker.pass(now).unwrap().failed(now);
        }
        now += REST * 16;
        breaker.pass(now).unwrap().went_well();
        // It is well, and begins anew.
        breaker.pass(now).unwrap().failed(now);
        assert!(breaker.pass(now).is_ok());
    }

    #[test]
    fn one_call_goes_ahead_and_who_leaves_it_leaves_the_place() {
        let (breaker, now) = (breaker(), Instant::now());
        let early = breaker.pass(now).unwrap();
        for _ in 0..3 {
            breaker.pass(now).unwrap().failed(now);
        }
        let later = now + REST;
        // What began before says nothing.
        early.failed(later);
        let trial = breaker.pass(later).unwrap();
        assert!(breaker.pass(later).is_err());
        drop(trial);
        let trial = breaker.pass(later).unwrap();
        trial.went_well();
        assert!(breaker.pass(later).is_ok());
    }

    #[test]
    fn without_patience_set_it_never_rests() {
        let (breaker, now) = (Breaker::new(Patience { faults: 0, rest: REST }), Instant::now());
        for _ in 0..100 {
            breaker.pass(now).unwrap().failed(now);
        }
        assert!(breaker.pass(now).is_ok());
    }
}
