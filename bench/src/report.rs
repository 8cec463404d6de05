//! The result of a comparison: what goes into the JSON file, and the tables that people read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use crate::disk::median;
use crate::load::Report;
use crate::record::Record;
use crate::setting::Setting;
use crate::tally::Percentiles;

/// The whole result.
#[derive(Serialize)]
pub(crate) struct Comparison {
    /// When, of what and where.
    #[serde(flatten)]
    pub(crate) setting: Setting,
    /// Seconds that each measurement took.
    pub(crate) seconds: f64,
    /// Times that each measurement was repeated.
    pub(crate) rounds: u32,
    /// Length of the echoed text in bytes.
    pub(crate) payload: u32,
    /// To how many bytes the answers were filled up; 0: not.
    pub(crate) result: u32,
    /// 4 KiB append + `fdatasync` beside the database's files, in microseconds.
    pub(crate) fdatasync_us: Disk,
    /// What was measured, by subject and shape.
    pub(crate) results: Vec<Measured>,
    /// Direct : without ledger : with ledger.
    pub(crate) ratios: Vec<Ratio>,
    /// What the product has on record of its calls.
    pub(crate) record: Record,
    /// What is wanted, and whether it was reached.
    pub(crate) goals: Vec<Goal>,
}

/// Times of `fdatasync` in microseconds, over all rounds.
#[derive(Serialize)]
pub(crate) struct Disk {
    /// Median.
    pub(crate) p50: f64,
    /// 90 of 100 took at most this.
    pub(crate) p90: f64,
    /// 99 of 100 took at most this.
    pub(crate) p99: f64,
    /// How many were taken.
    pub(crate) samples: usize,
}

impl Disk {
    /// Sums up.
    pub(crate) fn of(mut times: Vec<f64>) -> Self {
        times.sort_by(f64::total_cmp);
        let at = |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or(0.0);
        Self { p50: at(0.5), p90: at(0.9), p99: at(0.99), samples: times.len() }
    }
}

/// How the load was put on.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub(crate) struct Shape {
    /// Callers at the same time.
    pub(crate) callers: u32,
    /// Calls a second of an open loop; none: closed loop.
    pub(crate) rate: Option<f64>,
}

/// One subject under one shape, all rounds.
#[derive(Serialize)]
pub(crate) struct Measured {
    /// `direct`, `gateway_without_ledger` or `gateway_with_ledger`.
    pub(crate) subject: &'static str,
    /// How the load was put on.
    pub(crate) shape: Shape,
    /// Medians over the rounds, each field for itself.
    pub(crate) median: Median,
    /// Each round as it was.
    pub(crate) rounds: Vec<Round>,
}

/// One round.
#[derive(Serialize)]
pub(crate) struct Round {
    /// What the load generator saw.
    #[serde(flatten)]
    pub(crate) report: Report,
    /// Processor time by process, in microseconds for each call.
    pub(crate) cpu_us_per_call: BTreeMap<&'static str, f64>,
}

/// The middle of the rounds.
#[derive(Serialize)]
pub(crate) struct Median {
    /// Successes a second.
    pub(crate) throughput: f64,
    /// From the scheduled start to the answer, in microseconds.
    pub(crate) latency_us: Percentiles,
    /// Processor time by process, in microseconds for each call.
    pub(crate) cpu_us_per_call: BTreeMap<&'static str, f64>,
    /// Calls of all rounds that did not succeed.
    pub(crate) failed: u64,
}

impl Measured {
    /// Sums up the rounds of one subject under one shape.
    pub(crate) fn of(subject: &'static str, shape: Shape, rounds: Vec<Round>) -> Self {
        let middle = |pick: &dyn Fn(&Round) -> f64| {
            let values: Vec<f64> = rounds.iter().map(pick).collect();
            (median(&values) * 10.0).round() / 10.0
        };
        let names: Vec<&'static str> =
            rounds.first().map(|round| round.cpu_us_per_call.keys().copied().collect()).unwrap_or_default();
        let median = Median {
            throughput: middle(&|round| round.report.throughput),
            latency_us: Percentiles {
                p50: middle(&|round| round.report.latency_us.p50),
                p90: middle(&|round| round.report.latency_us.p90),
                p99: middle(&|round| round.report.latency_us.p99),
                p999: middle(&|round| round.report.latency_us.p999),
                max: middle(&|round| round.report.latency_us.max),
                mean: middle(&|round| round.report.latency_us.mean),
            },
            cpu_us_per_call: names
                .into_iter()
                .map(|name| (name, middle(&|round| round.cpu_us_per_call.get(name).copied().unwrap_or(0.0))))
                .collect(),
            failed: rounds.iter().map(|round| round.report.calls.failed()).sum(),
        };
        Self { subject, shape, median, rounds }
    }
}

/// Subjects beside one another under one shape. A subject that was not measured is absent.
#[derive(Serialize)]
pub(crate) struct Ratio {
    /// How the load was put on.
    pub(crate) shape: Shape,
    /// Throughput as a share of the direct call's.
    pub(crate) throughput: BTreeMap<&'static str, f64>,
    /// Median latency above the direct call's, in microseconds.
    pub(crate) added_us: BTreeMap<&'static str, f64>,
    /// That as multiples of the median `fdatasync`.
    pub(crate) added_fdatasyncs: BTreeMap<&'static str, f64>,
}

/// Something that was wanted.
#[derive(Serialize)]
pub(crate) struct Goal {
    /// What, in words.
    pub(crate) what: String,
    /// The number that was wanted.
    pub(crate) wanted: f64,
    /// The number that was measured.
    pub(crate) got: f64,
    /// Whether that is enough.
    pub(crate) met: bool,
}

/// Beyond this load average other work is going on, and a result says more about that.
const QUIET: f64 = 0.5;

/// The direct call's name among subjects.
pub(crate) const DIRECT: &str = "direct";
/// The gateway with a ledger that forgets.
pub(crate) const WITHOUT: &str = "gateway_without_ledger";
/// The product as it is run.
pub(crate) const WITH: &str = "gateway_with_ledger";

/// Puts the subjects of each shape beside one another.
pub(crate) fn ratios(results: &[Measured], fdatasync_us: f64) -> Vec<Ratio> {
    let directs = results.iter().filter(|measured| measured.subject == DIRECT);
    let ratio = |direct: &Measured| {
        let others = || results.iter().filter(|one| one.shape == direct.shape);
        let by = |pick: &dyn Fn(&Measured) -> f64| others().map(|one| (one.subject, pick(one))).collect();
        let added = |one: &Measured| one.median.latency_us.p50 - direct.median.latency_us.p50;
        Ratio {
            shape: direct.shape,
            throughput: by(&|one| rounded(one.median.throughput / direct.median.throughput, 4)),
            added_us: by(&|one| rounded(added(one), 1)),
            added_fdatasyncs: by(&|one| rounded(added(one) / fdatasync_us, 2)),
        }
    };
    directs.map(ratio).collect()
}

/// What the product promises, on the two-processor machine that it shares with load, upstream and database.
pub(crate) fn goals(results: &[Measured], ratios: &[Ratio], record: &Record, fdatasync_us: f64) -> Vec<Goal> {
    let mut goals = Vec::new();
    let busy =
        results.iter().find(|one| one.subject == WITH && one.shape.callers == 64 && one.shape.rate.is_none());
    if let Some(busy) = busy {
        goals.push(Goal {
            what: "calls a second with durable records at 64 callers, at least".into(),
            wanted: 5000.0,
            got: busy.median.throughput,
            met: busy.median.throughput >= 5000.0,
        });
    }
    let alone = ratios.iter().find(|ratio| ratio.shape.callers == 1 && ratio.shape.rate.is_none());
    if let Some(added) = alone.and_then(|ratio| ratio.added_us.get(WITH)) {
        let most = rounded(1.5 * fdatasync_us + 1000.0, 1);
        goals.push(Goal {
            what: "added microseconds at one caller, at most 1.5 fdatasync + 1 ms".into(),
            wanted: most,
            got: *added,
            met: *added <= most,
        });
    }
    let failed: u64 = results.iter().map(|one| one.median.failed).sum();
    goals.push(Goal {
        what: "calls that did not succeed, at most".into(),
        wanted: 0.0,
        got: failed as f64,
        met: failed == 0,
    });
    goals.push(Goal {
        what: "calls through the product without a complete record, at most".into(),
        wanted: 0.0,
        got: record.missing() as f64,
        met: record.missing() == 0,
    });
    goals
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

/// The tables for a terminal, 110 columns wide at most.
pub(crate) fn tables(comparison: &Comparison) -> String {
    let mut out = String::new();
    let disk = &comparison.fdatasync_us;
    let machine = &comparison.setting.machine;
    let _ = writeln!(out, "{} processors, {}, Linux {}", machine.processors, machine.model, machine.kernel);
    if machine.load_before > QUIET {
        let load = machine.load_before;
        let _ = writeln!(out, "NOT A QUIET MACHINE: its load average was {load} before this began");
    }
    let _ = writeln!(
        out,
        "fdatasync of 4 KiB: median {:.0} us, p90 {:.0} us, p99 {:.0} us ({} samples)",
        disk.p50, disk.p90, disk.p99, disk.samples
    );
    let mut shapes: Vec<Shape> = Vec::new();
    for measured in &comparison.results {
        if !shapes.contains(&measured.shape) {
            shapes.push(measured.shape);
        }
    }
    for shape in shapes {
        let pace =
            shape.rate.map_or("closed loop".to_owned(), |rate| format!("open loop, {rate:.0} calls/s"));
        let plural = if shape.callers == 1 { "" } else { "s" };
        let _ = writeln!(out, "\n{} caller{plural}, {pace}; latency in us, CPU in us a call", shape.callers);
        let _ = writeln!(
            out,
            "{:<24}{:>9}{:>9}{:>9}{:>9}{:>10}  {:>7}  CPU",
            "", "calls/s", "p50", "p90", "p99", "max", "added"
        );
        let ratio = comparison.ratios.iter().find(|ratio| ratio.shape == shape);
        for one in comparison.results.iter().filter(|one| one.shape == shape) {
            let latency = &one.median.latency_us;
            let added = ratio.and_then(|ratio| ratio.added_fdatasyncs.get(one.subject));
            let added = added
                .filter(|_| one.subject != DIRECT)
                .map_or(String::new(), |times| format!("{times:.2} f"));
            let cpu: Vec<String> =
                one.median.cpu_us_per_call.iter().map(|(name, us)| format!("{name} {us:.0}")).collect();
            let _ = writeln!(
                out,
                "{:<24}{:>9.0}{:>9.0}{:>9.0}{:>9.0}{:>10.0}  {:>7}  {}",
                one.subject.replace('_', " "),
                one.median.throughput,
                latency.p50,
                latency.p90,
                latency.p99,
                latency.max,
                added,
                cpu.join(", ")
            );
        }
    }
    let _ = writeln!(
        out,
        "\n(added: median latency above the direct call's, in multiples of the median fdatasync)"
    );
    for goal in &comparison.goals {
        let mark = if goal.met { "met" } else { "NOT MET" };
        let _ = writeln!(out, "{mark}: {} {:.0}: measured {:.0}", goal.what, goal.wanted, goal.got);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::{Counts, Tally};

    fn round(throughput: f64, p50: f64, failed: u64) -> Round {
        let latency = Percentiles { p50, ..Tally::new().unwrap().latency() };
        let report = Report {
            pace: "closed",
            rate: None,
            callers: 1,
            seconds: 1.0,
            throughput,
            made: 11,
            calls: Counts { ok: 10, tool_errors: failed, ..Counts::default() },
            latency_us: latency,
            service_us: latency,
            failures: Vec::new(),
        };
        Round { report, cpu_us_per_call: BTreeMap::from([("load", p50 / 10.0)]) }
    }

    fn comparison(with_p50: f64) -> (Vec<Measured>, Vec<Ratio>) {
        let shape = Shape { callers: 1, rate: None };
        let results = vec![
            Measured::of(DIRECT, shape, vec![round(10_000.0, 100.0, 0)]),
            Measured::of(
                WITH,
                shape,
                vec![round(200.0, with_p50, 0), round(250.0, 1.0, 1), round(150.0, 9e9, 0)],
            ),
        ];
        let ratios = ratios(&results, 4000.0);
        (results, ratios)
    }

    #[test]
    fn rounds_are_summed_up_by_their_middle() {
        let (results, ratios) = comparison(5100.0);
        assert_eq!(results[1].median.throughput, 200.0);
        assert_eq!(results[1].median.latency_us.p50, 5100.0);
        assert_eq!(results[1].median.cpu_us_per_call["load"], 510.0);
        assert_eq!(results[1].median.failed, 1);
        assert_eq!(ratios[0].added_us[WITH], 5000.0);
        assert_eq!(ratios[0].added_fdatasyncs[WITH], 1.25);
        assert_eq!(ratios[0].throughput[WITH], 0.02);
    }

    #[test]
    fn a_goal_that_is_missed_says_so() {
        let record = Record { made: 9, recorded: 9, settled: 9, charged: 9, arguments: 9, results: 9 };
        let (results, ratios) = comparison(5100.0);
        let goals_met: Vec<bool> =
            goals(&results, &ratios, &record, 4000.0).iter().map(|goal| goal.met).collect();
        assert_eq!(goals_met, [true, false, true], "the latency is fine, the failed call is not");
        let (results, ratios) = comparison(7101.0);
        assert!(!goals(&results, &ratios, &record, 4000.0)[0].met);
        let lost = Record { settled: 8, ..record };
        assert!(!goals(&results, &ratios, &lost, 4000.0)[2].met);
    }
}
