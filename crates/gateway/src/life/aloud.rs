//! A server of 2026-07-28 asks for input, and its client is of the `initialize` era: it is asked on the answer to its own request,
//! and what it says goes on in the next round, which is a call of its own like any other (decision 12). Nothing is open in between
//! but the client's request.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use serde_json::value::RawValue;

use super::authenticate::{Caller, NotSeen, current, look};
use super::ending::Failed;
use super::receive::Received;
use super::rounds::{Input, Next};
use super::settle::tell_failed;
use crate::conduit::Conduit;
use crate::gateway::House;
use crate::wire::{self, Answer, Asked, Questions};
use crate::{refusals, reject};

/// What is waited before a server is asked again that asked for nothing but that.
const PAUSE: Duration = Duration::from_millis(250);

/// Questions that are to be put to the client.
pub(super) struct Aloud {
    pub(super) next: Next,
    pub(super) questions: Questions,
    /// What the server answered.
    pub(super) result: Bytes,
}

impl Aloud {
    /// Asks the client. The next round, and who its client is by now; or what is answered instead.
    pub(super) async fn asked(self, house: &Arc<House>) -> Result<(Box<Received>, Caller), Answer> {
        let Self { next, questions, result } = self;
        let responses = match answers(house, &next, &questions, &result).await {
            Ok(responses) => responses,
            Err(failed) => {
                let received = &next.received;
                return Err(tell_failed(received.id(), received.ask(), received.is_stateless(), failed));
            }
        };
        let received = next.received.again(house, Input { responses, round: Some(next.round(questions)) });
        let caller = seen(house, &next, &received).await?;
        Ok((received, caller))
    }
}

/// What the client says, as `inputResponses`.
async fn answers(
    house: &House,
    next: &Next,
    questions: &Questions,
    result: &[u8],
) -> Result<Option<Bytes>, Failed> {
    let title = &next.tool.module_title;
    let asked = wire::as_requests(result, || house.ambient.random_uuid()).unwrap_or_default();
    let Some(conduit) = next.received.conduit() else { return Err(Failed::not_answered(title)) };
    if asked.is_empty() {
        tokio::time::sleep(PAUSE).await;
        return Ok(None);
    }
    let said = join_all(asked.iter().map(|asked| put(conduit, asked))).await;
    let mut answers: Vec<(&str, Box<RawValue>)> = Vec::with_capacity(asked.len());
    for (asked, said) in asked.iter().zip(said) {
        // In 2026-07-28 there is no way to say that a client could not answer.
        let Some(said) = said else { return Err(Failed::not_answered(title)) };
        answers.push((&asked.key, said));
    }
    let responses = wire::input_responses(answers.iter().map(|(key, said)| (*key, &**said)));
    if responses.len() > house.settings.max_body_bytes {
        return Err(Failed::bad_answer(title, "they are larger than a request may be"));
    }
    wire::check_strictly(&responses, house.settings.max_depth)
        .map_err(|flaw| Failed::bad_answer(title, &flaw.to_string()))?;
    let raw: &RawValue =
        serde_json::from_slice(&responses).map_err(|_| Failed::bad_answer(title, "they are no JSON"))?;
    wire::check_responses(raw, &questions.kinds).map_err(|why| Failed::bad_answer(title, &why))?;
    Ok(Some(responses))
}

/// One question and its answer. None: the client is gone, takes too long, or says that it cannot.
async fn put(conduit: &Conduit, asked: &Asked) -> Option<Box<RawValue>> {
    let params = asked.params.as_deref().and_then(|params| std::str::from_utf8(params).ok());
    conduit.put(asked.kind.method(), params.unwrap_or("{}")).await?.ok()
}

/// Who the client is, in the newest snapshot that there is.
async fn seen(house: &House, next: &Next, received: &Received) -> Result<Caller, Answer> {
    let presented = received.presented();
    let directory = current(house, presented.endpoint, received.deadline()).await?;
    let (code, answer) = match look(house, directory, presented, received.deadline()).await {
        Ok(caller) => return Ok(caller),
        Err(NotSeen::Failed(answer)) => return Err(answer),
        Err(NotSeen::Unknown { .. }) => ("unknown_key", refusals::unknown_key()),
        Err(NotSeen::NoBundle { .. }) => ("unknown_bundle", refusals::no_such_bundle()),
    };
    let (tenant, credential) = (next.who.tenant, Some(next.who.credential));
    reject::record(house, tenant, code, answer.status, credential, presented.address);
    Err(answer)
}
