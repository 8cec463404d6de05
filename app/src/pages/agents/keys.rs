//! An agent's keys: the list, the forms to issue and to rotate, and the one page that shows a key.

use control::agents::AgentStory;
use control::credentials::CredentialLine;
use leptos::prelude::*;
use model::{CredentialId, Timestamp};

use super::{Tab, crumbs_below, may_change};
use crate::document::{self, Visit};
use crate::links::Place;
use crate::pages::connect::{Connection, EveryWay, snippet};
use crate::pieces::call_row::Moment;
use crate::pieces::field::ErrorSummary;
use crate::pieces::form::{Form, SelectField, TextArea, TextField, hidden};
use crate::pieces::head::PageHead;
use crate::pieces::sign::State;
use crate::text;
use crate::wording::{Clock, Sign, Tone};

/// How long a key may be valid, as the form offers it: days, and what it says.
const LASTS: [(&str, &str); 4] =
    [("30", "30 days"), ("90", "90 days"), ("365", "A year"), ("", "Until it is revoked")];
/// For how long an old key may go on beside its follower: hours, and what it says.
const OVERLAPS: [(&str, &str); 4] =
    [("0", "Ends at once"), ("1", "One hour"), ("24", "One day"), ("168", "Seven days")];

/// A key with when it was last used.
#[derive(Clone, Debug)]
pub struct Line {
    /// The key.
    pub key: CredentialLine,
    /// When it was last used, as far as is known.
    pub last_used: Option<Timestamp>,
}

impl Line {
    fn in_force(&self, now: Timestamp) -> bool {
        self.key.revoked_at.is_none() && self.key.view.expires_at.is_none_or(|at| at > now)
    }
}

pub(super) fn list(visit: &Visit, story: &AgentStory, lines: &[Line]) -> AnyView {
    let (links, clock) = (visit.links(), visit.clock());
    let (valid, ended): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.in_force(clock.now));
    let change = may_change(visit, story);
    if lines.is_empty() {
        let issue = change.then(|| {
            view! { <p><a class="button primary" href=links.new_key(story.view.id)>"Issue a key"</a></p> }
        });
        return view! {
            <section class="empty">
                <h2>"It has no keys yet"</h2>
                <p>
                    "A key is what the agent presents with each call. Give each place it runs in a key of its own: then one "
                    "can be taken away without stopping the others."
                </p>
                {issue}
            </section>
        }
        .into_any();
    }
    let none =
        valid.is_empty().then(|| view! { <p class="absent">"No key is in force: it can call nothing."</p> });
    let count = ended.len();
    let ended = (!ended.is_empty()).then(|| {
        view! {
            <details class="ended">
                <summary>{if count == 1 { "One key has ended".to_owned() } else { format!("{count} keys have ended") }}</summary>
                {table(visit, story, &ended, "Keys that have ended, newest first", false)}
            </details>
        }
    });
    view! {
        {none}
        {(!valid.is_empty()).then(|| table(visit, story, &valid, "Keys in force, newest first", change))}
        {ended}
        <p class="hint">
            "Last used is taken from the agent's newest 1,000 calls of the last 90 days. Requests that were turned away before "
            "they became a call do not count."
        </p>
    }
    .into_any()
}

fn table(
    visit: &Visit,
    story: &AgentStory,
    lines: &[&Line],
    caption: &'static str,
    change: bool,
) -> impl IntoView + use<> {
    let (links, clock) = (visit.links(), visit.clock());
    let agent = story.view.id;
    let rows = lines
        .iter()
        .take(100)
        .map(|line| {
            let key = &line.key;
            let id = key.view.id;
            let whom = match &key.on_behalf_of {
                Some((user, name)) => view! { <a href=links.user(*user)>{text::name(name)}</a> }.into_any(),
                None => view! { <span class="absent">"itself"</span> }.into_any(),
            };
            let from = match key.allowed_addresses.as_slice() {
                [] => view! { <span class="absent">"anywhere"</span> }.into_any(),
                some => {
                    let all: Vec<String> = some.iter().map(ToString::to_string).collect();
                    text::code(&all.join(", ")).into_any()
                }
            };
            let used = match line.last_used {
                Some(at) => view! { <time title=clock.exact(at)>{clock.ago(at)}</time> }.into_any(),
                None => view! { <span class="absent">"not lately"</span> }.into_any(),
            };
            let does = change.then(|| {
                view! {
                    <td class="does">
                        <a href=links.rotate_key(agent, id) aria-label=format!("Rotate {}", key.view.prefix)>"Rotate"</a>
                        " "
                        <a
                            class="danger-link"
                            href=links.revoke_key(agent, id)
                            aria-label=format!("Revoke {}", key.view.prefix)
                        >
                            "Revoke"
                        </a>
                    </td>
                }
            });
            view! {
                <tr>
                    <th scope="row">
                        {text::name(&key.view.name)}
                        <span class="prefix">{text::code(&format!("{}…", key.view.prefix))}</span>
                    </th>
                    <td data-label="Acts for">{whom}</td>
                    <td data-label="May come from">{from}</td>
                    <td data-label="Last used">{used}</td>
                    <td data-label="Made"><Moment at=key.view.created_at clock=clock /></td>
                    <td data-label="Ends">{ends(key, clock)}</td>
                    {does}
                </tr>
            }
        })
        .collect::<Vec<_>>();
    let does = change.then(|| view! { <th scope="col"><span class="visually-hidden">"Do"</span></th> });
    view! {
        <div class="keys-frame">
        <table class="keys">
            <caption class="visually-hidden">{caption}</caption>
            <thead>
                <tr>
                    <th scope="col">"Key"</th>
                    <th scope="col">"Acts for"</th>
                    <th scope="col">"May come from"</th>
                    <th scope="col">"Last used"</th>
                    <th scope="col">"Made"</th>
                    <th scope="col">"Ends"</th>
                    {does}
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
        </div>
    }
}

fn ends(key: &CredentialLine, clock: Clock) -> AnyView {
    let over = |word| Sign { tone: Tone::Quiet, icon: "stop", word };
    match (key.revoked_at, key.view.expires_at) {
        (Some(at), _) => view! { <State sign=over("Revoked") />" "<Moment at=at clock=clock /> }.into_any(),
        (None, Some(at)) if at <= clock.now => {
            view! { <State sign=over("Expired") />" "<Moment at=at clock=clock /> }.into_any()
        }
        (None, Some(at)) => view! { <Moment at=at clock=clock /> }.into_any(),
        (None, None) => view! { <span class="absent">"when revoked"</span> }.into_any(),
    }
}

/// The form to issue a key. `id` is the id that the key will have: sent twice, it is issued once.
pub fn new(visit: &Visit, story: &AgentStory, id: CredentialId, form: &Form) -> String {
    let links = visit.links();
    let agent = story.view.id;
    let crumbs = crumbs_below(&links, story, "New key");
    document::page(visit, Place::People, &form.title("New key"), crumbs, false, || {
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            <PageHead
                title=view! { "New key for " {text::name(&story.view.name)} }.into_any()
                lead="It is shown once, on the next page. Have a place for it at hand.".into_any()
            />
            <form class="sheet" method="post" action=links.keys(agent)>
                {hidden("id", id.to_string())}
                <TextField
                    form=form.clone()
                    name="name"
                    label="What it is for"
                    hint="Where the agent runs, such as “production” or “laptop”: one key for each place."
                />
                <SelectField
                    form=form.clone()
                    name="lasts"
                    label="Ends after"
                    options=LASTS.map(|(value, said)| (value.to_owned(), said.to_owned())).to_vec()
                />
                <TextField
                    form=form.clone()
                    name="on_behalf_of"
                    label="Mail address of the person it acts for"
                    kind="email"
                    longest=254
                    required=false
                    hint="Then each call is what both may do, the agent and this person, and is recorded as theirs. Left empty, \
                          the agent acts for itself."
                />
                <TextArea
                    form=form.clone()
                    name="allowed_addresses"
                    label="Addresses it may come from"
                    rows=3
                    required=false
                    hint="One address or network on each line, such as 192.0.2.7 or 192.0.2.0/24. Left empty, it may come from \
                          anywhere."
                />
                <div class="form-actions">
                    <button type="submit" class="button primary">"Issue the key"</button>
                    <a class="button plain" href=links.agent_tab(agent, Tab::Keys.word())>"Cancel"</a>
                </div>
            </form>
        }
    })
}

/// The form to have another key follow this one.
pub fn rotate(
    visit: &Visit,
    story: &AgentStory,
    key: &CredentialLine,
    id: CredentialId,
    form: &Form,
) -> String {
    let links = visit.links();
    let agent = story.view.id;
    let crumbs = crumbs_below(&links, story, "Rotate a key");
    let title = format!("Rotate the key {}", key.view.name);
    document::page(visit, Place::People, &form.title(&title), crumbs, false, || {
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            <PageHead
                title=view! { "Rotate the key " {text::name(&key.view.name)} }.into_any()
                lead="A new key with the same name, addresses and person. The old one keeps working for as long as you need to \
                      change over."
                    .into_any()
            />
            <form class="sheet" method="post" action=links.rotate_key(agent, key.view.id)>
                {hidden("id", id.to_string())}
                <p>"The old key: " {text::code(&format!("{}…", key.view.prefix))}</p>
                <SelectField
                    form=form.clone()
                    name="overlap"
                    label="The old key keeps working for"
                    options=OVERLAPS.map(|(value, said)| (value.to_owned(), said.to_owned())).to_vec()
                />
                <div class="form-actions">
                    <button type="submit" class="button primary">"Issue the new key"</button>
                    <a class="button plain" href=links.agent_tab(agent, Tab::Keys.word())>"Cancel"</a>
                </div>
            </form>
        }
    })
}

/// The page that shows a key, the only one that ever does. `old_ends`: when the key that it follows ends.
pub fn issued(
    visit: &Visit,
    story: &AgentStory,
    name: &str,
    key: &str,
    old_ends: Option<Timestamp>,
) -> String {
    let links = visit.links();
    let agent = story.view.id;
    let crumbs = crumbs_below(&links, story, "Key issued");
    document::page(visit, Place::People, "Key issued", crumbs, true, || {
        let old = old_ends.map(|at| {
            view! { <p>"The old key ends " <Moment at=at clock=visit.clock() /> "."</p> }
        });
        let connection = Connection { url: visit.mcp_url(), key: Some(key.to_owned()) };
        view! {
            <PageHead
                title="Store this key now".into_any()
                lead=view! {
                    "It is the key “" {text::name(name)} "” of " {text::name(&story.view.name)}
                    ". It is shown this once; only its fingerprint is kept here."
                }
                    .into_any()
            />
            <div class="issued">
                {snippet("key", "The key", key.to_owned())}
                {old}
                <p class="form-actions">
                    <a class="button primary" href=links.agent_tab(agent, Tab::Keys.word())>"I have stored it"</a>
                </p>
                <section class="part">
                    <h2>"How to connect with it"</h2>
                    <EveryWay connection=connection />
                </section>
            </div>
        }
    })
}

/// What is shown when the form is sent again, as by reloading the page that showed the key.
pub fn issued_before(visit: &Visit, story: &AgentStory) -> String {
    let links = visit.links();
    let agent = story.view.id;
    let crumbs = crumbs_below(&links, story, "Key issued");
    document::page(visit, Place::People, "Key issued before", crumbs, false, || {
        view! {
            <PageHead
                title="This key was shown before".into_any()
                lead="It was issued once and is not shown again; no second one was made. If it was not stored, revoke it and \
                      issue another."
                    .into_any()
            />
            <p class="form-actions">
                <a class="button primary" href=links.agent_tab(agent, Tab::Keys.word())>"To the keys"</a>
                <a class="button" href=links.new_key(agent)>"Issue another"</a>
            </p>
        }
    })
}
