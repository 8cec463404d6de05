//! Requests that reached the organization's endpoint and never became calls.

use leptos::prelude::*;
use model::Timestamp;

use super::activity::{Tab, head};
use crate::document::{self, Crumb, Visit};
use crate::links::Place;
use crate::pieces::call_row::Moment;
use crate::wording::Clock;
use crate::{text, wording};

/// One such request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rejected {
    /// When.
    pub at: Timestamp,
    /// Why, as a stable code.
    pub code: String,
    /// The HTTP status that was answered.
    pub status: u16,
    /// Name and beginning of the credential, when it was one of ours.
    pub credential: Option<String>,
    /// From where.
    pub address: Option<String>,
    /// How many alike came within a second.
    pub count: u32,
}

/// The page.
pub fn page(visit: &Visit, rejected: Vec<Rejected>) -> String {
    let links = visit.links();
    let crumbs = vec![Crumb::to("Activity", links.activity()), Crumb::here("Rejected requests")];
    document::page(visit, Place::Activity, "Rejected requests", crumbs, false, || {
        let list = if rejected.is_empty() { nothing() } else { table(rejected, visit.clock()) };
        view! {
            {head(visit, Tab::Rejected)}
            {list}
        }
    })
}

fn nothing() -> AnyView {
    view! {
        <section class="empty">
            <h2>"No request was rejected"</h2>
            <p>
                "A request that has no valid key, or that cannot be understood, never becomes a call. It is listed "
                "here, so that a mistyped key or somebody trying keys does not go unseen."
            </p>
        </section>
    }
    .into_any()
}

fn table(rejected: Vec<Rejected>, clock: Clock) -> AnyView {
    let count = rejected.len();
    let rows = rejected
        .into_iter()
        .map(|it| {
            let credential = match &it.credential {
                Some(credential) => text::name(credential).into_any(),
                None => view! { <span class="absent">"none that is known"</span> }.into_any(),
            };
            let times = (it.count > 1)
                .then(|| format!("{} times within a second. ", wording::grouped(it.count.into())));
            view! {
                <tr>
                    <td><Moment at=it.at clock=clock /></td>
                    <th scope="row">{times} {sentence(&it.code)} " " {text::code(&it.code)}</th>
                    <td>{it.status}</td>
                    <td>{credential}</td>
                    <td>{it.address.as_deref().map(text::code)}</td>
                </tr>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <div class="scroll" tabindex="0" role="group" aria-label="Rejected requests">
            <table class="rejections">
                <caption>{format!("The newest {count}. Times are in UTC.")}</caption>
                <thead>
                    <tr>
                        <th scope="col">"Time (UTC)"</th>
                        <th scope="col">"Why"</th>
                        <th scope="col">"Status"</th>
                        <th scope="col">"Credential"</th>
                        <th scope="col">"From"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// The code in words, where it is one that people meet often.
fn sentence(code: &str) -> &'static str {
    match code {
        "no_key" => "No key was presented.",
        "malformed_key" => "What was presented has not the form of a key.",
        "unknown_key" => "The key is not known, or was revoked.",
        "credential_expired" => "The key's time is over.",
        "credential_address" => "The key may not be used from that address.",
        "agent_suspended" => "The agent is suspended.",
        "user_suspended" => "The person behind the agent is suspended.",
        "foreign_origin" => "A web page of another origin sent it.",
        "wrong_content_type" => "The body is not declared as JSON.",
        "not_acceptable" => "The caller does not accept JSON.",
        "body_too_large" => "The body is larger than is accepted.",
        "slow_body" => "The body took too long to arrive.",
        "malformed_json" => "The body is not JSON.",
        "malformed_message" => "The body is not a JSON-RPC message.",
        "malformed_params" => "The parameters are not what the method takes.",
        "malformed_arguments" => "The arguments are not an object that can be passed on.",
        "limit_reached" => {
            "A limit had no room for the call. The first in a while is on record as a denied call."
        }
        "too_many_streams" => "The key has too many open streams.",
        "no_event_stream" => "The caller does not accept a stream of events.",
        "unknown_bundle" => "There is no bundle of this name.",
        "bad_request_state" => "It goes on from a call that was another's, or another call.",
        "request_state_expired" => "The time to go on from an earlier call is over.",
        "malformed_input" => "What answers a server's questions is not an object of answers.",
        "header_mismatch" => "Headers and body say different things.",
        "bad_version" | "unsupported_version" => "The protocol revision is not one that is spoken here.",
        "unknown_method" => "There is no such method.",
        "bad_cursor" => "The place in the list of tools does not exist.",
        "batch" => "The messages cannot be sent together.",
        _ => "",
    }
}
