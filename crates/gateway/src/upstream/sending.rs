//! The last check before a call leaves the house, made when its bytes are asked for: connecting may have taken longer
//! than an admission lasts.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::seams::BootClock;

const WAITING: u8 = 0;
const BEGUN: u8 = 1;
const TOO_LATE: u8 = 2;

/// Until when a call's sending may begin, and whether it has. Clones share what they know.
#[derive(Clone)]
pub(crate) struct Sending {
    state: Arc<AtomicU8>,
    before: Duration,
    clock: Arc<dyn BootClock>,
}

impl fmt::Debug for Sending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").field("before", &self.before).finish_non_exhaustive()
    }
}

impl Sending {
    /// Sending may begin while `clock` shows less than `before` (`Receipt::send_before`).
    pub(crate) fn new(before: Duration, clock: Arc<dyn BootClock>) -> Self {
        Self { state: Arc::new(AtomicU8::new(WAITING)), before, clock }
    }

    /// Begins, unless it is too late. What has begun once, has begun.
    pub(crate) fn begin(&self) -> bool {
        let in_time = self.clock.since_boot() < self.before;
        if in_time {
            self.state.store(BEGUN, Ordering::Release);
        } else {
            let _ = self.state.compare_exchange(WAITING, TOO_LATE, Ordering::AcqRel, Ordering::Acquire);
        }
        in_time
    }

    /// Whether it has begun, so that the upstream may have received something.
    pub(crate) fn has_begun(&self) -> bool {
        self.state.load(Ordering::Acquire) == BEGUN
    }

    /// Whether it was too late when its turn came.
    pub(crate) fn is_too_late(&self) -> bool {
        self.state.load(Ordering::Acquire) == TOO_LATE
    }

    /// Takes back that it has begun, once the upstream has said that it did not take it.
    pub(crate) fn was_not_taken(&self) {
        self.state.store(WAITING, Ordering::Release);
    }

    /// How long there is left.
    pub(crate) fn left(&self) -> Duration {
        self.before.saturating_sub(self.clock.since_boot())
    }
}

/// The body of a request to an upstream server: one piece, handed over only in time.
#[derive(Debug)]
pub(crate) struct Outgoing {
    bytes: Option<Bytes>,
    sending: Option<Sending>,
}

impl Outgoing {
    /// A body that can be sent at any time: what is no call.
    pub(crate) fn any_time(bytes: Bytes) -> Self {
        Self { bytes: Some(bytes), sending: None }
    }

    /// The body of a call.
    pub(crate) fn in_time(bytes: Bytes, sending: Sending) -> Self {
        Self { bytes: Some(bytes), sending: Some(sending) }
    }
}

impl Outgoing {
    /// What it is, while it has not been handed over.
    pub(super) fn text(&self) -> Option<&Bytes> {
        self.bytes.as_ref()
    }

    /// Hands it over as the network would: in time, or not at all.
    pub(super) fn hand_over(self) -> Result<Bytes, TooLate> {
        match &self.sending {
            Some(sending) if !sending.begin() => Err(TooLate),
            _ => Ok(self.bytes.unwrap_or_default()),
        }
    }
}

/// The call may not be sent any more.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the time in which the call could be sent is over")]
pub(crate) struct TooLate;

impl Body for Outgoing {
    type Data = Bytes;
    type Error = TooLate;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, TooLate>>> {
        let body = self.get_mut();
        let Some(bytes) = body.bytes.take() else { return Poll::Ready(None) };
        // An error here makes hyper drop the request: at most a head without its body has left, which no server runs.
        match &body.sending {
            Some(sending) if !sending.begin() => Poll::Ready(Some(Err(TooLate))),
            _ => Poll::Ready(Some(Ok(Frame::data(bytes)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}
