//! What comes back for a request: from the network, or from a server that is spoken to through a pipe.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::sync::mpsc;

use super::pipe::{Piece, Waiting};
use super::trouble::Trouble;

/// The body of a response.
#[derive(Debug)]
pub(crate) enum Answer {
    Http(Incoming),
    Piped(Piped),
}

/// Why there is no more of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CutShort {
    #[error(transparent)]
    Http(#[from] hyper::Error),
    #[error(transparent)]
    Piped(#[from] Trouble),
}

/// Events from a pipe.
#[derive(Debug)]
pub(crate) struct Piped {
    pieces: mpsc::Receiver<Piece>,
    _waiting: Option<Waiting>,
}

impl Piped {
    pub(super) fn new(pieces: mpsc::Receiver<Piece>, waiting: Option<Waiting>) -> Self {
        Self { pieces, _waiting: waiting }
    }

    pub(super) fn nothing() -> Self {
        Self::new(mpsc::channel(1).1, None)
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = CutShort;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutShort>>> {
        match self.get_mut() {
            Self::Http(body) => Pin::new(body).poll_frame(context).map_err(CutShort::Http),
            Self::Piped(piped) => piped
                .pieces
                .poll_recv(context)
                .map(|piece| piece.map(|piece| piece.map(Frame::data).map_err(CutShort::Piped))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http(body) => body.is_end_stream(),
            Self::Piped(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http(body) => body.size_hint(),
            Self::Piped(_) => SizeHint::default(),
        }
    }
}
