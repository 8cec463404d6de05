//! The story of a call as steps: received, decided, admitted, executed, settled. What did not happen says so.

use leptos::prelude::*;
use model::Timestamp;
use model::call::{CallStory, Reason, ReasonCode, Verdict};

use crate::icon::Icon;
use crate::pieces::call_row::{Amount, Moment};
use crate::text;
use crate::wording::{self, Clock, Sign, Tone};

/// The steps, top to bottom.
#[component]
pub fn Timeline(
    /// The call.
    story: CallStory,
    /// The present.
    clock: Clock,
) -> impl IntoView {
    let decided = wording::verdict(story.row.verdict);
    view! {
        <ol class="timeline">
            {step(Tone::Quiet, "arrow", "Received", Some(at(story.row.received_at, clock)), received(&story))}
            {step(decided.tone, decided.icon, decided.word, None, decision(&story))}
            {recorded(&story, clock)}
            {executed(&story)}
            {settled(&story, clock)}
            {amended(&story)}
        </ol>
    }
}

fn step(
    tone: Tone,
    icon: &'static str,
    title: &'static str,
    when: Option<AnyView>,
    said: AnyView,
) -> AnyView {
    view! {
        <li data-tone=tone.word()>
            <span class="marker"><Icon name=icon /></span>
            <p class="step-head">
                <strong>{title}</strong>
                {when.map(|when| view! { <span class="when">{when}</span> })}
            </p>
            <div class="step-body">{said}</div>
        </li>
    }
    .into_any()
}

/// An instant to the millisecond.
fn at(at: Timestamp, clock: Clock) -> AnyView {
    view! {
        <Moment at=at clock=clock />
        <span class="millis">{at.format("%.3f").to_string()}</span>
    }
    .into_any()
}

/// How long after `from`; clocks of two machines may disagree, and then nothing is claimed.
fn after(from: Timestamp, to: Timestamp) -> Option<AnyView> {
    let us = to.signed_duration_since(from).num_microseconds().filter(|us| *us >= 0)?;
    Some(
        view! { <span class="delta" title=wording::microseconds(us)>"+" {wording::duration(us)}</span> }
            .into_any(),
    )
}

fn received(story: &CallStory) -> AnyView {
    let client = story.client.as_deref().map(|client| view! { " by " {text::name(client)} });
    let address = story.address.as_deref().map(|address| view! { " from " {text::code(address)} });
    let protocol = story
        .protocol
        .as_deref()
        .map(|protocol| view! { <span class="together">", MCP " {text::name(protocol)}</span> });
    view! { <p>"Asked for " {text::code(&story.row.tool_name)} {client} {address} {protocol} "."</p> }
        .into_any()
}

fn decision(story: &CallStory) -> AnyView {
    let policies = story.policies.len();
    let by = match policies {
        0 => no_policy(story.row.reason.as_ref()).to_owned(),
        1 => "by one policy".to_owned(),
        _ => format!("by {policies} policies"),
    };
    let reason = story.row.reason.as_ref().map(|reason| {
        view! { <p>{text::prose(&wording::short_reason(reason), 600)}</p> }
    });
    view! {
        {reason}
        <p class="note">
            <a href="#change">"Why"</a> ": " {by} ", in state " <span class="figure">{story.epoch}</span> " of the rights."
        </p>
    }
    .into_any()
}

/// Why a call was decided that no policy decided.
fn no_policy(reason: Option<&Reason>) -> &'static str {
    match reason.map(|reason| reason.code) {
        Some(ReasonCode::AgentSuspended) => "an agent that is suspended or stopped may do nothing",
        Some(ReasonCode::UserSuspended) => "nobody's agent acts while that person is suspended",
        Some(ReasonCode::TenantSuspended) => "no agent acts while the organization is suspended",
        Some(ReasonCode::CredentialExpired) => "the time of the key is over",
        Some(ReasonCode::CredentialAddress) => "the key may not be used from that address",
        Some(ReasonCode::UnknownTool) => "no such tool is offered to the agent",
        Some(ReasonCode::ToolDrifted) => "a tool runs only as it was approved",
        Some(ReasonCode::ToolUnavailable) => "the tool takes no calls",
        Some(ReasonCode::InvalidArguments) => "the arguments are not what the tool takes",
        Some(ReasonCode::ApprovalRequired) => "a person has to approve it",
        Some(ReasonCode::PolicyError) => "a policy could not be evaluated",
        _ => "no policy permits it",
    }
}

fn recorded(story: &CallStory, clock: Clock) -> AnyView {
    let (title, said) = match story.row.verdict {
        Verdict::Permit => ("Admitted", "Written down, durably, before anything was sent."),
        Verdict::Hold => ("Recorded", "Written down. Nothing was sent: a person has to approve it first."),
        Verdict::Deny => ("Recorded", "Written down. Nothing was sent."),
    };
    let when =
        view! { {at(story.recorded_at, clock)} {after(story.row.received_at, story.recorded_at)} }.into_any();
    step(Tone::Quiet, "check", title, Some(when), view! { <p>{said}</p> }.into_any())
}

fn executed(story: &CallStory) -> Option<AnyView> {
    if story.row.verdict != Verdict::Permit {
        return None;
    }
    let Some(outcome) = story.row.outcome else {
        let said =
            view! { <p>"It is under way; this page does not follow it. Reload to see how it ended."</p> };
        return Some(step(Tone::Busy, "busy", "Executing", None, said.into_any()));
    };
    if !outcome.may_have_run() {
        let said = view! { <p>"It was never sent to the upstream server."</p> };
        return Some(step(Tone::Fault, "stop", "Not executed", None, said.into_any()));
    }
    let Some(upstream) = story.upstream_us else {
        let said = view! { <p>"How long the upstream server took is not known."</p> };
        return Some(step(Tone::Quiet, "activity", "Executed", None, said.into_any()));
    };
    let share = story.row.duration_us.filter(|whole| *whole >= upstream && *whole > 0).map(|whole| {
        let ours = whole - upstream;
        view! {
            <meter class="share" min="0" max=whole.to_string() value=upstream.to_string()>
                {wording::duration(upstream)}
            </meter>
            <p class="note">
                "The upstream server took " <span class="figure">{wording::duration(upstream)}</span> ", everything else "
                <span class="figure">{wording::duration(ours)}</span> "."
            </p>
        }
    });
    let when = view! { <span class="delta" title=wording::microseconds(upstream)>{wording::duration(upstream)}</span> };
    Some(step(Tone::Quiet, "activity", "Executed", Some(when.into_any()), share.into_any()))
}

fn settled(story: &CallStory, clock: Clock) -> Option<AnyView> {
    let (outcome, settled_at) = (story.row.outcome?, story.settled_at?);
    let Sign { tone, icon, word } = wording::outcome(outcome);
    let failure = story.failure.as_ref().map(|failure| {
        view! { <p>{text::prose(&failure.sentence, 1_000)} " " {text::code(&failure.code)}</p> }
    });
    let charge = story
        .row
        .charge
        .map(|money| view! { <p class="note">"Settled with a charge of " <Amount money=money /> "."</p> });
    let said = view! { <p>{wording::outcome_meaning(outcome)}</p> {failure} {charge} };
    let when = view! { {at(settled_at, clock)} {after(story.row.received_at, settled_at)} };
    Some(step(tone, icon, word, Some(when.into_any()), said.into_any()))
}

fn amended(story: &CallStory) -> Option<AnyView> {
    let Sign { tone, icon, word } = wording::outcome(story.amended?);
    let said = view! { <p>"Reported after the call had been settled as interrupted: " {word.to_lowercase()} "."</p> };
    Some(step(tone, icon, "Amended", None, said.into_any()))
}
