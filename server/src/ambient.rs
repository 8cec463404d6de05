//! The clock and the randomness of the real world. The only place that reads either.

use std::sync::Arc;
use std::time::Duration;

use model::ambient::{Clock, Entropy};
use model::{Ambient, Timestamp};
use rand::RngCore;
use rustix::time::{ClockId, clock_gettime};

/// The system's clock and a generator that the system seeded.
pub(crate) fn ambient() -> Ambient {
    Ambient::new(Arc::new(System), Arc::new(System))
}

/// Counts time asleep too; elsewhere than on Linux the monotonic clock does.
#[cfg(target_os = "linux")]
const SINCE_BOOT: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const SINCE_BOOT: ClockId = ClockId::Monotonic;

/// This machine.
#[derive(Debug)]
struct System;

impl Clock for System {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is where the injected clock comes from")]
        chrono::Utc::now()
    }

    fn since_boot(&self) -> Duration {
        let time = clock_gettime(SINCE_BOOT);
        Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
    }
}

impl Entropy for System {
    /// ChaCha with a state for each thread, seeded and from time to time reseeded by the system: no call into the
    /// kernel on the path of a tool call.
    fn fill(&self, buffer: &mut [u8]) {
        #[expect(clippy::disallowed_methods, reason = "this is where the injected randomness comes from")]
        rand::rng().fill_bytes(buffer);
    }
}

/// A password that people can read aloud and copy: 20 characters, 100 random bits.
pub(crate) fn password(ambient: &Ambient) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnopqrstuvwxyz2345678";
    let letter = |byte: u8| LETTERS.get(usize::from(byte % 32)).copied().map_or('a', char::from);
    ambient.bytes::<20>().into_iter().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_and_random_bytes_differ() {
        let ambient = ambient();
        let begun = ambient.since_boot();
        assert!(begun > Duration::ZERO);
        assert!(ambient.since_boot() >= begun);
        assert_ne!(ambient.bytes::<32>(), ambient.bytes::<32>());
        assert!(ambient.now().timestamp() > 1_700_000_000);
    }

    #[test]
    fn passwords_are_long_and_differ() {
        let (one, other) = (password(&ambient()), password(&ambient()));
        assert_eq!(one.len(), 20);
        assert_ne!(one, other);
        assert!(one.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{one}");
    }
}
