//! A call whose server asks for input goes on as another call of the same agent for the same thing (2026-07-28, Multi Round-Trip
//! Requests). What belongs to the one it goes on from is not kept here: the client carries it, sealed, as `requestState`, so that
//! any node can take the next round; but for a call at a server of the older era, which waits at one node ([`super::parked`]).
//!
//! Form: base64url of 1 byte format (1), 24 bytes nonce, XChaCha20-Poly1305 of the JSON of [`Sealed`].

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use chacha20poly1305::XNonce;
use chacha20poly1305::aead::{Aead, Payload};
use model::call::{Attribution, Digest};
use model::{AgentId, Ambient, CallId, ModuleId, TenantId, Timestamp, UserId};
use policy::{Permit, Tool};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::ask::Ask;
use super::receive::Received;
use crate::gateway::House;
use crate::seams::StateKey;
use crate::wire::{Capabilities, Kind, Questions};

/// How often a call may be asked for input, the first round included.
pub(super) const MOST_ROUNDS: u32 = 10;
const FORMAT: u8 = 1;
const NONCE: usize = 24;
/// What is sealed under the same key for another purpose does not open here.
const ABOUT: &[u8] = b"workingagents requestState 1";

/// What a state says, all of it told to nobody and not to be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Sealed {
    bound: Bound,
    /// The method, by which it is asked.
    method: String,
    /// The tool's name or URI, as the agent gave it.
    name: String,
    /// SHA-256 of the arguments.
    arguments: String,
    /// When it ends, in seconds since 1970.
    expires: i64,
    /// Which round this is for; the first call was the first.
    round: u32,
    first_call: CallId,
    /// What was asked for.
    asked: BTreeMap<String, Kind>,
    /// The server's own state.
    theirs: Option<String>,
    /// The call that waits for the answers.
    parked: Option<Parked>,
}

/// A call at a server of the `initialize` era that waits for answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Parked {
    /// The node that makes it.
    pub(super) node: Uuid,
    /// What it waits with there.
    pub(super) ticket: Uuid,
}

/// What the next call must have in common with this one and is known once it is resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bound {
    tenant: TenantId,
    agent: AgentId,
    on_behalf_of: Option<UserId>,
    module: ModuleId,
    /// Hash of the definition that was approved.
    definition: String,
}

impl Bound {
    pub(super) fn to(who: &Attribution, tool: &Tool) -> Self {
        Self {
            tenant: who.tenant,
            agent: who.agent,
            on_behalf_of: who.on_behalf_of,
            module: tool.module,
            definition: URL_SAFE_NO_PAD.encode(tool.definition_hash),
        }
    }
}

/// A call that goes on from an earlier one.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    pub(super) number: u32,
    pub(super) first_call: CallId,
    pub(super) bound: Bound,
    /// What the server asked for.
    pub(crate) asked: BTreeMap<String, Kind>,
    /// The state that the server gave.
    pub(super) theirs: Option<String>,
    /// The call that waits for the answers, where it is not made anew.
    pub(super) parked: Option<Parked>,
}

/// What a call brings besides its arguments.
#[derive(Debug, Clone, Default)]
pub(crate) struct Input {
    /// `inputResponses`, the JSON text of an object.
    pub(crate) responses: Option<Bytes>,
    /// Which round it is, where it goes on from an earlier call.
    pub(crate) round: Option<Round>,
}

impl Input {
    /// The call that waits for what it brings.
    pub(super) fn parked(&self) -> Option<Parked> {
        self.round.as_ref()?.parked
    }

    pub(super) fn is_there(&self) -> bool {
        self.responses.is_some() || self.round.is_some()
    }

    /// What is on record as the arguments of a call: they alone; or an array of them and what came with them, which no
    /// arguments can be, so that neither is taken for the other.
    pub(super) fn on_record(&self, arguments: &Bytes) -> Bytes {
        if !self.is_there() {
            return arguments.clone();
        }
        let responses = self.responses.as_deref().unwrap_or_default();
        let mut out = Vec::with_capacity(arguments.len() + responses.len() + 128);
        out.push(b'[');
        out.extend_from_slice(arguments);
        out.extend_from_slice(b",{");
        if let Some(round) = &self.round {
            let Round { number, first_call, .. } = round;
            out.extend_from_slice(format!(r#""round":{number},"first_call":"{first_call}""#).as_bytes());
        }
        if self.responses.is_some() {
            let comma = if self.round.is_some() { "," } else { "" };
            out.extend_from_slice(format!(r#"{comma}"inputResponses":"#).as_bytes());
            out.extend_from_slice(responses);
        }
        out.extend_from_slice(b"}]");
        out.into()
    }
}

/// Why a state is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotOpened {
    /// It was not given out here, or for another call.
    Foreign,
    /// Its time is over.
    Expired,
}

impl NotOpened {
    /// Stable code.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Foreign => "bad_request_state",
            Self::Expired => "request_state_expired",
        }
    }

    /// What to do.
    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Self::Foreign => {
                "`params.requestState` was not given out here to this agent for this call with these arguments, or the \
                 tool has changed since: make the call again without it"
            }
            Self::Expired => {
                "the time in which `params.requestState` could be used is over: make the call again without it"
            }
        }
    }
}

/// Opens the state that a client brought with a call.
pub(crate) fn open(
    house: &House,
    state: &str,
    ask: Ask,
    name: &str,
    arguments: &[u8],
) -> Result<Round, NotOpened> {
    let sealed = unseal(&house.plugs.state_key, state).ok_or(NotOpened::Foreign)?;
    let is_for_this = sealed.method == ask.method()
        && sealed.name == name
        && sealed.arguments == encoded(&Sha256::digest(arguments).into())
        && (2..=MOST_ROUNDS).contains(&sealed.round);
    if !is_for_this {
        return Err(NotOpened::Foreign);
    }
    if house.ambient.now().timestamp() >= sealed.expires {
        return Err(NotOpened::Expired);
    }
    let Sealed { bound, round, first_call, asked, theirs, parked, .. } = sealed;
    Ok(Round { number: round, first_call, bound, asked, theirs, parked })
}

/// A next round, if there is one.
#[derive(Debug)]
pub(super) struct Next {
    pub(super) who: Arc<Attribution>,
    pub(super) tool: Arc<Tool>,
    /// The call that it would go on from.
    pub(super) received: Box<Received>,
    round: u32,
    first_call: CallId,
    parked: Option<Parked>,
}

impl Next {
    /// After a call that was permitted. None: its client could not take it.
    pub(super) fn after(received: &Received, permit: &Permit) -> Option<Self> {
        let can_be_asked = received.is_stateless() || received.capabilities() != Capabilities::default();
        if !can_be_asked || !received.ask().may_be_asked_back() {
            return None;
        }
        let round = received.input().round.as_ref();
        Some(Self {
            who: permit.principal().attribution.clone(),
            tool: permit.tool().clone(),
            received: Box::new(received.clone()),
            round: round.map_or(1, |round| round.number) + 1,
            first_call: round.map_or(received.id(), |round| round.first_call),
            parked: None,
        })
    }

    /// The round brings answers to a call that waits for them.
    pub(super) fn parked(self, parked: Parked) -> Self {
        Self { parked: Some(parked), ..self }
    }

    /// Whether there may be such a round.
    pub(super) fn is_too_many(&self) -> bool {
        self.round > MOST_ROUNDS
    }

    /// What the next call goes on with, where its client is asked without having to carry it.
    pub(super) fn round(&self, questions: Questions) -> Round {
        Round {
            number: self.round,
            first_call: self.first_call,
            bound: Bound::to(&self.who, &self.tool),
            asked: questions.kinds,
            theirs: questions.state,
            parked: self.parked,
        }
    }

    /// Seals it with what the server asks for.
    pub(super) fn seal(self, house: &House, questions: Questions) -> Option<String> {
        let Self { who, tool, received, round, first_call, parked } = self;
        let arguments: Digest = if received.input().is_there() {
            Sha256::digest(received.arguments()).into()
        } else {
            // They alone are on record.
            received.digest()
        };
        let sealed = Sealed {
            bound: Bound::to(&who, &tool),
            method: received.ask().method().to_owned(),
            name: received.name().to_string(),
            arguments: encoded(&arguments),
            expires: end(house.ambient.now(), house.settings.input_timeout),
            round,
            first_call,
            asked: questions.kinds,
            theirs: questions.state,
            parked,
        };
        seal(&house.plugs.state_key, &house.ambient, &sealed)
    }
}

fn end(now: Timestamp, after: std::time::Duration) -> i64 {
    now.timestamp().saturating_add(i64::try_from(after.as_secs()).unwrap_or(i64::MAX))
}

fn encoded(digest: &Digest) -> String {
    URL_SAFE_NO_PAD.encode(digest)
}

fn seal(key: &StateKey, ambient: &Ambient, sealed: &Sealed) -> Option<String> {
    let nonce = ambient.bytes::<NONCE>();
    let text = serde_json::to_vec(sealed).ok()?;
    let payload = Payload { msg: &text, aad: ABOUT };
    let ciphertext = key.sealing().encrypt(XNonce::from_slice(&nonce), payload).ok()?;
    Some(URL_SAFE_NO_PAD.encode([&[FORMAT][..], &nonce, &ciphertext].concat()))
}

fn unseal(key: &StateKey, state: &str) -> Option<Sealed> {
    let bytes = URL_SAFE_NO_PAD.decode(state).ok()?;
    let (&format, rest) = bytes.split_first()?;
    let (nonce, ciphertext) = rest.split_at_checked(NONCE)?;
    if format != FORMAT {
        return None;
    }
    let payload = || Payload { msg: ciphertext, aad: ABOUT };
    let text = key.all().find_map(|key| key.decrypt(XNonce::from_slice(nonce), payload()).ok())?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use model::ambient::{Clock, Entropy};
    use proptest::prelude::*;

    use super::*;

    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }

        fn since_boot(&self) -> std::time::Duration {
            std::time::Duration::ZERO
        }
    }

    impl Entropy for Still {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(7);
        }
    }

    fn sealed(name: &str, theirs: Option<String>) -> Sealed {
        let id = Uuid::from_u128(7);
        let bound = Bound {
            tenant: id.into(),
            agent: id.into(),
            on_behalf_of: None,
            module: id.into(),
            definition: "d".to_owned(),
        };
        Sealed {
            bound,
            method: "tools/call".to_owned(),
            name: name.to_owned(),
            arguments: "a".to_owned(),
            expires: 600,
            round: 2,
            first_call: id.into(),
            asked: BTreeMap::from([("k".to_owned(), Kind::Roots)]),
            theirs,
            parked: None,
        }
    }

    #[test]
    fn one_of_several_keys_opens_and_no_other_does() {
        let ambient = Ambient::new(Arc::new(Still), Arc::new(Still));
        let (old, new) = (StateKey::new([1; 32], []), StateKey::new([2; 32], [[1; 32]]));
        let said = sealed("up.echo", Some("s".to_owned()));
        let state = seal(&old, &ambient, &said).unwrap();
        assert_eq!(unseal(&new, &state), Some(said.clone()));
        assert_eq!(unseal(&old, &seal(&new, &ambient, &said).unwrap()), None);
        assert!(!format!("{new:?}").contains('2'));
    }

    #[test]
    fn what_is_on_record_is_never_what_arguments_alone_could_be() {
        let arguments = Bytes::from_static(b"{ \"a\":1.0}");
        let round = || {
            let Sealed { bound, asked, theirs, first_call, round, .. } = sealed("n", None);
            Round { number: round, first_call, bound, asked, theirs, parked: None }
        };
        let first = CallId::from(Uuid::from_u128(7));
        for (responses, round, expected) in [
            (None, None, r#"{ "a":1.0}"#.to_owned()),
            (Some("{ }"), None, r#"[{ "a":1.0},{"inputResponses":{ }}]"#.to_owned()),
            (None, Some(round()), format!(r#"[{{ "a":1.0}},{{"round":2,"first_call":"{first}"}}]"#)),
            (
                Some("{ }"),
                Some(round()),
                format!(r#"[{{ "a":1.0}},{{"round":2,"first_call":"{first}","inputResponses":{{ }}}}]"#),
            ),
        ] {
            let input = Input { responses: responses.map(Bytes::from), round };
            let recorded = input.on_record(&arguments);
            assert_eq!(recorded, expected);
            assert!(serde_json::from_slice::<serde_json::Value>(&recorded).is_ok());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_sealed_opens_and_what_was_changed_does_not(
            name in ".{0,20}",
            theirs in proptest::option::of(".{0,60}"),
            at in any::<prop::sample::Index>(),
            flip in 1u8..=255,
        ) {
            let (key, ambient) = (StateKey::new([3; 32], []), Ambient::new(Arc::new(Still), Arc::new(Still)));
            let said = sealed(&name, theirs);
            let state = seal(&key, &ambient, &said).unwrap();
            prop_assert_eq!(unseal(&key, &state), Some(said));
            let mut bytes = URL_SAFE_NO_PAD.decode(&state).unwrap();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            prop_assert_eq!(unseal(&key, &URL_SAFE_NO_PAD.encode(&bytes)), None);
            prop_assert_eq!(unseal(&key, &state[..at]), None);
        }

        #[test]
        fn any_text_is_no_state(text in "[A-Za-z0-9_-]{0,120}|.{0,40}") {
            prop_assert_eq!(unseal(&StateKey::new([3; 32], []), &text), None);
        }
    }
}
