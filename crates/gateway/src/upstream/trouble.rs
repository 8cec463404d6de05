//! What can go wrong with an upstream server, told so that the person who set its URL knows what to do.

use std::error::Error;
use std::io::ErrorKind;
use std::net::IpAddr;

use authorization::Challenge;
use bytes::Bytes;
use serde_json::Value;

use super::client::{AddressRefused, ConnectTimedOut, UnknownHost};
use crate::wire::{self, code};

/// Why an upstream server could not be used. The sentences are for people who run the catalog, not for agents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// The URL cannot be one of an MCP server.
    #[error("`{url}` cannot be used as the URL of an MCP server: {why}")]
    BadUrl {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The address is not public.
    #[error(
        "the address of {host} is {address}, which is private, and private addresses are not allowed here (setting \
         network.allowed_upstream_networks)"
    )]
    PrivateAddress {
        /// The host of the URL.
        host: String,
        /// What it resolves to.
        address: IpAddr,
    },
    /// No name server knows the host.
    #[error("no address is known for {host}: is its name right?")]
    UnknownHost {
        /// The host of the URL.
        host: String,
    },
    /// The connection was refused.
    #[error("nothing listens at {authority}: is the server running, and is the port right?")]
    NothingListens {
        /// Host and port.
        authority: String,
    },
    /// No connection came about in time.
    #[error("{authority} could not be connected to in time: a firewall may be in between")]
    ConnectTimedOut {
        /// Host and port.
        authority: String,
    },
    /// No connection came about: TLS, the network.
    #[error("{authority} could not be connected to: {why}")]
    ConnectFailed {
        /// Host and port.
        authority: String,
        /// As the network or TLS says it.
        why: String,
    },
    /// It took too long to answer.
    #[error("the server at {url} did not answer within {seconds} s")]
    TimedOut {
        /// Where.
        url: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The session that has to be opened first was not there in time. It may be by the next call.
    #[error("the server at {url} was still opening a session when the call had to be sent")]
    StillOpening {
        /// Where.
        url: String,
    },
    /// The admission's time was over before the call could be sent.
    #[error("more time had passed since the call was admitted than it may wait")]
    TooLate,
    /// Too many calls are under way.
    #[error("{limit} calls to this module are under way already, and none ended in time")]
    Busy {
        /// How many may be.
        limit: usize,
    },
    /// It has failed again and again.
    #[error("the server at {url} has failed again and again, and is left alone for {seconds} s")]
    Resting {
        /// Where.
        url: String,
        /// How much longer.
        seconds: u64,
    },
    /// It wants other credentials than ours.
    #[error(
        "the server at {url} answered {status} ({phrase}): it wants credentials, or other ones than this connection's"
    )]
    Unauthorized {
        /// Where.
        url: String,
        /// 401 or 403.
        status: u16,
        /// The status in words.
        phrase: &'static str,
        /// What it says of the token that it wants, where it speaks OAuth.
        challenge: Option<Box<Challenge>>,
    },
    /// It answered with an HTTP error.
    #[error("the server answered {status} {phrase} at {url}{hint}")]
    Status {
        /// Where.
        url: String,
        /// The status.
        status: u16,
        /// The status in words.
        phrase: &'static str,
        /// What it may come from.
        hint: &'static str,
    },
    /// It sent us elsewhere, where we do not follow.
    #[error(
        "the server at {url} redirects to {to}: redirects are not followed; use that address if you trust it"
    )]
    Redirect {
        /// Where.
        url: String,
        /// Its `Location` without a query, cut to 200 characters.
        to: String,
    },
    /// The session it gave us is gone; nothing was done.
    #[error("the server at {url} has forgotten our session")]
    SessionLost {
        /// Where.
        url: String,
    },
    /// It does not take requests of the revision that it said it speaks; nothing was done.
    #[error("the server at {url} no longer takes requests of MCP 2026-07-28")]
    WrongEra {
        /// Where.
        url: String,
    },
    /// It would ask the client for what the client has not said it can do (2026-07-28).
    #[error("the server wants a client that can do more: {missing}")]
    ClientLacks {
        /// What, in words: `elicitation.form, sampling`.
        missing: String,
        /// The error object as it came.
        raw: Bytes,
    },
    /// An argument has to stand in a header, and cannot (2026-07-28).
    #[error("an argument that the server wants in a header is a number that cannot stand in one")]
    NoHeader,
    /// It does not tell when a resource is updated, or not when this one is.
    #[error("the server at {url} does not tell when this resource is updated")]
    NoSubscriptions {
        /// Where.
        url: String,
    },
    /// What it answered is not MCP.
    #[error("what the server at {url} answered is not MCP: {why}")]
    NotMcp {
        /// Where.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// It speaks a revision that we do not.
    #[error("the server at {url} speaks MCP {theirs}, which is not supported here")]
    UnknownRevision {
        /// Where.
        url: String,
        /// What it said, cut to 40 characters.
        theirs: String,
    },
    /// It sent more than is taken.
    #[error("the server at {url} answered with more than {limit} bytes")]
    TooLarge {
        /// Where.
        url: String,
        /// How much is taken.
        limit: usize,
    },
    /// It stopped in the middle.
    #[error("the server at {url} broke off before its answer was complete")]
    BrokeOff {
        /// Where.
        url: String,
    },
    /// There is no such program.
    #[error("{}", no_program(.name, .known.as_deref()))]
    NoProgram {
        /// What it was called, cut to 40 characters.
        name: String,
        /// Those that there are, in words.
        known: Option<String>,
    },
    /// A program cannot be used.
    #[error("the program behind {url} {why}")]
    ProgramFailed {
        /// Where.
        url: String,
        /// What is the matter with it.
        why: String,
    },
    /// A program ended, or had to be, in the middle.
    #[error("the program behind {url} {why}")]
    ProgramEnded {
        /// Where.
        url: String,
        /// How.
        why: String,
    },
    /// As many programs run as may.
    #[error("{limit} programs run already, which is as many as may, and none was free in time")]
    TooManyPrograms {
        /// How many may.
        limit: usize,
    },
    /// It answered with a JSON-RPC error.
    #[error("the server answered error {code}: {message}")]
    Refused {
        /// The JSON-RPC error code.
        code: i64,
        /// Its message, cut to 1000 characters.
        message: String,
        /// The error object as it came.
        raw: Bytes,
    },
}

impl Trouble {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadUrl { .. } => "upstream_bad_url",
            Self::PrivateAddress { .. } => "upstream_private_address",
            Self::UnknownHost { .. }
            | Self::NothingListens { .. }
            | Self::ConnectTimedOut { .. }
            | Self::ConnectFailed { .. } => "upstream_unreachable",
            Self::TimedOut { .. } => "upstream_timeout",
            Self::StillOpening { .. } => "upstream_still_opening",
            Self::TooLate => "too_late",
            Self::Busy { .. } => "upstream_busy",
            Self::Resting { .. } => "upstream_resting",
            Self::Unauthorized { .. } => "upstream_unauthorized",
            Self::Status { .. } => "upstream_status",
            Self::Redirect { .. } => "upstream_redirect",
            Self::SessionLost { .. } => "upstream_session_lost",
            Self::WrongEra { .. } => "upstream_wrong_revision",
            Self::ClientLacks { .. } => "client_lacks_capability",
            Self::NoHeader => "argument_without_header",
            Self::NoSubscriptions { .. } => "upstream_without_subscriptions",
            Self::NotMcp { .. } | Self::UnknownRevision { .. } => "upstream_garbage",
            Self::TooLarge { .. } => "upstream_too_large",
            Self::BrokeOff { .. } => "upstream_broke_off",
            Self::NoProgram { .. } => "upstream_bad_url",
            Self::ProgramFailed { .. } => "upstream_unreachable",
            Self::ProgramEnded { .. } => "upstream_broke_off",
            Self::TooManyPrograms { .. } => "upstream_busy",
            Self::Refused { .. } => "upstream_error",
        }
    }

    /// After how many seconds it may be worth another try, where that is known.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Resting { seconds, .. } => Some(*seconds),
            Self::Busy { .. } | Self::TooManyPrograms { .. } | Self::StillOpening { .. } => Some(1),
            _ => None,
        }
    }

    /// What the server says of the token that it wants.
    pub fn challenge(&self) -> Option<&Challenge> {
        match self {
            Self::Unauthorized { challenge, .. } => challenge.as_deref(),
            _ => None,
        }
    }

    /// Whether it says something of us and nothing of the server.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(
            self,
            Self::BadUrl { .. }
                | Self::PrivateAddress { .. }
                | Self::TooLate
                | Self::Busy { .. }
                | Self::Resting { .. }
                | Self::NoHeader
                | Self::NoProgram { .. }
                | Self::TooManyPrograms { .. }
        )
    }

    /// Whether a server that does this again and again is not well.
    pub(super) fn is_fault(&self) -> bool {
        match self {
            Self::UnknownHost { .. }
            | Self::NothingListens { .. }
            | Self::ConnectTimedOut { .. }
            | Self::ConnectFailed { .. }
            | Self::TimedOut { .. }
            | Self::StillOpening { .. }
            | Self::ProgramFailed { .. }
            | Self::ProgramEnded { .. }
            | Self::BrokeOff { .. } => true,
            Self::Status { status, .. } => *status >= 500,
            _ => false,
        }
    }

    /// Whether it may be gone a moment later.
    pub(super) fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::NothingListens { .. }
                | Self::ConnectFailed { .. }
                | Self::BrokeOff { .. }
                | Self::ProgramEnded { .. }
                | Self::Status { status: 502..=504, .. }
        )
    }

    /// Whether it is an error that only 2026-07-28 has.
    pub(crate) fn is_of_the_stateless_era(&self) -> bool {
        let codes = [code::HEADER_MISMATCH, code::MISSING_CAPABILITY, code::UNSUPPORTED_VERSION];
        matches!(self, Self::Refused { code, .. } if codes.iter().any(|known| i64::from(*known) == *code))
    }

    /// The revisions that the server speaks, where it says that it does not speak the one it was asked in.
    pub(crate) fn spoken(&self) -> Option<Vec<String>> {
        let Self::Refused { code, raw, .. } = self else { return None };
        let error: Value = serde_json::from_slice(raw).ok()?;
        let spoken = error.get("data")?.get("supported")?.as_array()?;
        (*code == i64::from(code::UNSUPPORTED_VERSION))
            .then(|| spoken.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect())
    }

    /// In which words of its own a stateless server refused.
    pub(crate) fn understood(self) -> Self {
        match self {
            Self::Refused { code, raw, .. } if code == i64::from(code::MISSING_CAPABILITY) => {
                let error: Value = serde_json::from_slice(&raw).unwrap_or_default();
                let required = error.get("data").and_then(|data| data.get("requiredCapabilities"));
                let missing = required.map(wire::in_words).filter(|words| !words.is_empty());
                Self::ClientLacks {
                    missing: missing.unwrap_or_else(|| "it does not say what".to_owned()),
                    raw,
                }
            }
            trouble => trouble,
        }
    }

    /// Reads what the HTTP client reports. `is_connect`: no connection came about.
    pub(crate) fn of_client(error: &(dyn Error + 'static), is_connect: bool, at: &Place<'_>) -> Self {
        let authority = at.authority.to_owned();
        let mut why = None;
        let mut source = Some(error);
        while let Some(error) = source {
            if let Some(AddressRefused { host, address }) = error.downcast_ref() {
                return Self::PrivateAddress { host: host.clone(), address: *address };
            }
            if let Some(UnknownHost { host }) = error.downcast_ref() {
                return Self::UnknownHost { host: host.clone() };
            }
            if error.is::<ConnectTimedOut>() {
                return Self::ConnectTimedOut { authority };
            }
            if error.is::<super::sending::TooLate>() {
                return Self::TooLate;
            }
            if let Some(error) = error.downcast_ref::<std::io::Error>()
                && is_connect
            {
                match error.kind() {
                    ErrorKind::ConnectionRefused => return Self::NothingListens { authority },
                    ErrorKind::TimedOut => return Self::ConnectTimedOut { authority },
                    _ => (),
                }
            }
            why = Some(error.to_string());
            source = error.source();
        }
        if is_connect {
            Self::ConnectFailed { authority, why: why.unwrap_or_default() }
        } else {
            Self::BrokeOff { url: at.url.to_owned() }
        }
    }
}

fn no_program(name: &str, known: Option<&str>) -> String {
    match known {
        Some(known) => format!("there is no program `{name}` here; there is {known}"),
        None => "no programs are set up here that a module could be reached by (setting programs.known)"
            .to_owned(),
    }
}

/// Where a request went, for sentences about it.
pub(crate) struct Place<'a> {
    pub(crate) url: &'a str,
    pub(crate) authority: &'a str,
}
