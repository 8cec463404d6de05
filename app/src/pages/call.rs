//! A call's page: the story from top to bottom, and the facts beside it.

use control::activity::Why;
use leptos::prelude::*;
use model::call::{CallStory, Content, Verdict};

use crate::document::{self, Crumb, Visit};
use crate::icon::Icon;
use crate::links::{Links, Place};
use crate::pieces::call_row::Amount;
use crate::pieces::content::{Answer, Arguments};
use crate::pieces::identity::IdentityChain;
use crate::pieces::sign::{Badge, State};
use crate::{text, wording};

pub mod timeline;
pub mod why;

/// The page.
pub fn page(visit: &Visit, story: CallStory, why: Option<Why>) -> String {
    let links = visit.links();
    let tool = text::one_line(&story.row.tool_name, 120);
    let crumbs = vec![Crumb::to("Activity", links.activity()), Crumb::here(tool.clone())];
    document::page(visit, Place::Activity, &tool, crumbs, false, || {
        let row = story.row.clone();
        let answer = (row.verdict == Verdict::Permit).then(|| {
            view! {
                <section class="content" aria-labelledby="result">
                    <h2 id="result">"Result"</h2>
                    <Answer content=story.result.clone() />
                </section>
            }
        });
        let asked = matches!(story.exchange, Content::Text(_)).then(|| {
            view! {
                <section class="content" aria-labelledby="asked">
                    <h2 id="asked">"What its server asked meanwhile"</h2>
                    <p class="note">"The client was asked while the call ran; what it answered reached the server."</p>
                    <Arguments content=story.exchange.clone() />
                </section>
            }
        });
        view! {
            <header class="page-head call-head">
                <h1>{text::code(&row.tool_name)}</h1>
                <DecisionSentence story=story.clone() />
                <IdentityChain story=story.clone() links=links.clone() reader=visit.reader() />
            </header>
            <div class="call-body">
                <div class="call-main">
                    <section aria-labelledby="story">
                        <h2 id="story">"What happened"</h2>
                        <timeline::Timeline story=story.clone() clock=visit.clock() />
                    </section>
                    {why.map(|why| view! { <why::WhatWouldChange visit=visit.clone() why=why /> }.into_any())}
                    <section class="content" aria-labelledby="arguments">
                        <h2 id="arguments">"Arguments"</h2>
                        <Arguments content=story.arguments.clone() />
                    </section>
                    {asked}
                    {answer}
                </div>
                <aside class="facts" aria-labelledby="facts">
                    <h2 id="facts">"Facts"</h2>
                    <Facts story=story links=links />
                </aside>
            </div>
        }
    })
}

/// What was decided and why, and whom to ask.
#[component]
fn DecisionSentence(story: CallStory) -> impl IntoView {
    let row = &story.row;
    let sentence = match &row.reason {
        Some(reason) => text::prose(&wording::without_verdict(&reason.sentence), 2_000).into_any(),
        None if row.verdict == Verdict::Permit => {
            view! { {text::name(&row.agent_name)} " may use this tool." }.into_any()
        }
        None => view! { "No reason is on record." }.into_any(),
    };
    let missing = row.reason.as_ref().and_then(|reason| reason.missing_key.as_ref()).map(|key| {
        view! { <span class="aside-fact">"Missing key " {text::code(key.as_str())}</span> }
    });
    let ask = row.reason.as_ref().and_then(|reason| reason.ask.as_deref()).map(|whom| {
        view! { <span class="aside-fact">"Ask " {text::name(whom)}</span> }
    });
    view! {
        <div class="decision" data-tone=wording::verdict(row.verdict).tone.word()>
            <Badge sign=wording::verdict(row.verdict) />
            <p class="sentence">{sentence}</p>
            {missing}
            {ask}
        </div>
    }
}

/// What is on record beside the story.
#[component]
fn Facts(story: CallStory, links: Links) -> impl IntoView {
    let row = &story.row;
    let policies = story
        .policies
        .iter()
        .map(|policy| view! { <span class="policy">{text::code(policy)}</span> })
        .collect::<Vec<_>>();
    let credential = story.credential.as_ref().map(|(name, prefix)| {
        view! {
            {text::name(name)}
            " "
            <code class="prefix">{text::one_line(prefix, 24)} "…"</code>
        }
    });
    let id = row.id.to_string();
    let session = story.session.as_deref().map(|session| links.session(session));
    view! {
        <dl>
            <dt>"Outcome"</dt>
            <dd><State sign=wording::ending(row) /></dd>
            <dt>"Duration"</dt>
            <dd class="figure">
                {row.duration_us.map(|us| view! { <span title=wording::microseconds(us)>{wording::duration(us)}</span> })
                    .map_or_else(absent, IntoAny::into_any)}
            </dd>
            <dt>"Charge"</dt>
            <dd class="figure">
                {row.charge.map(|money| view! { <Amount money=money /> }).map_or_else(absent, IntoAny::into_any)}
            </dd>
            <dt>"Module"</dt>
            <dd>{story.module_title.as_deref().map(text::name).map_or_else(absent, IntoAny::into_any)}</dd>
            <dt>"Credential"</dt>
            <dd>{credential.map_or_else(absent, IntoAny::into_any)}</dd>
            <dt>"Decided by"</dt>
            <dd>{if policies.is_empty() { absent() } else { policies.into_any() }}</dd>
            <dt>"Version of the policies"</dt>
            <dd>{digest(&story.policy_version)}</dd>
            <dt>"State of the rights"</dt>
            <dd class="figure" title="Counts every change of rights; what was decided in an earlier state is refused">
                {story.epoch}
            </dd>
            <dt>"SHA-256 of the arguments"</dt>
            <dd>{digest(&story.arguments_digest)}</dd>
            <dt>"Call"</dt>
            <dd><code class="whole">{id}</code></dd>
        </dl>
        <p class="fact-links">
            {session.map(|href| {
                view! {
                    <a class="button" href=href>
                        "All calls of this session"
                        <Icon name="arrow" />
                    </a>
                }
            })}
            <a class="button" href=links.calls_of(row.agent)>
                "All calls of this agent"
                <Icon name="arrow" />
            </a>
        </p>
    }
}

fn absent() -> AnyView {
    view! { <span class="absent">"none"</span> }.into_any()
}

/// A SHA-256 in hexadecimal: recognisable at a glance, whole on demand.
fn digest(hex: &str) -> AnyView {
    let whole = text::one_line(hex, 64);
    let short: String = whole.chars().take(12).collect();
    view! {
        <details class="digest">
            <summary><code>{short}"…"</code></summary>
            <code class="whole">{whole}</code>
        </details>
    }
    .into_any()
}
