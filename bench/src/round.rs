//! One measurement: the load, and the processor time that each process spent on it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::load::{Options as LoadOptions, measure};
use crate::report::Round;
use crate::subjects::Watched;
use crate::{Failure, say};

/// Takes it, and says on the terminal how it went. `name` is what is measured.
pub(crate) fn take(name: &str, load: &LoadOptions, watched: &Watched) -> Result<Round, Failure> {
    let now = || watched.iter().map(|(name, watch)| (*name, watch.cpu())).collect::<BTreeMap<_, _>>();
    let mut before = BTreeMap::new();
    let report = measure(load, || before = now())?;
    // Settlements trail behind the answers: their time belongs to the calls.
    std::thread::sleep(Duration::from_millis(300));
    let calls = report.calls.ok.max(1) as f64;
    let cpu = now().into_iter().map(|(name, after)| {
        let used = after - before.get(name).copied().unwrap_or(after);
        (name, (used / calls * 1e7).round() / 10.0)
    });
    let cpu_us_per_call = cpu.collect();
    let pace = load.rate.map_or("closed".to_owned(), |rate| format!("{rate:.0}/s"));
    say(&format!(
        "bench: {name}, {} callers, {pace}: {:.0} calls/s, p50 {:.0} us, p99 {:.0} us, {} failed{}",
        load.callers,
        report.throughput,
        report.latency_us.p50,
        report.latency_us.p99,
        report.calls.failed(),
        report.failures.first().map(|said| format!(": {said}")).unwrap_or_default()
    ));
    Ok(Round { report, cpu_us_per_call })
}
