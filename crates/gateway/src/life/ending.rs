//! How a call ended, in words for the record and in words for the agent. Agents are told what to do next, and nothing of
//! what lies behind an upstream server.

use bytes::Bytes;
use model::call::Outcome;
use policy::Tool;

use crate::upstream::{Sending, Trouble};
use crate::wire::{self, ResultText, code};

/// How a call ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// The tool answered.
    Answered { result: ResultText, is_error: bool },
    /// It did not, or there is nobody left to answer.
    Failed(Failed),
}

/// A call that brought no result.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) outcome: Outcome,
    pub(super) code: &'static str,
    /// For the record.
    pub(super) sentence: String,
    /// For the agent.
    pub(super) told: String,
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
        Self { outcome, code, sentence, told, content: None, theirs: None, lacking: None }
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
                let failed = Self::new(outcome, trouble.code(), trouble.to_string(), told);
                Self { content: Some(raw.clone()), lacking: wire::error_data(raw), ..failed }
            }
            _ => Self::new(outcome, trouble.code(), trouble.to_string(), told),
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
