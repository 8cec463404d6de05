//! A clock that moves only when told, and randomness that repeats.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use chrono::Timelike as _;
use model::ambient::{Clock, Entropy};
use model::{Ambient, Timestamp, Zone};
use parking_lot::Mutex;
use rand::{RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;

/// Stands still at the instant it was made, until advanced. It begins at the real time, since the database's clock
/// cannot be held and ids must agree with it within ten minutes.
#[derive(Debug)]
pub struct TestClock {
    began: Timestamp,
    advanced: Mutex<Duration>,
}

impl TestClock {
    /// Stands at the present.
    #[allow(clippy::disallowed_methods, reason = "begins beside the database's clock")]
    pub fn new() -> Arc<Self> {
        Arc::new(Self { began: chrono::Utc::now(), advanced: Mutex::default() })
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        *self.advanced.lock() += by;
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.began + *self.advanced.lock()
    }

    fn since_boot(&self) -> Duration {
        Duration::from_secs(1000) + *self.advanced.lock()
    }
}

/// The real clock, for tests of what happens while time passes.
#[derive(Debug)]
pub struct RealClock(std::time::Instant);

impl RealClock {
    /// Begins to count since boot now.
    pub fn new() -> Arc<Self> {
        Arc::new(Self(std::time::Instant::now()))
    }
}

impl Clock for RealClock {
    #[allow(clippy::disallowed_methods, reason = "the real clock")]
    fn now(&self) -> Timestamp {
        chrono::Utc::now()
    }

    fn since_boot(&self) -> Duration {
        self.0.elapsed()
    }
}

/// ChaCha20 from a seed.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<ChaCha20Rng>);

impl SeededEntropy {
    /// The same seed gives the same bytes.
    pub fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(ChaCha20Rng::seed_from_u64(seed))))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, buffer: &mut [u8]) {
        self.0.lock().fill_bytes(buffer);
    }
}

/// A still clock and seeded randomness.
pub fn test_ambient(seed: u64) -> (Ambient, Arc<TestClock>) {
    let clock = TestClock::new();
    (Ambient::new(clock.clone(), SeededEntropy::new(seed)), clock)
}

/// A time zone in which it is about noon, so that no day, and no month, ends while a test runs. The same for the whole process.
#[allow(clippy::disallowed_methods, reason = "stands beside the database's clock")]
pub fn noon() -> Zone {
    static NOON: LazyLock<Zone> = LazyLock::new(|| {
        // Of these names, `Etc/GMT-5` is the one in which it is five hours later.
        let later = 12 - i64::from(chrono::Utc::now().hour());
        format!("Etc/GMT{:+}", -later).parse().expect("there are zones for every hour of the day")
    });
    *NOON
}
