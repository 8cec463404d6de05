//! The call is made: principal, tool and arguments come from [`Admitted`] and from nowhere else.

use std::sync::Arc;

use bytes::Bytes;
use model::CallId;
use model::catalog::ModuleKind;
use policy::{Permit, Tool};
use tokio::time::Instant;

use super::admit::{Admitted, Parts};
use super::ask::Ask;
use super::ending::Failed;
use super::rounds::{Input, Next};
use super::settle::Unsettled;
use crate::conduit::Conduit;
use crate::gateway::House;
use crate::seams::NativeFailure;
use crate::upstream::{self, Brought, Key, Outbound, Sending, Trouble, Wanted, presented};
use crate::wire::Capabilities;

/// A call that was made, or came to nothing.
#[derive(Debug)]
pub(super) struct Executed {
    pub(super) unsettled: Unsettled,
    /// What came of it.
    pub(super) result: Result<Brought, Failed>,
    /// What the client can do that its server may ask for, and what it would bring back.
    pub(super) capabilities: Capabilities,
    pub(super) next: Option<Next>,
    /// The module's title.
    pub(super) title: Arc<str>,
}

/// Executes an admitted call.
pub(super) async fn execute(house: &House, admitted: Admitted) -> Executed {
    let Parts {
        permit,
        ask,
        name,
        arguments,
        input,
        capabilities,
        next,
        conduit,
        deadline,
        mut unsettled,
        sending,
    } = admitted.into_parts();
    let timeout = permit.tool().timeouts.total.unwrap_or(house.settings.upstream_timeout);
    let deadline = deadline.min(Instant::now() + timeout);
    unsettled.sent_from(Instant::now());
    let result = match permit.tool().kind {
        ModuleKind::Native => native(house, &permit, unsettled.call(), arguments, &sending, deadline).await,
        ModuleKind::Mcp => {
            let wanted = wanted(ask, permit.tool(), &name, &arguments);
            let asked = Asking { wanted, input: &input, capabilities, conduit: conduit.as_ref() };
            remote(house, &permit, asked, &sending, deadline).await
        }
    };
    let title = permit.tool().module_title.clone();
    Executed { unsettled, result, capabilities, next, title }
}

async fn native(
    house: &House,
    permit: &Permit,
    call: CallId,
    arguments: Bytes,
    sending: &Sending,
    deadline: Instant,
) -> Result<Brought, Failed> {
    let tool = permit.tool();
    if !sending.begin() {
        return Err(Failed::of(&Trouble::TooLate, tool, sending));
    }
    let who = &permit.principal().attribution;
    let called = house.plugs.native.call(who, call, &tool.module_name, &tool.name, arguments);
    match tokio::time::timeout_at(deadline, called).await {
        Ok(Ok(answer)) => Ok(Brought { result: answer.result, is_stateless: false }),
        Ok(Err(NativeFailure { sentence })) => Err(Failed::native(sentence)),
        Err(_) => Err(Failed::of(&timed_out(house, tool), tool, sending)),
    }
}

/// What is asked of a server, and for what client.
struct Asking<'a> {
    wanted: Wanted<'a>,
    input: &'a Input,
    capabilities: Capabilities,
    conduit: Option<&'a Conduit>,
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
    let authorization = match tool.connection {
        None => None,
        Some(connection) => {
            let secret = house.plugs.connections.authorization(tenant, connection);
            let secret = tokio::time::timeout_at(deadline, secret).await;
            match secret.ok().and_then(Result::ok).as_ref().and_then(presented) {
                Some(authorization) => Some(authorization),
                None => return Err(Failed::no_connection(tool)),
            }
        }
    };
    let Some(url) = &tool.url else { return Err(Failed::no_url(tool)) };
    let key = Key { tenant, module: tool.module, url: url.clone(), connection: tool.connection };
    let outbound = Outbound {
        wanted: &asking.wanted,
        input: upstream::Input {
            responses: asking.input.responses.as_deref(),
            state: asking.input.round.as_ref().and_then(|round| round.theirs.as_deref()),
            goes_on: asking.input.round.is_some(),
        },
        capabilities: asking.capabilities,
        conduit: asking.conduit,
        authorization,
        sending,
        deadline,
        first_byte: tool.timeouts.first_byte,
    };
    // On the heap: the futures of an HTTP exchange are large.
    let called = Box::pin(house.upstreams.call(&key, outbound)).await;
    called.map_err(|trouble| Failed::of(&trouble, tool, sending))
}

/// What is asked of the server, in its own words.
fn wanted<'a>(ask: Ask, tool: &'a Tool, name: &'a str, arguments: &'a [u8]) -> Wanted<'a> {
    match ask {
        Ask::Call => Wanted::Call { tool: &tool.name, definition: &tool.listing, arguments },
        Ask::Get => Wanted::Get { prompt: &tool.name, arguments },
        Ask::Read => Wanted::Read { uri: tool.uri(name) },
        Ask::CompletePrompt => Wanted::CompletePrompt { prompt: &tool.name, rest: arguments },
        Ask::CompleteTemplate => Wanted::CompleteTemplate { template: &tool.name, rest: arguments },
    }
}

fn timed_out(house: &House, tool: &Tool) -> Trouble {
    Trouble::TimedOut {
        url: tool.module_name.to_string(),
        seconds: tool.timeouts.total.unwrap_or(house.settings.upstream_timeout).as_secs(),
    }
}
