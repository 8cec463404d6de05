//! When calls begin. Closed: as soon as the one before has been answered. Open: at a fixed rate whatever the
//! answers do, each call timed from the instant it was due, so that a stall is not hidden by callers that wait
//! for it (coordinated omission).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use crate::Failure;

/// How long after the end callers go on to begin what was due before it.
const BACKLOG: Duration = Duration::from_secs(2);

/// Hands out the starts of calls to any number of callers.
pub(crate) struct Schedule {
    begin: Instant,
    until: Instant,
    rate: Option<f64>,
    due: Semaphore,
    taken: AtomicU64,
    begun: AtomicU64,
    /// How many starts there are, once that is known.
    last: AtomicU64,
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
            begun: AtomicU64::new(0),
            last: AtomicU64::new(u64::MAX),
        })
    }

    /// Waits for the next start and returns the instant it was due; `None` when the time is over.
    pub(crate) async fn next(&self) -> Option<Instant> {
        let Some(rate) = self.rate else {
            let now = Instant::now();
            return (now < self.until).then_some(now);
        };
        self.due.acquire().await.ok()?.forget();
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        if number >= self.last.load(Ordering::Acquire) || Instant::now() > self.until + BACKLOG {
            // The next caller that waits is to learn it too.
            self.due.add_permits(1);
            return None;
        }
        self.begun.fetch_add(1, Ordering::Relaxed);
        Some(self.begin + Duration::from_secs_f64(number as f64 / rate))
    }

    /// Paces an open schedule from a thread of its own: the async timer's millisecond is too coarse. The thread returns how many
    /// starts there were. `None` when closed.
    pub(crate) fn pace(self: &Arc<Self>) -> Result<Option<JoinHandle<u64>>, Failure> {
        let Some(rate) = self.rate else { return Ok(None) };
        let schedule = self.clone();
        let pacer = std::thread::Builder::new().name("pacer".into()).spawn(move || schedule.issue(rate));
        pacer.map(Some).map_err(|wrong| Failure::of("starting the pacer", wrong))
    }

    /// How many starts were taken in time.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Issues what is due until the end; returns how many starts there were.
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
        // What became due while we slept the last time, and one more by which callers learn that it is over.
        let all = (self.until.duration_since(self.begin).as_secs_f64() * rate).ceil() as u64;
        self.last.store(all, Ordering::Release);
        self.due.add_permits(usize::try_from(all.saturating_sub(issued)).unwrap_or(0) + 1);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_open_schedule_keeps_its_rate_and_loses_no_start() {
        let schedule = Schedule::new(Some(1000.0), Duration::from_millis(300));
        let pacer = schedule.pace().unwrap().unwrap();
        let mut starts = Vec::new();
        while let Some(due) = schedule.next().await {
            starts.push(due);
        }
        for pair in starts.windows(2) {
            assert!(
                pair[1].duration_since(pair[0]).abs_diff(Duration::from_millis(1)) < Duration::from_micros(1)
            );
        }
        let issued = pacer.join().unwrap();
        assert_eq!((starts.len(), schedule.begun(), issued), (300, 300, 300));
        assert!(schedule.next().await.is_none(), "every caller learns that it is over");
    }

    #[tokio::test]
    async fn what_nobody_had_time_for_is_known() {
        let schedule = Schedule::new(Some(1000.0), Duration::from_millis(50));
        let pacer = schedule.pace().unwrap().unwrap();
        assert!(schedule.next().await.is_some());
        tokio::time::sleep(BACKLOG + Duration::from_millis(100)).await;
        assert!(schedule.next().await.is_none());
        assert_eq!((pacer.join().unwrap(), schedule.begun()), (50, 1));
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
