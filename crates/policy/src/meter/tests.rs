use model::limit::{Allowance, Per};
use proptest::prelude::*;

use super::*;

const BERLIN: Zone = Zone::Europe__Berlin;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_timestamp_millis(1_800_000_000_000 + millis).unwrap()
}

fn need(need: u32) -> Draw {
    Draw { need, ..Draw::default() }
}

fn allow(calls: u32, per: Per, burst: u32) -> Allowance {
    Allowance { calls, per, burst }
}

#[test]
fn a_rate_gives_its_burst_and_then_call_by_call() {
    let (mut meter, rate) = (Meter::default(), allow(60, Per::Minute, 3));
    let mut drawn = |millis, wanted| meter.draw(rate, Zone::UTC, at(millis), need(wanted));
    assert_eq!(drawn(0, 2).given, 2);
    let short = drawn(0, 2);
    assert_eq!((short.given, short.wait), (1, Duration::from_secs(1)));
    assert_eq!((drawn(999, 1).given, drawn(1000, 1).given), (0, 1));
    assert_eq!(drawn(1250, 1).wait, Duration::from_millis(750));
    // Time in which nobody called is given back up to the burst, and no further.
    assert_eq!(drawn(1_000_000, 9).given, 3);
}

#[test]
fn what_is_brought_back_is_free_again() {
    let (mut meter, rate) = (Meter::default(), allow(10, Per::Hour, 10));
    assert_eq!(meter.draw(rate, Zone::UTC, at(0), need(10)).given, 10);
    assert_eq!(meter.used(rate, Zone::UTC, at(0)), 10);
    let drawn = meter.draw(rate, Zone::UTC, at(0), Draw { back: 4, need: 9, ..Draw::default() });
    assert_eq!(drawn.given, 4);
    // More than was used is no credit.
    let drawn = meter.draw(rate, Zone::UTC, at(0), Draw { back: 1000, need: 20, ..Draw::default() });
    assert_eq!(drawn.given, 10);
}

#[test]
fn of_what_is_left_others_find_something() {
    let (mut meter, rate) = (Meter::default(), allow(100, Per::Second, 100));
    let draw = Draw { need: 20, ahead: 1000, ..Draw::default() };
    assert_eq!(meter.draw(rate, Zone::UTC, at(0), draw).given, 20 + 20);
    assert_eq!(meter.used(rate, Zone::UTC, at(0)), 40);
    // And nothing is drawn ahead of what is slow.
    assert_eq!(ahead(allow(119, Per::Minute, 119), 1000), 0);
    assert_eq!(ahead(allow(100, Per::Second, 100), 1000), 50);
    assert_eq!(ahead(allow(100, Per::Second, 100), 3), 6);
}

#[test]
fn a_clock_that_is_set_back_and_a_smaller_limit_keep_nobody_waiting_for_long() {
    let (mut meter, rate) = (Meter::default(), allow(10, Per::Second, 10));
    meter.draw(rate, Zone::UTC, at(3_600_000), need(10));
    let drawn = meter.draw(rate, Zone::UTC, at(0), need(1));
    assert_eq!((drawn.given, drawn.wait), (0, Duration::from_millis(100)));
    let mut meter = Meter::default();
    meter.draw(allow(1000, Per::Hour, 1000), Zone::UTC, at(0), need(1000));
    let drawn = meter.draw(allow(2, Per::Second, 2), Zone::UTC, at(0), need(1));
    assert_eq!((drawn.given, drawn.wait), (0, Duration::from_millis(500)));
}

#[test]
fn a_quota_counts_a_day_of_its_own_zone() {
    let quota = Allowance::new(5, Per::Day);
    let local = |text: &str| text.parse::<DateTime<chrono::FixedOffset>>().unwrap().to_utc();
    let mut meter = Meter::default();
    let evening = local("2027-03-27T23:30:00+01:00");
    assert_eq!(meter.draw(quota, BERLIN, evening, need(4)).given, 4);
    let short = meter.draw(quota, BERLIN, evening, need(3));
    assert_eq!((short.given, short.wait, short.good_for), (1, HALF_HOUR, Some(HALF_HOUR)));
    assert_eq!(meter.used(quota, BERLIN, evening), 5);
    // The next day: it begins anew, and what was drawn the day before is not brought back into it.
    let next = local("2027-03-28T00:00:00+01:00");
    assert_eq!(meter.used(quota, BERLIN, next), 0);
    let draw = Draw { back: 3, since: short.since, need: 2, ahead: 0 };
    assert_eq!(meter.draw(quota, BERLIN, next, draw).given, 2);
    assert_eq!(meter.used(quota, BERLIN, next), 2);
    // That day has 23 hours there.
    let left = meter.draw(quota, BERLIN, next, need(9)).wait;
    assert_eq!(left, Duration::from_secs(23 * 3600));
}

#[test]
fn a_quota_whose_clock_was_ahead_ends_with_the_time_that_it_is_and_keeps_what_is_used() {
    let (mut meter, quota) = (Meter::default(), Allowance::new(5, Per::Day));
    let now = |text: &str| text.parse::<Timestamp>().unwrap();
    meter.draw(quota, Zone::UTC, now("2027-06-09T12:00:00Z"), need(4));
    let drawn = meter.draw(quota, Zone::UTC, now("2027-06-01T12:00:00Z"), need(4));
    assert_eq!((drawn.given, drawn.since), (1, now("2027-06-01T00:00:00Z").timestamp()));
    // It begins anew with the next day, and not with the one that the clock had shown.
    assert_eq!(meter.draw(quota, Zone::UTC, now("2027-06-02T00:00:00Z"), need(9)).given, 5);
}

const HALF_HOUR: Duration = Duration::from_secs(1800);

#[test]
fn months_end_where_they_end() {
    let now = |text: &str| text.parse::<Timestamp>().unwrap();
    let (start, end) = period(Per::Month, BERLIN, now("2027-12-31T22:59:59Z"));
    assert_eq!((start, end), (now("2027-11-30T23:00:00Z"), now("2027-12-31T23:00:00Z")));
    // Clocks go from 24:00 to 1:00 there on this day.
    let (start, _) = period(Per::Day, Zone::America__Havana, now("2027-03-14T12:00:00Z"));
    assert_eq!(start, now("2027-03-14T05:00:00Z"));
}

/// What one node does: makes calls of what it has, asks when it has none, now and then draws ahead or brings back.
#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(u16),
    Call { node: usize, times: u8 },
    Tend { node: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0_u16..400).prop_map(Step::Wait),
        (0_usize..3, 1_u8..30).prop_map(|(node, times)| Step::Call { node, times }),
        (0_usize..3).prop_map(|node| Step::Tend { node }),
    ];
    prop::collection::vec(step, 1..200)
}

fn rates() -> impl Strategy<Value = Allowance> {
    let per = prop_oneof![Just(Per::Second), Just(Per::Minute), Just(Per::Hour)];
    (1_u32..500, per, 1_u32..500).prop_map(|(calls, per, burst)| allow(calls, per, burst.min(calls)))
}

#[derive(Clone, Copy, Default)]
struct Node {
    hold: u32,
    since: i64,
    made: u32,
}

/// When calls were let through, in milliseconds, and how often somebody was refused although there was room.
fn live(allowance: Allowance, zone: Zone, begin: i64, steps: &[Step]) -> Vec<i64> {
    let (mut meter, mut nodes, mut now, mut passed) = (Meter::default(), [Node::default(); 3], begin, vec![]);
    for step in steps {
        match *step {
            Step::Wait(millis) => now += i64::from(millis),
            Step::Call { node, times } => {
                let node = &mut nodes[node];
                for _ in 0..times {
                    if allowance.per.is_quota()
                        && node.since != period(allowance.per, zone, at(now)).0.timestamp()
                    {
                        node.hold = 0;
                    }
                    if node.hold == 0 {
                        let draw = Draw { need: 1, ahead: ahead(allowance, node.made), ..Draw::default() };
                        let drawn = meter.draw(allowance, zone, at(now), draw);
                        assert_eq!(drawn.given == 0, !drawn.wait.is_zero());
                        (node.hold, node.since) = (drawn.given, drawn.since);
                    }
                    if node.hold > 0 {
                        node.hold -= 1;
                        node.made += 1;
                        passed.push(now);
                    }
                }
            }
            Step::Tend { node } => {
                let node = &mut nodes[node];
                let target = ahead(allowance, std::mem::take(&mut node.made));
                let draw = Draw {
                    back: node.hold.saturating_sub(target),
                    since: node.since,
                    need: 0,
                    ahead: target.saturating_sub(node.hold),
                };
                let drawn = meter.draw(allowance, zone, at(now), draw);
                if drawn.since != node.since {
                    node.hold = 0;
                }
                node.hold = node.hold - draw.back.min(node.hold) + drawn.given;
                node.since = drawn.since;
            }
        }
    }
    passed
}

proptest! {
    /// The promise about rates, for any time between two calls that were let through.
    #[test]
    fn three_nodes_together_stay_within_the_stated_error(rate in rates(), steps in steps()) {
        let passed = live(rate, Zone::UTC, 0, &steps);
        let a_second = f64::from(rate.calls) / f64::from(rate.per.seconds().unwrap());
        // Nothing is drawn ahead of less than two calls a second.
        let ahead = (a_second / 2.0).floor() * 3.0;
        for (first, from) in passed.iter().enumerate() {
            for (last, to) in passed.iter().enumerate().skip(first) {
                let calls = (last - first + 1) as f64;
                let time = (to - from) as f64 / 1000.0;
                prop_assert!(
                    calls <= f64::from(rate.burst) + a_second * time + ahead + 1e-6,
                    "{} calls in {} s of {:?}", calls, time, rate
                );
            }
        }
    }

    /// The promise about quotas: never more, however many nodes, also around the end of a day.
    #[test]
    fn three_nodes_together_never_overshoot_a_quota(calls in 1_u32..300, to_midnight in 0_i64..20_000, steps in steps()) {
        let quota = Allowance::new(calls, Per::Day);
        let (_, end) = period(Per::Day, BERLIN, at(0));
        let begin = (end - at(0)).num_milliseconds() - to_midnight;
        let passed = live(quota, BERLIN, begin, &steps);
        let (before, after): (Vec<i64>, Vec<i64>) = passed.iter().partition(|millis| at(**millis) < end);
        prop_assert!(before.len() <= calls as usize && after.len() <= calls as usize);
    }

    /// One node alone that calls no faster than the rate is never refused.
    #[test]
    fn who_keeps_to_the_rate_is_never_refused(rate in rates(), steps in prop::collection::vec(0_u16..50, 1..300)) {
        let gap = f64::from(rate.per.seconds().unwrap()) * 1000.0 / f64::from(rate.calls);
        let (mut meter, mut now) = (Meter::default(), 0);
        for late in steps {
            let drawn = meter.draw(rate, Zone::UTC, at(now), need(1));
            prop_assert_eq!(drawn.given, 1);
            now += gap.ceil() as i64 + i64::from(late);
        }
    }
}
