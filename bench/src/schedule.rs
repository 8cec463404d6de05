//! When calls begin. Closed: as soon as the one before has been answered. Open: at a fixed rate whatever the
//! answers do, each call timed from the instant it was due, so that a stall is not hidden by callers that wait
//! for it (coordinated omission).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::Failure;

/// Hands out the starts of calls to any number of callers.
pub(crate) struct Schedule {
    begin: Instant,
    until: Instant,
    rate: Option<f64>,
    due: Semaphore,
    taken: AtomicU64,
}

impl Schedule {
    /// Starts now and lasts `lasting`. With a rate (calls a second) the starts are `1/rate` apart.
    pub(crate) fn new(rate: Option<f64>, lasting: Duration) -> Arc<Self> {
        let begin = Instant::now();
        Arc::new(Self {
            begin,
            until: begin + lasting,
            rate,
            due: Semaphore::new(0),
            taken: AtomicU64::new(0),
        })
    }

    /// Waits for the next start and returns the instant it was due; `None` when the time is over.
    pub(crate) async fn next(&self) -> Option<Instant> {
        let Some(rate) = self.rate else {
            let now = Instant::now();
            return (now < self.until).then_some(now);
        };
        // The semaphore is closed at the end; what is due and not begun by then is counted and not sent.
        self.due.acquire().await.ok()?.forget();
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        Some(self.begin + Duration::from_secs_f64(number as f64 / rate))
    }

    /// Paces an open schedule from a thread of its own: the async timer's millisecond is too coarse. `None` when closed.
    pub(crate) fn pace(self: &Arc<Self>) -> Result<Option<JoinHandle<u64>>, Failure> {
        let Some(rate) = self.rate else { return Ok(None) };
        let schedule = self.clone();
        let pacer = std::thread::Builder::new().name("pacer".into()).spawn(move || schedule.issue(rate));
        pacer.map(Some).map_err(|wrong| Failure::of("starting the pacer", wrong))
    }

    /// Issues what is due until the end; returns how many starts were issued and not taken.
    fn issue(&self, rate: f64) -> u64 {
        let mut issued = 0_u64;
        loop {
            let now = Instant::now();
            if now >= self.until {
                break;
            }
            let due = (now.duration_since(self.begin).as_secs_f64() * rate) as u64 + 1;
            if due > issued {
                self.due.add_permits(usize::try_from(due - issued).unwrap_or(0));
                issued = due;
            }
            let next = self.begin + Duration::from_secs_f64(issued as f64 / rate);
            std::thread::sleep(next.min(self.until).saturating_duration_since(Instant::now()));
        }
        self.due.close();
        issued.saturating_sub(self.taken.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_open_schedule_keeps_its_rate_and_counts_what_nobody_took() {
        let schedule = Schedule::new(Some(1000.0), Duration::from_millis(300));
        let pacer = schedule.pace().unwrap().unwrap();
        let mut starts = Vec::new();
        while starts.len() < 100 {
            starts.push(schedule.next().await.unwrap());
        }
        for pair in starts.windows(2) {
            assert!(
                pair[1].duration_since(pair[0]).abs_diff(Duration::from_millis(1)) < Duration::from_micros(1)
            );
        }
        let left = tokio::task::spawn_blocking(move || pacer.join().unwrap()).await.unwrap();
        assert!((150..=200).contains(&left), "{left}");
        assert!(schedule.next().await.is_none());
    }

    #[tokio::test]
    async fn a_late_caller_is_told_when_its_call_was_due() {
        let schedule = Schedule::new(Some(100.0), Duration::from_millis(400));
        let _pacer = schedule.pace().unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        let due = schedule.next().await.unwrap();
        assert!(due.elapsed() >= Duration::from_millis(190), "{:?}", due.elapsed());
    }
}
