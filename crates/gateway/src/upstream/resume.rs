//! A stream that a server ended, or that broke off, before the answer had come: a server that gives its events ids keeps the
//! rest, and is asked for it with the last of them (2025-11-25, Transports, Resumability and Redelivery). Nothing is made
//! twice by that: it is the same call, listened to once more.

use std::time::Duration;

use http::HeaderValue;

use super::answer::Answer;
use super::events::Events;
use super::exchange::{Peer, is_stream};
use super::session::Session;

/// How often one answer is asked for, at most.
const MOST: u32 = 100;
/// Longest id that is sent back, in bytes.
const LONGEST: usize = 4 << 10;
/// How long a server is left alone that does not say how long it wants to be.
const USUAL: Duration = Duration::from_secs(1);
/// How long at least, whatever it says.
const LEAST: Duration = Duration::from_millis(50);

/// How often the rest of an answer may still be asked for.
#[derive(Debug)]
pub(super) struct Resuming {
    left: u32,
}

impl Resuming {
    pub(super) fn new() -> Self {
        Self { left: MOST }
    }

    /// Waits as long as the server wants, and opens the rest of the stream. None: it cannot be had.
    pub(super) async fn rest(
        &mut self,
        peer: &Peer,
        session: Option<&Session>,
        events: &mut Events,
    ) -> Option<Answer> {
        // A stateless server gives up what nobody listens to (2026-07-28, Cancellation).
        let session = session.filter(|session| !session.is_stateless)?;
        let last = events.last_id();
        if last.is_empty() || last.len() > LONGEST {
            return None;
        }
        let last = HeaderValue::from_bytes(last).ok()?;
        events.go_on();
        while self.left > 0 {
            self.left -= 1;
            tokio::time::sleep(events.retry().unwrap_or(USUAL).max(LEAST)).await;
            match peer.send(Some(session), peer.listening(session, Some(last.clone()))).await {
                Ok(response) if response.status().is_success() && is_stream(response.headers()) => {
                    return Some(response.into_body());
                }
                // Whatever it says, the call has been taken, and is not to be made again for it.
                Ok(_) => return None,
                // It may be away for a moment.
                Err(_) => (),
            }
        }
        None
    }
}
