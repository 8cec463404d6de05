//! What this node has drawn of one limit, for one agent or for all together.

use std::sync::Arc;
use std::time::Duration;

use model::Zone;
use model::limit::Allowance;
use parking_lot::Mutex;
use policy::Limit;
use policy::meter::{self, Draw, Drawn};
use tokio::time::Instant;

use crate::seams::{MeterDraw, Metered};

/// How long it is not asked again whether a limit leaves room; others may bring back what they have drawn.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// After so many times that the clock came by and nobody had called, an account is not kept in mind.
const UNUSED: u8 = 20;

#[derive(Debug)]
pub(super) struct Account {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    allowance: Allowance,
    zone: Zone,
    /// Calls that may be let through.
    hold: u32,
    /// Of a quota: of which day or month those are, and when that is over.
    since: i64,
    good_until: Option<Instant>,
    /// Calls that were let through since the clock came by.
    made: u32,
    /// Callers that wait for a draw.
    waiting: u32,
    /// There was no room.
    closed: Option<Closed>,
    /// How often in a row the clock came by and nobody had called.
    quiet: u8,
}

#[derive(Clone, Copy, Debug)]
struct Closed {
    /// When it is asked again.
    until: Instant,
    /// When there is room again, as far as is known.
    free_at: Instant,
}

/// What came of taking a call.
#[derive(Debug)]
pub(super) enum Took {
    One(Held),
    /// There is no room for so long.
    Closed(Duration),
    /// There is none here: more has to be drawn.
    None,
}

/// A call that was taken; given back unless it is spent.
#[derive(Debug)]
pub(super) struct Held {
    account: Arc<Account>,
    since: i64,
    is_spent: bool,
}

impl Held {
    pub(super) fn spend(mut self) {
        self.is_spent = true;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.is_spent {
            return;
        }
        let mut state = self.account.state.lock();
        if state.since == self.since {
            state.hold = state.hold.saturating_add(1);
            state.made = state.made.saturating_sub(1);
        }
    }
}

/// Counted among those who wait for a draw, as long as it is there.
pub(super) struct Waiting<'a>(&'a Account);

impl<'a> Waiting<'a> {
    pub(super) fn at(account: &'a Account) -> Self {
        let mut state = account.state.lock();
        state.waiting = state.waiting.saturating_add(1);
        Self(account)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.waiting = state.waiting.saturating_sub(1);
    }
}

impl State {
    /// What was drawn of a day or month is gone with it.
    fn let_go_of_what_is_over(&mut self, now: Instant) {
        if self.good_until.is_some_and(|until| until <= now) {
            (self.hold, self.good_until) = (0, None);
        }
    }
}

impl Account {
    pub(super) fn new(limit: &Limit) -> Self {
        let state = State {
            allowance: limit.allowance,
            zone: limit.zone,
            hold: 0,
            since: 0,
            good_until: None,
            made: 0,
            waiting: 0,
            closed: None,
            quiet: 0,
        };
        Self { state: Mutex::new(state) }
    }

    /// Takes a call.
    pub(super) fn take(self: &Arc<Self>, limit: &Limit, now: Instant) -> Took {
        let mut state = self.state.lock();
        if state.allowance != limit.allowance || state.zone != limit.zone {
            // It was changed: what was said of it before does not hold any more.
            (state.allowance, state.zone, state.closed) = (limit.allowance, limit.zone, None);
        }
        state.let_go_of_what_is_over(now);
        if let Some(left) = state.hold.checked_sub(1) {
            state.hold = left;
            state.made = state.made.saturating_add(1);
            return Took::One(Held { account: Arc::clone(self), since: state.since, is_spent: false });
        }
        match state.closed {
            Some(closed) if now < closed.until => Took::Closed(closed.free_at.saturating_duration_since(now)),
            _ => Took::None,
        }
    }

    /// What is drawn for those who wait, and with it for those who come next.
    pub(super) fn wants_now(&self, now: Instant) -> Option<Draw> {
        let mut state = self.state.lock();
        state.let_go_of_what_is_over(now);
        let need = state.waiting.saturating_sub(state.hold);
        let ahead = meter::ahead(state.allowance, state.made);
        (need > 0).then(|| Draw { back: 0, since: state.since, need, ahead })
    }

    /// What is drawn, or brought back, when the clock comes by.
    pub(super) fn wants_by_the_clock(&self, now: Instant) -> Option<Draw> {
        let mut state = self.state.lock();
        state.let_go_of_what_is_over(now);
        let made = std::mem::take(&mut state.made);
        state.quiet = if made == 0 { state.quiet.saturating_add(1) } else { 0 };
        let wanted = meter::ahead(state.allowance, made);
        state.come_to(wanted)
    }

    /// What is brought back in the end.
    pub(super) fn wants_nothing_more(&self, now: Instant) -> Option<Draw> {
        let mut state = self.state.lock();
        state.let_go_of_what_is_over(now);
        state.come_to(0)
    }

    pub(super) fn asking(&self, metered: Metered, draw: Draw) -> MeterDraw {
        let state = self.state.lock();
        MeterDraw { metered, allowance: state.allowance, zone: state.zone, draw }
    }

    pub(super) fn is_unused(&self) -> bool {
        let state = self.state.lock();
        state.quiet >= UNUSED && state.hold == 0 && state.waiting == 0
    }
}

impl State {
    fn come_to(&mut self, wanted: u32) -> Option<Draw> {
        let (back, ahead) = (self.hold.saturating_sub(wanted), wanted.saturating_sub(self.hold));
        self.hold -= back;
        (back > 0 || ahead > 0).then_some(Draw { back, since: self.since, need: 0, ahead })
    }
}

/// A draw under way. Where it comes to nothing, what was to be brought back is here again.
pub(super) struct Drawing {
    account: Arc<Account>,
    draw: Draw,
    is_done: bool,
}

impl Drawing {
    pub(super) fn of(account: Arc<Account>, draw: Draw) -> Self {
        Self { account, draw, is_done: false }
    }

    /// What it has brought.
    pub(super) fn brought(mut self, drawn: Drawn, now: Instant) {
        self.is_done = true;
        let mut state = self.account.state.lock();
        if state.since != drawn.since {
            state.hold = 0;
        }
        state.hold = state.hold.saturating_add(drawn.given);
        state.since = drawn.since;
        state.good_until = drawn.good_for.and_then(|time| now.checked_add(time));
        state.closed = (drawn.given < self.draw.need).then(|| Closed {
            until: now + drawn.wait.min(ASK_AGAIN),
            free_at: now.checked_add(drawn.wait).unwrap_or(now),
        });
    }
}

impl Drop for Drawing {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        let mut state = self.account.state.lock();
        if state.since == self.draw.since {
            state.hold = state.hold.saturating_add(self.draw.back);
        }
    }
}
