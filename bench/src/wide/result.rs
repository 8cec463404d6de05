//! What `bench wide` found: for the JSON file, and the tables that people read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::memory::{After, Memory};
use crate::load::Options as LoadOptions;
use crate::report::{DIRECT, Goal, Round, WITH, WITHOUT};
use crate::setting::Setting;
use crate::tally::Percentiles;

/// The whole result.
#[derive(Serialize)]
pub(crate) struct Wide {
    /// When, of what and where.
    #[serde(flatten)]
    pub(crate) setting: Setting,
    /// Seconds that each measurement took.
    pub(crate) seconds: f64,
    /// Closed loops of more and more callers.
    pub(crate) callers: Vec<Row>,
    /// Open loops at half the rate of 64 callers: the direct call and one of ours, by twos.
    pub(crate) half: Vec<Row>,
    /// Results of a megabyte.
    pub(crate) large: Vec<Row>,
    /// `tools/list`, of which nine of ten tools may be seen.
    pub(crate) list: Row,
    /// 64 callers for one tenant, and for a thousand in turns.
    pub(crate) tenants: Vec<Row>,
    /// For each connection and stream.
    pub(crate) memory: Memory,
    /// While it is called.
    pub(crate) memory_over_calls: Vec<After>,
    /// What is wanted, and whether it was reached.
    pub(crate) goals: Vec<Goal>,
}

/// One measurement.
#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) subject: String,
    pub(crate) callers: u32,
    /// Calls a second of an open loop; none: closed.
    pub(crate) rate: Option<f64>,
    /// Successes a second.
    pub(crate) throughput: f64,
    /// From the scheduled start to the answer, in microseconds.
    pub(crate) latency_us: Percentiles,
    /// Processor time by process, in microseconds for each call.
    pub(crate) cpu_us_per_call: BTreeMap<&'static str, f64>,
    /// Calls that did not succeed.
    pub(crate) failed: u64,
    /// What the first of them said.
    pub(crate) failures: Vec<String>,
}

impl Row {
    /// One measurement of `subject`.
    pub(crate) fn of(subject: &str, load: &LoadOptions, Round { report, cpu_us_per_call }: Round) -> Self {
        Self {
            subject: subject.to_owned(),
            callers: load.callers,
            rate: load.rate,
            throughput: report.throughput,
            latency_us: report.latency_us,
            cpu_us_per_call,
            failed: report.calls.failed(),
            failures: report.failures,
        }
    }

    fn cpu(&self, process: &str) -> Option<f64> {
        self.cpu_us_per_call.get(process).copied()
    }
}

/// What the product promises, on the two-processor machine that it shares with load, upstream and database.
pub(crate) fn goals(callers: &[Row], half: &[Row], list: &Row, memory: &[After]) -> Vec<Goal> {
    let mut goals = Vec::new();
    let mut at_least = |what: &str, wanted: f64, got: f64| {
        goals.push(Goal { what: format!("{what}, at least"), wanted, got, met: got >= wanted });
    };
    let saturated = |subject: &str| callers.iter().find(|row| row.subject == subject && row.callers == 64);
    for (subject, wanted) in [(WITHOUT, 20_000.0), (WITH, 10_000.0)] {
        if let Some(row) = saturated(subject) {
            let what = format!("calls a second of the {} at 64 callers", subject.replace('_', " "));
            at_least(&what, wanted, row.throughput);
        }
    }
    let mut at_most = |what: String, wanted: f64, got: f64| {
        goals.push(Goal { what: format!("{what}, at most"), wanted, got, met: got <= wanted });
    };
    for (subject, wanted) in [(WITHOUT, 60.0), (WITH, 120.0)] {
        if let Some(cpu) = saturated(subject).and_then(|row| row.cpu("gateway")) {
            let what = format!("microseconds of the gateway's CPU a call, {}", subject.replace('_', " "));
            at_most(what, wanted, cpu);
        }
    }
    if let Some([direct, without]) = half.first_chunk::<2>()
        && direct.subject == DIRECT
    {
        let added = (without.latency_us.p99 - direct.latency_us.p99).round();
        at_most("microseconds that p99 grows by at half the load without ledger".into(), 1000.0, added);
    }
    at_most("microseconds of p99 of a list of 1000 tools".into(), 2000.0, list.latency_us.p99);
    // What it holds once it is warm: after a tenth of the calls.
    if let (Some(warm), Some(last)) = (memory.get(memory.len().div_ceil(10)), memory.last()) {
        let grown = last.bytes as f64 / warm.bytes.max(1) as f64 * 100.0 - 100.0;
        at_most(
            format!("percent that memory grows by from call {} to {}", warm.calls, last.calls),
            5.0,
            grown.round(),
        );
    }
    let failed = callers.iter().chain(half).chain([list]).map(|row| row.failed).sum::<u64>();
    at_most("calls that did not succeed".into(), 0.0, failed as f64);
    goals
}

/// The tables for a terminal, 110 columns wide at most.
pub(crate) fn tables(wide: &Wide) -> String {
    let mut out = String::new();
    let parts: [(&str, &[Row]); 5] = [
        ("More and more callers, closed loops", &wide.callers),
        ("Half the load of 64 callers, open loops", &wide.half),
        ("Results of 1 MiB, closed loops", &wide.large),
        ("tools/list of 1000 tools, of which 900 may be seen", std::slice::from_ref(&wide.list)),
        ("64 callers for one tenant and for 1000 in turns", &wide.tenants),
    ];
    for (title, rows) in parts {
        let _ = writeln!(out, "\n{title}; latency in us, CPU in us a call");
        let head = ["calls/s", "p50", "p90", "p99", "p99.9"];
        let _ = write!(out, "{:<26}{:>8}", "", "callers");
        for name in head {
            let _ = write!(out, "{name:>9}");
        }
        let _ = writeln!(out, "  CPU");
        for row in rows {
            let latency = &row.latency_us;
            let _ = write!(out, "{:<26}{:>8}", row.subject.replace('_', " "), row.callers);
            let figures = [row.throughput, latency.p50, latency.p90, latency.p99, latency.p999];
            for figure in figures {
                let _ = write!(out, "{figure:>9.0}");
            }
            let cpu: Vec<String> =
                row.cpu_us_per_call.iter().map(|(name, us)| format!("{name} {us:.0}")).collect();
            let failed = if row.failed == 0 { String::new() } else { format!("; {} FAILED", row.failed) };
            let _ = writeln!(out, "  {}{failed}", cpu.join(", "));
        }
    }
    let memory = &wide.memory;
    let _ = writeln!(
        out,
        "\nMemory with {} tenants: {} MiB idle; {:.1} KiB for each of {} connections, {:.1} KiB with a stream open",
        super::TENANTS,
        memory.idle >> 20,
        memory.each_connection / 1024.0,
        memory.connections,
        memory.each_stream / 1024.0
    );
    let looks: Vec<String> =
        wide.memory_over_calls.iter().map(|look| format!("{} MiB", look.bytes >> 20)).collect();
    let _ = writeln!(out, "Memory over calls: {}\n", looks.join(", "));
    for goal in &wide.goals {
        let mark = if goal.met { "met" } else { "NOT MET" };
        let _ = writeln!(out, "{mark}: {} {:.0}: measured {:.0}", goal.what, goal.wanted, goal.got);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tally::Tally;

    fn row(subject: &str, callers: u32, throughput: f64, p99: f64) -> Row {
        Row {
            subject: subject.to_owned(),
            callers,
            rate: None,
            throughput,
            latency_us: Percentiles { p99, ..Tally::new().unwrap().latency() },
            cpu_us_per_call: BTreeMap::from([("gateway", 61.0)]),
            failed: 0,
            failures: Vec::new(),
        }
    }

    #[test]
    fn each_goal_says_whether_it_is_met() {
        let callers = [row(WITHOUT, 64, 20_000.0, 1.0), row(WITH, 64, 9_999.0, 1.0), row(WITH, 1, 1e9, 1.0)];
        let half = [row(DIRECT, 64, 1.0, 100.0), row(WITHOUT, 64, 1.0, 1101.0)];
        let look = |calls, bytes| After { calls, bytes };
        let flat = [look(0, 10), look(100, 1000), look(200, 1049), look(300, 1050)];
        let goals = goals(&callers, &half, &row("list", 1, 1.0, 1999.0), &flat);
        let met: Vec<bool> = goals.iter().map(|goal| goal.met).collect();
        assert_eq!(
            met,
            [true, false, false, true, false, true, true, true],
            "{:?}",
            goals.iter().map(|it| &it.what).collect::<Vec<_>>()
        );
    }
}
