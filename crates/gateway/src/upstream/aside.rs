//! What a server asks beside its answers: on the stream of the session itself, which a client may open (2025-11-25, Transports,
//! Listening for Messages from the Server). Many servers ask there whatever they ask. It does not say to which call a question
//! belongs, so a session in which clients can be asked is one credential's alone.

use std::future::Future;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::StatusCode;

use super::exchange::{Peer, is_stream};
use super::session::Session;
use super::stream::Stream;
use crate::conduit::Conduit;
use crate::wire::Capabilities;

/// How long a call waits for the stream to be open, so that no question comes before it is.
const HEAD_START: Duration = Duration::from_millis(500);
/// What is waited, and how often, where the stream of the call before has yet to be over for the server.
const PAUSE: Duration = Duration::from_millis(200);
const AGAIN: u32 = 10;
/// The id of no request of ours.
const NONE: u64 = 0;

/// Does `call`, and carries what the server asks meanwhile to the client.
pub(super) async fn listening<T>(
    peer: &Peer,
    session: &Session,
    conduit: Option<&Conduit>,
    call: impl Future<Output = T>,
) -> T {
    let can_be_asked = conduit.is_some_and(|conduit| conduit.capabilities() != Capabilities::default());
    if !can_be_asked || session.id.is_none() || session.has_no_stream.load(Ordering::Relaxed) {
        return call.await;
    }
    // On the heap: calls whose clients cannot be asked need no room for it.
    let mut opening = Box::pin(peer.send(Some(session), peer.listening(session, None)));
    let early = tokio::time::timeout(HEAD_START, &mut opening).await.ok();
    let mut aside = Box::pin(async {
        let mut opened = match early {
            Some(opened) => opened,
            None => opening.await,
        };
        for _ in 0..AGAIN {
            if !opened.as_ref().is_ok_and(|response| response.status() == StatusCode::CONFLICT) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
            opened = peer.send(Some(session), peer.listening(session, None)).await;
        }
        let Ok(response) = opened else { return };
        match response.status() {
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                session.has_no_stream.store(true, Ordering::Relaxed);
            }
            status if status.is_success() && is_stream(response.headers()) => {
                let stream = Stream { peer, session: Some(session), id: NONE, conduit, is_aside: true };
                // It answers nothing, so that it ends when the server ends it.
                let _ = stream.read(response.into_body()).await;
            }
            _ => (),
        }
    });
    tokio::pin!(call);
    tokio::select! {
        done = &mut call => done,
        () = &mut aside => call.await,
    }
}
