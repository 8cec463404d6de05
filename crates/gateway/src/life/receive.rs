//! A call as it was received: understood, and not yet looked at.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use model::call::{Client, Digest};
use model::{Ambient, CallId, Timestamp};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::ask::Ask;
use super::authenticate::Presented;
use super::rounds::Input;
use super::subscribing::Subscribing;
use crate::conduit::Conduit;
use crate::gateway::House;
use crate::wire::{Capabilities, Revision};

/// Arguments that were left out are an empty object.
pub(crate) const NO_ARGUMENTS: &[u8] = b"{}";

/// A call that was received.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    id: CallId,
    at: Timestamp,
    started: Instant,
    deadline: Instant,
    presented: Presented,
    ask: Ask,
    name: Arc<str>,
    arguments: Bytes,
    input: Input,
    on_record: Bytes,
    digest: Digest,
    client: Client,
    revision: Option<Revision>,
    conduit: Option<Conduit>,
    capabilities: Capabilities,
    /// The headers, where the era wants them compared with the arguments.
    mirrored: Option<HeaderMap>,
    subscribing: Option<Subscribing>,
}

/// What the request told besides the call itself.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) presented: Presented,
    pub(crate) client: Client,
    pub(crate) started: Instant,
    pub(crate) deadline: Instant,
    /// None: it did not come over the wire.
    pub(crate) revision: Option<Revision>,
    /// None: the client does not want to know how it goes.
    pub(crate) conduit: Option<Conduit>,
    /// What the client can do that a server may ask of it.
    pub(crate) capabilities: Capabilities,
    pub(crate) mirrored: Option<HeaderMap>,
    /// Where what was subscribed to is laid down.
    pub(crate) subscribing: Option<Subscribing>,
}

impl Received {
    /// Receives a call: gives it its id, and fixes its arguments, and what came with them, by their digest. `arguments` is the
    /// JSON text of an object that was read strictly.
    pub(crate) fn new(
        ambient: &Ambient,
        told: Told,
        ask: Ask,
        name: &str,
        arguments: Option<Bytes>,
        input: Input,
    ) -> Box<Self> {
        let at = ambient.now();
        Self::known(ambient.id_at(at), at, told, ask, name, arguments, input)
    }

    /// Receives a call whose id was given out at `at`, when it was received elsewhere in the house.
    pub(crate) fn known(
        id: CallId,
        at: Timestamp,
        told: Told,
        ask: Ask,
        name: &str,
        arguments: Option<Bytes>,
        input: Input,
    ) -> Box<Self> {
        let arguments = arguments.unwrap_or(Bytes::from_static(NO_ARGUMENTS));
        let on_record = input.on_record(&arguments);
        Box::new(Self {
            id,
            at,
            started: told.started,
            deadline: told.deadline,
            presented: told.presented,
            ask,
            revision: told.revision,
            conduit: told.conduit,
            name: name.into(),
            digest: Sha256::digest(&on_record).into(),
            on_record,
            arguments,
            input,
            capabilities: told.capabilities,
            client: told.client,
            mirrored: told.mirrored,
            subscribing: told.subscribing,
        })
    }

    /// The same of the same client once more, received now, with what its server asked for.
    pub(super) fn again(&self, house: &House, input: Input) -> Box<Self> {
        let started = Instant::now();
        let told = Told {
            presented: self.presented.clone(),
            client: self.client.clone(),
            started,
            deadline: started + house.settings.request_timeout,
            revision: self.revision,
            conduit: self.conduit.clone(),
            capabilities: self.capabilities,
            mirrored: self.mirrored.clone(),
            subscribing: self.subscribing.clone(),
        };
        Self::new(&house.ambient, told, self.ask, &self.name, Some(self.arguments.clone()), input)
    }

    /// The call's id.
    pub(crate) fn id(&self) -> CallId {
        self.id
    }

    /// When it was received.
    pub(crate) fn at(&self) -> Timestamp {
        self.at
    }

    /// The same by the clock that durations are measured with.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }

    /// When the request's time is over.
    pub(crate) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// What the caller presented.
    pub(crate) fn presented(&self) -> &Presented {
        &self.presented
    }

    /// By which method what is asked for.
    pub(crate) fn ask(&self) -> Ask {
        self.ask
    }

    /// Whether the request stands for itself (2026-07-28).
    pub(crate) fn is_stateless(&self) -> bool {
        self.revision.is_some_and(Revision::is_stateless)
    }

    /// The tool's name, or its URI, as the agent gave it.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The arguments, byte for byte.
    pub(crate) fn arguments(&self) -> &Bytes {
        &self.arguments
    }

    /// What came with them.
    pub(crate) fn input(&self) -> &Input {
        &self.input
    }

    /// What is written down as its arguments: they, and what came with them.
    pub(crate) fn on_record(&self) -> &Bytes {
        &self.on_record
    }

    /// What the client can do that a server may ask of it.
    pub(crate) fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// SHA-256 of what is written down as the arguments.
    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// What the request told about the client.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The way to tell how it goes.
    pub(crate) fn conduit(&self) -> Option<&Conduit> {
        self.conduit.as_ref()
    }

    /// The headers to compare with the arguments.
    pub(crate) fn mirrored(&self) -> Option<&HeaderMap> {
        self.mirrored.as_ref()
    }

    /// Where what was subscribed to is laid down.
    pub(super) fn subscribing(&self) -> Option<&Subscribing> {
        self.subscribing.as_ref()
    }
}
