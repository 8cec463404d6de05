//! How much of a limit is used: one meter for all nodes, from which each draws some calls at a time.
//!
//! A rate is metered by the generic cell rate algorithm (ITU-T I.371, annex A) in its form of virtual scheduling: each
//! call moves a *theoretical arrival time* by the time that one call is worth, and there is room as long as it lies no further
//! ahead than the burst. A quota counts the calls of a calendar time.
//!
//! What a node has drawn is used from then on, whether or not it makes the calls. What it brings back is free again.
//! Hence a quota is never overshot; and of a rate, all nodes together let through in any time at most what the rate alone
//! would, and what they had drawn ahead before it: each at most what the rate gives in [`AHEAD`].

use std::time::Duration;

use chrono::{DateTime, Datelike as _, Days, Months, NaiveDate, TimeDelta, TimeZone as _};
use model::limit::{Allowance, Per};
use model::{Timestamp, Zone};

/// Of a rate, a node draws at most what it gives in this time before anybody asks. What is slower than two calls a second is
/// therefore only drawn when it is asked for, and holds exactly.
pub const AHEAD: Duration = Duration::from_millis(500);
/// What is drawn before anybody asks is at most this part of what is left, so that other nodes find something too.
const PART: u32 = 4;

/// What is used. The same for all nodes; kept by whoever all of them can ask.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Meter {
    /// Of a rate, the theoretical arrival time, in nanoseconds since 1970.
    pub arrival: i64,
    /// Of a quota, when the time began that is counted, in seconds since 1970.
    pub since: i64,
    /// How many calls of it are used.
    pub taken: i64,
}

/// What a node asks of a meter.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Draw {
    /// It brings back so many that it has drawn and not used.
    pub back: u32,
    /// Of a quota, when the time began of which those are; see [`Drawn::since`].
    pub since: i64,
    /// So many callers wait.
    pub need: u32,
    /// So many are wanted for those who come next.
    pub ahead: u32,
}

/// What it gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Drawn {
    /// So many calls.
    pub given: u32,
    /// If that is less than was needed: how long it is until there is another.
    pub wait: Duration,
    /// Of a quota, when the time began that these are of, in seconds since 1970.
    pub since: i64,
    /// For how long they are good: to the end of that time.
    pub good_for: Option<Duration>,
}

impl Meter {
    /// Draws. `now` is the same clock's for all nodes; where it is set back, as much is given as if nothing were used that lies
    /// beyond the burst.
    pub fn draw(&mut self, allowance: Allowance, zone: Zone, now: Timestamp, draw: Draw) -> Drawn {
        match worth(allowance) {
            Some(worth) => self.draw_rate(allowance, worth, nanos(now), draw),
            None => self.draw_quota(allowance, zone, now, draw),
        }
    }

    /// How many calls are used at `now`, of the burst or of the quota.
    pub fn used(&self, allowance: Allowance, zone: Zone, now: Timestamp) -> u32 {
        let used = match worth(allowance) {
            Some(worth) => {
                let ahead = self.arrival.saturating_sub(nanos(now)).max(0);
                ahead.saturating_add(worth - 1).checked_div(worth).unwrap_or(0)
            }
            None if self.since >= period(allowance.per, zone, now).0.timestamp() => self.taken,
            None => 0,
        };
        u32::try_from(used).unwrap_or(u32::MAX).min(allowance.burst)
    }

    fn draw_rate(&mut self, allowance: Allowance, worth: i64, now: i64, draw: Draw) -> Drawn {
        let burst = worth.saturating_mul(i64::from(allowance.burst));
        let back = worth.saturating_mul(i64::from(draw.back));
        // A smaller burst than when it was drawn, or a clock that was set back.
        let end = now.saturating_add(burst);
        let arrival = self.arrival.min(end).saturating_sub(back).max(now);
        let room = end.saturating_sub(arrival).checked_div(worth).unwrap_or(0);
        let given = share(u32::try_from(room).unwrap_or(u32::MAX), draw);
        self.arrival = arrival.saturating_add(worth.saturating_mul(i64::from(given)));
        let wait = self.arrival.saturating_add(worth).saturating_sub(end).max(0);
        let wait = if given < draw.need { u64::try_from(wait).unwrap_or(0) } else { 0 };
        Drawn { given, wait: Duration::from_nanos(wait), since: 0, good_for: None }
    }

    fn draw_quota(&mut self, allowance: Allowance, zone: Zone, now: Timestamp, draw: Draw) -> Drawn {
        let (start, end) = period(allowance.per, zone, now);
        // It never goes back to an earlier time: not where the zone was changed and a node does not know yet, and not where a
        // clock was set back. Only a time that has not begun is none.
        if self.since < start.timestamp() {
            (self.since, self.taken) = (start.timestamp(), 0);
        } else if self.since > now.timestamp() {
            // A clock was ahead that has been set right: what is used of a time to come is used of this one, which ends.
            self.since = start.timestamp();
        }
        let since = self.since;
        // What was drawn in a time that is over is gone with it.
        if draw.since == since {
            self.taken = self.taken.saturating_sub(i64::from(draw.back)).max(0);
        }
        let room = i64::from(allowance.calls).saturating_sub(self.taken).max(0);
        let given = share(u32::try_from(room).unwrap_or(u32::MAX), draw);
        self.taken = self.taken.saturating_add(i64::from(given));
        let left = (end - now).to_std().unwrap_or_default();
        let wait = if given < draw.need { left } else { Duration::ZERO };
        Drawn { given, wait, since, good_for: Some(left) }
    }
}

/// How many calls a node may have drawn before anybody asks for them, having made `made` in the last [`AHEAD`].
pub fn ahead(allowance: Allowance, made: u32) -> u32 {
    let wished = made.saturating_mul(2);
    match allowance.per.seconds() {
        None => wished,
        Some(seconds) => {
            let given = u128::from(allowance.calls) * AHEAD.as_nanos() / (u128::from(seconds) * NANOS);
            wished.min(u32::try_from(given).unwrap_or(u32::MAX)).min(allowance.burst)
        }
    }
}

/// What there is goes to those who wait; a part of what is left after them to those who come next.
fn share(room: u32, draw: Draw) -> u32 {
    let needed = room.min(draw.need);
    needed + draw.ahead.min((room - needed) / PART)
}

const NANOS: u128 = 1_000_000_000;

/// The time that one call is worth, in nanoseconds, rounded to the strict side. None: it is a quota.
pub fn worth(allowance: Allowance) -> Option<i64> {
    let seconds = allowance.per.seconds()?;
    let worth = (u128::from(seconds) * NANOS).div_ceil(u128::from(allowance.calls.max(1)));
    Some(i64::try_from(worth).unwrap_or(i64::MAX).max(1))
}

fn nanos(at: Timestamp) -> i64 {
    at.timestamp_nanos_opt().unwrap_or(i64::MAX)
}

/// Beginning and end of the day or month in which `now` is, as the zone has it.
pub fn period(per: Per, zone: Zone, now: Timestamp) -> (Timestamp, Timestamp) {
    let day = now.with_timezone(&zone).date_naive();
    let (first, next) = match per {
        Per::Month => {
            let first = day.with_day(1).unwrap_or(day);
            (first, first.checked_add_months(Months::new(1)))
        }
        _ => (day, day.checked_add_days(Days::new(1))),
    };
    let start = midnight(zone, first);
    let end = next.map_or(DateTime::<chrono::Utc>::MAX_UTC, |next| midnight(zone, next));
    (start.min(now), end.max(now))
}

/// When a day begins: where clocks are put forward at midnight, at the first instant that there is.
fn midnight(zone: Zone, day: NaiveDate) -> Timestamp {
    let midnight = day.and_time(chrono::NaiveTime::MIN);
    (0..=4)
        .filter_map(|half_hours| midnight.checked_add_signed(TimeDelta::minutes(30 * half_hours)))
        .find_map(|at| zone.from_local_datetime(&at).earliest())
        .map_or_else(|| midnight.and_utc(), |at| at.to_utc())
}

#[cfg(test)]
mod tests;
