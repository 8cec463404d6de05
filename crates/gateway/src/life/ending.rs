//! How a call ended, in words for the record and in words for the agent. Agents are told what to do next, and nothing of
//! what lies behind an upstream server.

use bytes::Bytes;
use model::call::Outcome;
use policy::Tool;
use serde_json::json;

use super::rounds::{MOST_ROUNDS, Next};
use crate::upstream::{Sending, Trouble};
use crate::wire::{self, Capabilities, Questions, ResultText, code};

/// How a call ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// The tool answered.
    Answered { result: ResultText, is_error: bool },
    /// Its server asks for input first, which the client can be asked for (2026-07-28, Multi Round-Trip Requests).
    Asks { result: Bytes, questions: Questions, next: Next },
    /// It did not, or there is nobody left to answer.
    Failed(Failed),
}

/// A call that brought no result.
#[derive(Debug, Clone)]
pub(super) struct Failed {
    pub(super) outcome: Outcome,
    pub(super) code: &'static str,
    /// For the record.
    pub(super) sentence: String,
    /// For the agent.
    pub(super) told: String,
    /// After how many seconds another try may be worth it.
    pub(super) retry_after: Option<u64>,
    /// What came instead of a result. It is content, as a result is, and kept like one.
    pub(super) content: Option<Bytes>,
    /// The JSON-RPC error code that the server answered with.
    pub(super) theirs: Option<i32>,
    /// What the client would have to be able to do (2026-07-28, error -32021): the `data` of that error, raw.
    pub(super) lacking: Option<Bytes>,
}

impl Failed {
    fn new(
        outcome: Outcome,
        code: &'static str,
        sentence: impl Into<String>,
        told: impl Into<String>,
    ) -> Self {
        let (sentence, told) = (sentence.into(), told.into());
        Self { outcome, code, sentence, told, retry_after: None, content: None, theirs: None, lacking: None }
    }

    /// What an upstream server, or the way to it, did.
    pub(super) fn of(trouble: &Trouble, tool: &Tool, sending: &Sending) -> Self {
        let outcome = match trouble {
            _ if !sending.has_begun() => Outcome::NotSent,
            Trouble::TimedOut { .. } => Outcome::TimedOut,
            _ => Outcome::UpstreamError,
        };
        let told = told(trouble, outcome, &tool.module_title);
        match trouble {
            // Its message may repeat the arguments.
            Trouble::Refused { code, raw, .. } => {
                let sentence = format!("the server answered error {code}");
                let failed = Self::new(outcome, trouble.code(), sentence, told);
                Self { content: Some(raw.clone()), theirs: i32::try_from(*code).ok(), ..failed }
            }
            Trouble::ClientLacks { raw, .. } => {
                let unsaid = Bytes::from_static(br#"{"requiredCapabilities":{}}"#);
                let lacking = wire::error_data(raw).unwrap_or(unsaid);
                // What is missing is in the server's words too.
                let sentence = "the server wants a client that can do more";
                let failed = Self::new(outcome, trouble.code(), sentence, told);
                Self { content: Some(raw.clone()), lacking: Some(lacking), ..failed }
            }
            _ => {
                let failed = Self::new(outcome, trouble.code(), trouble.to_string(), told);
                Self { retry_after: trouble.retry_after(), ..failed }
            }
        }
    }

    /// A native module gave no answer.
    pub(super) fn native(sentence: String) -> Self {
        Self::new(Outcome::UpstreamError, "module_failed", sentence.clone(), sentence)
    }

    /// What we present upstream could not be had.
    pub(super) fn no_connection(tool: &Tool) -> Self {
        let title = &tool.module_title;
        Self::new(
            Outcome::NotSent,
            "connection_unavailable",
            format!("the credentials of the connection to {title} could not be read"),
            format!(
                "The connection to {title} is not usable at the moment; nothing was done. Try again later."
            ),
        )
    }

    /// A person has to connect the module again.
    pub(super) fn must_connect(tool: &Tool) -> Self {
        let title = &tool.module_title;
        let whom = match &tool.owner {
            Some(owner) => format!("{owner}, who answers for it,"),
            None => "an admin".to_owned(),
        };
        Self::new(
            Outcome::NotSent,
            "must_be_connected",
            format!(
                "{title} must be connected again: the access that was given to it is over, or is not enough"
            ),
            format!(
                "The access to {title} is over, or is not enough for this; nothing was done. Ask {whom} to connect it again \
                 on its page in the catalog."
            ),
        )
    }

    /// A module that is reached by URL has none.
    pub(super) fn no_url(tool: &Tool) -> Self {
        let title = &tool.module_title;
        Self::new(
            Outcome::NotSent,
            "module_without_url",
            format!("the module {title} has no URL"),
            format!("{title} is not set up completely; nothing was done. Ask an admin."),
        )
    }

    /// A result that cannot be passed on.
    pub(super) fn unreadable(why: &str) -> Self {
        let told = "The tool gave an answer that could not be used. The call may or may not have happened.";
        Self::new(Outcome::UpstreamError, "upstream_garbage", why, told)
    }

    /// Its server asks for what the client has not said it can give: `missing`, or nothing if it could be asked for nothing at
    /// all. `result` is what the server answered.
    pub(super) fn unasked(title: &str, missing: Option<Capabilities>, result: Bytes) -> Self {
        let data = missing.map(|missing| json!({ "requiredCapabilities": missing.object() }));
        let (sentence, told) = match missing {
            Some(missing) => {
                let missing = wire::in_words(&missing.object());
                (
                    format!("the server asked for input that the client cannot give: {missing}"),
                    format!(
                        "{title} asks for what this client has not said it can give: {missing}. The call was not finished."
                    ),
                )
            }
            None => (
                "the server asked for input, which the client cannot be asked for".to_owned(),
                format!(
                    "{title} asks for input before it can answer, which this client cannot give. The call was not \
                     finished; a client that can be asked can make it."
                ),
            ),
        };
        let failed = Self::new(Outcome::UpstreamError, "client_lacks_capability", sentence, told);
        let lacking = data.map(|data| Bytes::from(data.to_string()));
        Self { content: Some(result), lacking, ..failed }
    }

    /// The client was asked what the server wants to know, and is gone, took too long, or cannot say.
    pub(super) fn not_answered(title: &str) -> Self {
        let told = format!(
            "{title} asks for input before it can answer, and this client did not give it. The call was not finished: make it \
             again to be asked again."
        );
        Self::new(
            Outcome::Cancelled,
            "input_not_given",
            "the client did not answer what the server asked",
            told,
        )
    }

    /// What the client answered cannot be passed on.
    pub(super) fn bad_answer(title: &str, why: &str) -> Self {
        let told = format!(
            "{title} asks for input, and the answers of this client cannot be passed on: {why}. The call was not finished."
        );
        Self::new(Outcome::Cancelled, "malformed_input", "the client's answers cannot be passed on", told)
    }

    /// What the client answers is not waited for any more. `is_elsewhere`: it never was, by this node.
    pub(super) fn not_waited_for(title: &str, is_elsewhere: bool) -> Self {
        let (code, why) = if is_elsewhere {
            (
                "asked_by_another_node",
                "another node of this service, or this one before it was started anew, asked this",
            )
        } else {
            ("not_waited_for", "this was answered already, or too late, or the call has ended since")
        };
        let sentence = format!("the client's answers were not carried: {why}");
        let told = format!(
            "{title} does not wait for these answers here: {why}. Nothing was sent: make the call again."
        );
        Self::new(Outcome::NotSent, code, sentence, told)
    }

    /// Too many calls wait for answers already.
    pub(super) fn too_many_wait(title: &str) -> Self {
        let told = format!(
            "{title} asks for input before it can answer, and too many calls wait for input already. The call was not finished: \
             answer or end others, then make it again."
        );
        let sentence = "its server asked for input, and too many calls wait for answers already";
        Self::new(Outcome::Cancelled, "too_many_waiting", sentence, told)
    }

    /// Its server waited for an answer that will not come.
    pub(super) fn given_up() -> Self {
        let sentence = "its server waited for answers that may not be given any more";
        Self::new(Outcome::Cancelled, "input_not_given", sentence, "")
    }

    /// Its server has asked often enough.
    pub(super) fn asked_too_often(title: &str, result: Bytes) -> Self {
        let sentence = format!("the server asked for input in {MOST_ROUNDS} rounds and wants more");
        let told = format!(
            "{title} keeps asking for input. The call was not finished: make it again, or ask an admin."
        );
        let failed = Self::new(Outcome::UpstreamError, "too_many_rounds", sentence, told);
        Self { content: Some(result), ..failed }
    }

    /// Whoever had the call in hand let go of it: the caller went away, or something broke on our side.
    pub(super) fn let_go(was_sent: bool, panicking: bool) -> Self {
        let (code, sentence) = if panicking {
            ("internal_error", "something broke on our side while the call was under way")
        } else {
            ("cancelled", "the caller went away while the call was under way")
        };
        let outcome = match (was_sent, panicking) {
            (false, _) => Outcome::NotSent,
            (true, false) => Outcome::Cancelled,
            (true, true) => Outcome::Interrupted,
        };
        Self::new(outcome, code, sentence, "")
    }
}

impl Ending {
    /// The caller left while the call was being admitted.
    pub(super) fn left_before_sending() -> Self {
        let sentence = "the caller went away before the call was sent";
        Self::Failed(Failed::new(Outcome::NotSent, "cancelled", sentence, ""))
    }

    /// Permit and receipt are not about the same call.
    pub(super) fn mismatch() -> Self {
        let sentence = "the ledger's receipt was for another call or other arguments";
        Self::Failed(Failed::new(Outcome::NotSent, "receipt_mismatch", sentence, ""))
    }
}

/// What the agent is told of trouble with a module.
fn told(trouble: &Trouble, outcome: Outcome, title: &str) -> String {
    match (outcome, trouble) {
        (_, Trouble::Busy { .. }) => {
            format!("{title} has too many calls under way; nothing was done. Try again in a moment.")
        }
        (_, Trouble::Resting { seconds, .. }) => format!(
            "{title} has failed again and again and is left alone for {seconds} s; nothing was done. Try again then, or ask \
             an admin."
        ),
        (_, Trouble::StillOpening { .. }) => {
            format!("{title} was not ready yet; nothing was done. Try again in a moment.")
        }
        (_, Trouble::TooLate) => {
            "The call could not be sent in the time it was allowed; nothing was done. Try again.".to_owned()
        }
        (_, Trouble::Unauthorized { .. }) => {
            format!("{title} refused the credentials of this connection. Ask an admin to renew it.")
        }
        (Outcome::NotSent, Trouble::Refused { code, .. }) if *code == i64::from(code::HEADER_MISMATCH) => {
            format!(
                "{title} wants other arguments in headers than its approved definition says; nothing was done. Ask an admin \
             to look at its tools."
            )
        }
        (_, Trouble::Refused { code, message, .. }) => {
            format!("{title} answered with error {code}: {message}")
        }
        (_, Trouble::ClientLacks { missing, .. }) => format!(
            "{title} needs a client that can do more than this one says it can: {missing}. The call was not finished."
        ),
        (_, Trouble::NoHeader) => format!(
            "{title} wants an argument in a header that cannot stand in one; nothing was done. Use a smaller number."
        ),
        (Outcome::NotSent, _) => {
            format!("{title} could not be reached; nothing was done. Try again later, or ask an admin.")
        }
        (Outcome::TimedOut, Trouble::TimedOut { seconds, .. }) => {
            format!("{title} did not answer within {seconds} s. The call may or may not have happened.")
        }
        (_, Trouble::BrokeOff { .. }) => {
            format!(
                "{title} broke off before its answer was complete. The call may or may not have happened."
            )
        }
        (_, Trouble::TooLarge { limit, .. }) => {
            format!("{title} answered with more than {limit} bytes, which is more than is passed on.")
        }
        _ => format!("{title} gave an answer that could not be used. The call may or may not have happened."),
    }
}
