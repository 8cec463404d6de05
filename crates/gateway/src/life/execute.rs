//! The call is made: principal, tool and arguments come from [`Admitted`] and from nowhere else.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::CallId;
use model::catalog::ModuleKind;
use policy::{Permit, Tool};
use tokio::time::Instant;

use super::admit::{Admitted, Parts};
use super::ask::Ask;
use super::asking;
use super::ending::Failed;
use super::rounds::{Input, Next};
use super::settle::{Called, Unsettled};
use super::subscribing;
use crate::conduit::Conduit;
use crate::gateway::House;
use crate::seams::{NativeFailure, NotPresented};
use crate::trace::Trace;
use crate::upstream::{self, Brought, Key, Outbound, Sending, Trouble, Wanted, presented};
use crate::wire::Capabilities;

/// A call that was made, or came to nothing.
#[derive(Debug)]
pub(super) struct Executed {
    /// None: its server is not done with it, and it is settled when that is ([`super::parked`]).
    pub(super) unsettled: Option<Unsettled>,
    pub(super) asked: Called,
    /// What came of it.
    pub(super) result: Result<Brought, Failed>,
    /// What the client can do that its server may ask for, and what it would bring back.
    pub(super) capabilities: Capabilities,
    pub(super) next: Option<Next>,
    /// The module's title.
    pub(super) title: Arc<str>,
}

/// Executes an admitted call.
pub(super) async fn execute(house: &Arc<House>, admitted: Admitted) -> Executed {
    let mut parts = admitted.into_parts();
    parts.deadline = until(house, parts.permit.tool(), parts.deadline);
    parts.unsettled.sent_from(Instant::now());
    if parts.ask == Ask::Subscribe {
        return subscribing::subscribe(house, parts).await;
    }
    if let Some(parked) = parts.input.parked() {
        return asking::take_up(house, parts, parked).await;
    }
    if parts.permit.tool().kind == ModuleKind::Native {
        let Parts { permit, arguments, deadline, unsettled, sending, .. } = &mut parts;
        let (call, arguments) = (unsettled.call(), std::mem::take(arguments));
        let result = native(house, permit, call, arguments, sending, *deadline).await;
        return parts.executed(result);
    }
    // A client of 2026-07-28 is asked by answering its request, so that the call must be able to go on without it.
    let is_asked_in_rounds = parts.next.as_ref().is_some_and(|next| next.received.is_stateless())
        && parts.capabilities != Capabilities::default();
    if is_asked_in_rounds {
        return asking::begin(house, parts).await;
    }
    let result = parts.sent().remote(house).await;
    parts.executed(result)
}

/// Until when its server may take for a call whose request may take until `deadline`. A tool that is given more time than others is given
/// it for the request too, with what is left around a server's time elsewhere.
fn until(house: &House, tool: &Tool, deadline: Instant) -> Instant {
    let elsewhere = house.settings.upstream_timeout;
    let time = tool.timeouts.total.unwrap_or(elsewhere);
    (deadline + time.saturating_sub(elsewhere)).min(Instant::now() + time)
}

impl Parts {
    /// What is sent of it.
    pub(super) fn sent(&self) -> Sent {
        Sent {
            permit: self.permit.clone(),
            ask: self.ask,
            name: self.name.clone(),
            arguments: self.arguments.clone(),
            input: self.input.clone(),
            capabilities: self.capabilities,
            conduit: self.conduit.clone(),
            sending: self.sending.clone(),
            trace: self.trace,
            deadline: self.deadline,
        }
    }

    /// With what came of it.
    pub(super) fn executed(self, result: Result<Brought, Failed>) -> Executed {
        Executed {
            asked: self.unsettled.called(),
            unsettled: Some(self.unsettled),
            result,
            capabilities: self.capabilities,
            next: self.next,
            title: self.permit.tool().module_title.clone(),
        }
    }
}

async fn native(
    house: &House,
    permit: &Permit,
    call: CallId,
    arguments: Bytes,
    sending: &Sending,
    deadline: Instant,
) -> Result<Brought, Failed> {
    let (tool, begun) = (permit.tool(), Instant::now());
    if !sending.begin() {
        return Err(Failed::of(&Trouble::TooLate, tool, sending));
    }
    let who = &permit.principal().attribution;
    let called = house.plugs.native.call(who, call, &tool.module_name, &tool.name, arguments);
    match tokio::time::timeout_at(deadline, called).await {
        Ok(Ok(answer)) => Ok(Brought { result: answer.result, is_stateless: false }),
        Ok(Err(NativeFailure { sentence })) => Err(Failed::native(sentence)),
        Err(_) => Err(Failed::of(&timed_out(tool, deadline.saturating_duration_since(begun)), tool, sending)),
    }
}

/// What is asked of a server, and for what client.
pub(super) struct Sent {
    permit: Arc<Permit>,
    ask: Ask,
    name: Arc<str>,
    arguments: Bytes,
    input: Input,
    capabilities: Capabilities,
    pub(super) conduit: Option<Conduit>,
    sending: Sending,
    trace: Option<Trace>,
    deadline: Instant,
}

impl Sent {
    /// Asks it.
    pub(super) async fn remote(self, house: &House) -> Result<Brought, Failed> {
        let Self { permit, ask, name, arguments, input, capabilities, conduit, sending, trace, deadline } =
            self;
        let Some(wanted) = wanted(ask, permit.tool(), &name, &arguments) else {
            return Err(Failed::unreadable("a subscription is no request of its own"));
        };
        let asking = Asking { wanted, input: &input, capabilities, conduit: conduit.as_ref(), trace };
        remote(house, &permit, asking, &sending, deadline).await
    }
}

struct Asking<'a> {
    wanted: Wanted<'a>,
    input: &'a Input,
    capabilities: Capabilities,
    conduit: Option<&'a Conduit>,
    trace: Option<Trace>,
}

async fn remote(
    house: &House,
    permit: &Permit,
    asking: Asking<'_>,
    sending: &Sending,
    deadline: Instant,
) -> Result<Brought, Failed> {
    let tool: &Arc<Tool> = permit.tool();
    let tenant = permit.tenant();
    let secret = match tool.connection {
        None => None,
        Some(connection) => {
            let secret = house.plugs.connections.authorization(tenant, connection);
            Some(had(secret, tool, deadline).await?)
        }
    };
    let Some(key) = Key::of(tenant, tool) else { return Err(Failed::no_url(tool)) };
    let outbound = |authorization| Outbound {
        wanted: &asking.wanted,
        input: upstream::Input {
            responses: asking.input.responses.as_deref(),
            state: asking.input.round.as_ref().and_then(|round| round.theirs.as_deref()),
            goes_on: asking.input.round.is_some(),
        },
        capabilities: asking.capabilities,
        conduit: asking.conduit,
        trace: asking.trace,
        authorization,
        sending,
        deadline,
        first_byte: tool.timeouts.first_byte,
        is_hurried: tool.timeouts.first_byte.is_some()
            || tool.timeouts.total.is_some_and(|total| total < house.settings.upstream_timeout),
    };
    let no_header = || Failed::no_connection(tool);
    let authorization = match &secret {
        Some(secret) => Some(presented(secret).ok_or_else(no_header)?),
        None => None,
    };
    // On the heap: the futures of an HTTP exchange are large.
    let called = Box::pin(house.upstreams.call(&key, outbound(authorization))).await;
    let (Err(trouble), Some(connection), Some(secret)) = (&called, tool.connection, &secret) else {
        return called.map_err(|trouble| Failed::of(&trouble, tool, sending));
    };
    let Some(challenge) = trouble.challenge() else {
        return Err(Failed::of(trouble, tool, sending));
    };
    // The server did not take it: it wants another token first.
    sending.was_not_taken();
    let other = house.plugs.connections.refused(tenant, connection, secret, challenge);
    let Some(other) = had(other, tool, deadline).await? else {
        return Err(Failed::of(trouble, tool, sending));
    };
    let authorization = presented(&other).ok_or_else(no_header)?;
    let called = Box::pin(house.upstreams.call(&key, outbound(Some(authorization)))).await;
    called.map_err(|trouble| {
        if trouble.challenge().is_some() {
            sending.was_not_taken();
        }
        Failed::of(&trouble, tool, sending)
    })
}

/// What we present, in time.
async fn had<T>(
    asked: impl Future<Output = Result<T, NotPresented>>,
    tool: &Tool,
    deadline: Instant,
) -> Result<T, Failed> {
    match tokio::time::timeout_at(deadline, asked).await {
        Ok(Ok(had)) => Ok(had),
        Ok(Err(NotPresented::MustConnect)) => Err(Failed::must_connect(tool)),
        Ok(Err(NotPresented::Unavailable)) | Err(_) => Err(Failed::no_connection(tool)),
    }
}

/// What is asked of the server, in its own words. None: what it is asked is not for this call alone.
fn wanted<'a>(ask: Ask, tool: &'a Tool, name: &'a str, arguments: &'a [u8]) -> Option<Wanted<'a>> {
    Some(match ask {
        Ask::Call => Wanted::Call { tool: &tool.name, definition: &tool.listing, arguments },
        Ask::Get => Wanted::Get { prompt: &tool.name, arguments },
        Ask::Read => Wanted::Read { uri: tool.uri(name) },
        Ask::CompletePrompt => Wanted::CompletePrompt { prompt: &tool.name, rest: arguments },
        Ask::CompleteTemplate => Wanted::CompleteTemplate { template: &tool.name, rest: arguments },
        Ask::Subscribe => return None,
    })
}

fn timed_out(tool: &Tool, given: Duration) -> Trouble {
    Trouble::TimedOut { url: tool.module_name.to_string(), seconds: given.as_secs().max(1) }
}
