//! An answer that comes as a stream of events: what the server tells and asks while it works, then what it brings back.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use http_body_util::{BodyExt as _, Limited};

use super::answer::{Answer, CutShort};
use super::events::Events;
use super::exchange::{ERROR_BODY, Peer};
use super::resume::Resuming;
use super::session::Session;
use super::theirs::{self, Question, Theirs};
use super::trouble::Trouble;
use crate::conduit::Conduit;
use crate::wire::{self, Message};

/// How many requests of the server are answered while it answers one of ours.
const THEIR_REQUESTS: usize = 32;
/// How long a stream may stay open after its answer.
const RUN_OUT: Duration = Duration::from_secs(1);

/// The answer to one request.
pub(super) struct Stream<'a> {
    pub(super) peer: &'a Peer,
    pub(super) session: Option<&'a Session>,
    /// The request's id.
    pub(super) id: u64,
    pub(super) conduit: Option<&'a Conduit>,
    /// Whether it is the session's own stream, which tells of other calls too: there the client is asked and told nothing.
    pub(super) is_aside: bool,
}

/// What a message of a stream is to us.
enum Told<'a> {
    Result(Bytes),
    /// To be asked of the client.
    Question(Question<'a>),
    /// Nothing is left to be done about it.
    Done,
}

impl Stream<'_> {
    /// Reads until the result has come, also from where the stream goes on.
    pub(super) async fn read(&self, mut body: Answer) -> Result<Bytes, Trouble> {
        let peer = self.peer;
        let mut events = Events::new(peer.limit);
        let mut resuming = Resuming::new();
        let mut asked = 0;
        // Questions to the client, which are over with the call.
        let mut questions = FuturesUnordered::new();
        loop {
            let frame = tokio::select! {
                frame = body.frame() => frame,
                Some(()) = questions.next() => continue,
            };
            let (messages, ended) = match frame {
                None => (events.finish().into_iter().collect(), true),
                Some(Err(CutShort::Piped(trouble))) => return Err(trouble),
                Some(Err(_)) => (Vec::new(), true),
                Some(Ok(frame)) => match frame.data_ref() {
                    None => continue,
                    Some(piece) => (events.feed(piece).map_err(|_| peer.too_large())?, false),
                },
            };
            for message in messages {
                match self.take(Bytes::from(message), &mut asked) {
                    Ok(Told::Result(result)) => {
                        if !ended {
                            tokio::spawn(run_out(body));
                        }
                        return Ok(result);
                    }
                    Ok(Told::Question(question)) => questions.push(async move {
                        if let Some(answer) = question.asked().await {
                            let _ = peer.tell(self.session, answer).await;
                        }
                    }),
                    Ok(Told::Done) => (),
                    // What the end of the stream cut short is no message.
                    Err(Trouble::NotMcp { .. }) if ended => (),
                    Err(trouble) => return Err(trouble),
                }
            }
            if ended {
                let rest = resuming.rest(peer, self.session, &mut events);
                tokio::pin!(rest);
                body = loop {
                    tokio::select! {
                        rest = &mut rest => break rest.ok_or_else(|| peer.broke_off())?,
                        Some(()) = questions.next() => (),
                    }
                };
            }
        }
    }

    fn take(&self, message: Bytes, asked: &mut usize) -> Result<Told<'_>, Trouble> {
        if let Some(result) = self.peer.result_in(&message, self.id)? {
            return Ok(Told::Result(result));
        }
        if let Some(conduit) = self.conduit
            && !self.is_aside
        {
            pass_on(&message, conduit);
        }
        // Without a session, servers ask for input in their results and nowhere else (2026-07-28).
        if self.session.is_some_and(|session| session.is_stateless) || *asked >= THEIR_REQUESTS {
            return Ok(Told::Done);
        }
        let Some(theirs) = theirs::read(&message, self.conduit) else { return Ok(Told::Done) };
        *asked += 1;
        // A server that minds will say so in its answer to us.
        match theirs {
            Theirs::Answered(answer) => {
                let (peer, session) = (self.peer.clone(), self.session.cloned());
                tokio::spawn(async move { peer.tell(session.as_ref(), answer).await });
                Ok(Told::Done)
            }
            Theirs::Question(question) => Ok(Told::Question(question)),
        }
    }
}

/// Reads the rest of a stream whose answer has come, so that its connection can be used again.
async fn run_out(body: Answer) {
    let _ = tokio::time::timeout(RUN_OUT, Limited::new(body, ERROR_BODY).collect()).await;
}

/// Tells the client what the server tells of the request.
fn pass_on(message: &Bytes, conduit: &Conduit) {
    if let Ok(Message::Notification { method, params: Some(params) }) = wire::read(message) {
        match &*method {
            "notifications/progress" => conduit.progress(params),
            "notifications/message" => conduit.log(params),
            _ => (),
        }
    }
}
