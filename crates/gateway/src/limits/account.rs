//! What this node has drawn of one limit, for one agent or for all together. All times are since boot, sleep included: a day is over
//! when it is over, whether or not the machine slept through its end.

use std::sync::Arc;
use std::time::Duration;

use model::Zone;
use model::limit::Allowance;
use parking_lot::Mutex;
use policy::Limit;
use policy::meter::{self, Draw, Drawn};

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
    /// As of the latest epoch that a call came with.
    allowance: Allowance,
    zone: Zone,
    epoch: i64,
    /// Calls that may be let through.
    hold: u32,
    /// Calls that are brought back with the next draw and not let through: what was drawn of the limit as it was before, and of a
    /// rate, what was given back when there was enough already.
    back: u32,
    /// Of a quota: of which day or month those are, and when that is over.
    since: i64,
    good_until: Option<Duration>,
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
    until: Duration,
    /// When there is room again, as far as is known.
    free_at: Duration,
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
    allowance: Allowance,
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
        if state.since != self.since {
            return;
        }
        state.made = state.made.saturating_sub(1);
        // Of a rate, what lies here for longer than it takes to give it anew would come on top of it.
        let is_rate = !state.allowance.per.is_quota();
        let has_enough = is_rate && state.hold >= meter::ahead(state.allowance, u32::MAX);
        if state.allowance != self.allowance || has_enough {
            state.back = state.back.saturating_add(1);
            // There is room where this is brought back.
            state.closed = None;
        } else {
            state.hold = state.hold.saturating_add(1);
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
    fn let_go_of_what_is_over(&mut self, now: Duration) {
        if self.good_until.is_some_and(|until| until <= now) {
            // What is given back from here on is of a time that is over too.
            (self.hold, self.back, self.since, self.good_until) = (0, 0, 0, None);
        }
    }

    /// How long it is until there is room, where there was none when it was asked for.
    fn closed_for(&self, now: Duration) -> Option<Duration> {
        self.closed.map(|closed| closed.free_at.saturating_sub(now))
    }

    /// A draw with which everything that is to be brought back goes.
    fn draws(&mut self, of_hold: u32, need: u32, ahead: u32) -> Asked {
        self.hold = self.hold.saturating_sub(of_hold);
        let back = std::mem::take(&mut self.back).saturating_add(of_hold);
        let draw = Draw { back, since: self.since, need, ahead };
        Asked { draw, of_hold, allowance: self.allowance, zone: self.zone }
    }
}

impl Account {
    pub(super) fn new(limit: &Limit) -> Self {
        let state = State {
            allowance: limit.allowance,
            zone: limit.zone,
            epoch: 0,
            hold: 0,
            back: 0,
            since: 0,
            good_until: None,
            made: 0,
            waiting: 0,
            closed: None,
            quiet: 0,
        };
        Self { state: Mutex::new(state) }
    }

    /// Takes a call that was decided in an epoch. `has_waited`: it was drawn for this caller, who is still counted among those who wait; what it was told then
    /// holds for it, however short the time was.
    pub(super) fn take(self: &Arc<Self>, limit: &Limit, epoch: i64, now: Duration, has_waited: bool) -> Took {
        let mut state = self.state.lock();
        if epoch >= state.epoch {
            state.epoch = epoch;
            if state.allowance != limit.allowance || state.zone != limit.zone {
                // It was changed: what was said of it before does not hold any more, and what was drawn of it may be too much.
                (state.allowance, state.zone, state.closed) = (limit.allowance, limit.zone, None);
                state.back = state.back.saturating_add(std::mem::take(&mut state.hold));
            }
        }
        state.let_go_of_what_is_over(now);
        // What was drawn for those who wait is theirs.
        let kept = if has_waited { 0 } else { state.waiting };
        if state.hold > kept {
            state.hold -= 1;
            state.made = state.made.saturating_add(1);
            let (account, allowance, since) = (Arc::clone(self), state.allowance, state.since);
            return Took::One(Held { account, allowance, since, is_spent: false });
        }
        match state.closed_for(now) {
            Some(wait) if has_waited || state.is_closed(now) => Took::Closed(wait),
            _ => Took::None,
        }
    }

    /// How long it is until there is room, where it is known that there is none.
    pub(super) fn closed_for(&self, limit: &Limit, now: Duration) -> Option<Duration> {
        let state = self.state.lock();
        let is_as_it_was = state.allowance == limit.allowance && state.zone == limit.zone;
        if is_as_it_was && state.hold == 0 && state.is_closed(now) { state.closed_for(now) } else { None }
    }

    /// What is drawn for those who wait, and with it for those who come next.
    pub(super) fn wants_now(&self, now: Duration) -> Option<Asked> {
        let mut state = self.state.lock();
        state.let_go_of_what_is_over(now);
        let need = state.waiting.saturating_sub(state.hold);
        if need == 0 {
            return None;
        }
        // What was said of it before is asked anew, and is not said again where no answer comes.
        state.closed = None;
        let ahead = meter::ahead(state.allowance, state.made);
        Some(state.draws(0, need, ahead))
    }

    /// What is drawn, or brought back, when the clock comes by.
    pub(super) fn wants_by_the_clock(&self, now: Duration) -> Option<Asked> {
        let mut state = self.state.lock();
        state.let_go_of_what_is_over(now);
        let made = std::mem::take(&mut state.made);
        state.quiet = if made == 0 { state.quiet.saturating_add(1) } else { 0 };
        let wanted = meter::ahead(state.allowance, made);
        state.come_to(wanted)
    }

    /// What is brought back in the end.
    pub(super) fn wants_nothing_more(&self, now: Duration) -> Option<Asked> {
        let mut state = self.state.lock();
        state.let_go_of_what_is_over(now);
        state.come_to(0)
    }

    pub(super) fn is_unused(&self) -> bool {
        let state = self.state.lock();
        state.quiet >= UNUSED && state.hold == 0 && state.back == 0 && state.waiting == 0
    }
}

impl State {
    fn is_closed(&self, now: Duration) -> bool {
        self.closed.is_some_and(|closed| now < closed.until)
    }

    fn come_to(&mut self, wanted: u32) -> Option<Asked> {
        let (of_hold, ahead) = (self.hold.saturating_sub(wanted), wanted.saturating_sub(self.hold));
        (of_hold > 0 || ahead > 0 || self.back > 0).then(|| self.draws(of_hold, 0, ahead))
    }
}

/// What is asked of a meter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    draw: Draw,
    /// So many of what is brought back could have been let through.
    of_hold: u32,
    allowance: Allowance,
    zone: Zone,
}

/// A draw under way. What is brought back with it is no longer here, unless it is known that nothing was done.
pub(super) struct Drawing {
    account: Arc<Account>,
    asked: Asked,
}

impl Drawing {
    pub(super) fn of(account: Arc<Account>, asked: Asked) -> Self {
        Self { account, asked }
    }

    pub(super) fn asking(&self, metered: Metered) -> MeterDraw {
        let Asked { draw, allowance, zone, .. } = self.asked;
        MeterDraw { metered, allowance, zone, draw }
    }

    /// What it has brought. `asked_at`: when it was asked for, so that what is good for some time ends rather too early; `now`: when
    /// it was answered.
    pub(super) fn brought(self, drawn: Drawn, asked_at: Duration, now: Duration) {
        let mut state = self.account.state.lock();
        if state.since != drawn.since {
            (state.hold, state.back) = (0, 0);
        }
        state.since = drawn.since;
        state.good_until = drawn.good_for.map(|time| asked_at.saturating_add(time));
        if state.allowance != self.asked.allowance || state.zone != self.asked.zone {
            // The limit was changed meanwhile.
            state.back = state.back.saturating_add(drawn.given);
            return;
        }
        state.hold = state.hold.saturating_add(drawn.given);
        // What is drawn ahead says nothing of whether there is room.
        if self.asked.draw.need > 0 {
            state.closed = (drawn.given < self.asked.draw.need).then(|| Closed {
                until: now.saturating_add(drawn.wait.min(ASK_AGAIN)),
                free_at: now.saturating_add(drawn.wait),
            });
        }
    }

    /// Nothing was done: what was to be brought back is here again.
    pub(super) fn undone(self) {
        let mut state = self.account.state.lock();
        if state.since != self.asked.draw.since {
            return;
        }
        let is_as_it_was = state.allowance == self.asked.allowance && state.zone == self.asked.zone;
        let of_hold = if is_as_it_was { self.asked.of_hold } else { 0 };
        state.hold = state.hold.saturating_add(of_hold);
        state.back = state.back.saturating_add(self.asked.draw.back.saturating_sub(of_hold));
    }
}
