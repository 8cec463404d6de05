//! What came of the calls: counts and latencies of one measurement.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::Failure;

/// Failures whose text is kept, so that a report can show what went wrong.
const KEPT: usize = 5;
const LOWEST: u64 = 1_000;
const HIGHEST: u64 = 600_000_000_000;

/// How one call ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The tool answered.
    Success,
    /// The gateway refused the call.
    Denied,
    /// The tool, or the gateway in its place, answered `isError`.
    ToolError,
    /// A JSON-RPC error.
    ProtocolError,
    /// Another HTTP status than 200 (202 for notifications).
    HttpError,
    /// Something else than an answer to what was asked.
    Wrong,
    /// The connection broke, could not be made, or nothing came in time.
    TransportError,
}

/// Counts and latencies while they are taken. Latencies are in nanoseconds, of successes only.
pub(crate) struct Tally {
    latency: Histogram<u64>,
    service: Histogram<u64>,
    counts: Counts,
    failures: Vec<String>,
}

/// Calls by how they ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Successes.
    pub(crate) ok: u64,
    /// Refused by the gateway, with a reason.
    pub(crate) denied: u64,
    /// Other `isError` answers.
    pub(crate) tool_errors: u64,
    /// JSON-RPC errors.
    pub(crate) protocol_errors: u64,
    /// Unexpected HTTP statuses.
    pub(crate) http_errors: u64,
    /// Answers that answer something else.
    pub(crate) wrong: u64,
    /// Broken, refused or silent connections.
    pub(crate) transport_errors: u64,
    /// Scheduled by the rate and never begun, because all callers were busy until the end.
    pub(crate) not_begun: u64,
}

impl Counts {
    /// Everything that is not a success.
    pub(crate) const fn failed(&self) -> u64 {
        self.denied
            + self.tool_errors
            + self.protocol_errors
            + self.http_errors
            + self.wrong
            + self.transport_errors
            + self.not_begun
    }
}

/// Percentiles in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Percentiles {
    /// Median.
    pub(crate) p50: f64,
    /// 90 of 100 took at most this.
    pub(crate) p90: f64,
    /// 99 of 100 took at most this.
    pub(crate) p99: f64,
    /// 999 of 1,000 took at most this.
    pub(crate) p999: f64,
    /// The slowest.
    pub(crate) max: f64,
    /// Mean.
    pub(crate) mean: f64,
}

impl Tally {
    /// An empty tally.
    pub(crate) fn new() -> Result<Self, Failure> {
        let histogram = Histogram::new_with_bounds(LOWEST, HIGHEST, 3)
            .map_err(|wrong| Failure::of("making a histogram", wrong))?;
        Ok(Self {
            latency: histogram.clone(),
            service: histogram,
            counts: Counts::default(),
            failures: Vec::new(),
        })
    }

    /// Notes a call. `latency` runs from the scheduled start, `service` from when it was really sent.
    pub(crate) fn note(&mut self, end: End, latency: Duration, service: Duration, said: Option<String>) {
        let count = match end {
            End::Success => {
                self.latency.saturating_record(nanos(latency));
                self.service.saturating_record(nanos(service));
                &mut self.counts.ok
            }
            End::Denied => &mut self.counts.denied,
            End::ToolError => &mut self.counts.tool_errors,
            End::ProtocolError => &mut self.counts.protocol_errors,
            End::HttpError => &mut self.counts.http_errors,
            End::Wrong => &mut self.counts.wrong,
            End::TransportError => &mut self.counts.transport_errors,
        };
        *count += 1;
        if let Some(said) = said
            && self.failures.len() < KEPT
        {
            self.failures.push(said);
        }
    }

    /// Notes calls that the schedule asked for and nobody was free to begin.
    pub(crate) fn not_begun(&mut self, calls: u64) {
        self.counts.not_begun += calls;
    }

    /// Calls by how they ended.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// What the first few failures said.
    pub(crate) fn failures(&self) -> &[String] {
        &self.failures
    }

    /// From the scheduled start to the answer.
    pub(crate) fn latency(&self) -> Percentiles {
        percentiles(&self.latency)
    }

    /// From sending to the answer.
    pub(crate) fn service(&self) -> Percentiles {
        percentiles(&self.service)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn percentiles(histogram: &Histogram<u64>) -> Percentiles {
    let at = |quantile: f64| micros(histogram.value_at_quantile(quantile) as f64);
    Percentiles {
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        max: micros(histogram.max() as f64),
        mean: micros(histogram.mean()),
    }
}

fn micros(nanos: f64) -> f64 {
    (nanos / 100.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_successes_and_in_microseconds() {
        let mut tally = Tally::new().unwrap();
        for millis in 1..=100 {
            let took = Duration::from_millis(millis);
            tally.note(End::Success, took, took / 2, None);
        }
        tally.note(End::ToolError, Duration::from_secs(9), Duration::from_secs(9), Some("denied".into()));
        tally.not_begun(3);
        let latency = tally.latency();
        assert!((latency.p50 - 50_000.0).abs() < 100.0, "{latency:?}");
        assert!((latency.max - 100_000.0).abs() < 100.0, "{latency:?}");
        assert!((tally.service().p90 - 45_000.0).abs() < 100.0);
        assert_eq!(tally.counts(), Counts { ok: 100, tool_errors: 1, not_begun: 3, ..Counts::default() });
        assert_eq!(tally.counts().failed(), 4);
        assert_eq!(tally.failures(), ["denied"]);
    }
}
