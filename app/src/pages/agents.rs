//! An agent's pages: how to connect it, its keys, what it may do, its calls, its settings.

pub mod keys;
pub mod new;
pub mod settings;
pub mod stop;

use control::access::{Faces, Shown as AccessShown, Subject, Wanted};
use control::agents::AgentStory;
use control::authority::Deed;
use control::limits::LimitRow;
use leptos::prelude::*;
use model::call::CallRow;
use model::limit::{OfWhat, Whose};
use model::people::Standing;
use model::{AgentId, Money, UserId, words};

use super::activity::CallTable;
use super::connect::{Connect, Connection, Way};
use crate::document::{self, Crumb, Visit};
use crate::links::{Links, Place};
use crate::pieces::access::{self, Access};
use crate::pieces::call_row::{Moment, Sum};
use crate::pieces::field::ErrorSummary;
use crate::pieces::form::Form;
use crate::pieces::head::PageHead;
use crate::pieces::limits;
use crate::pieces::sign::State;
use crate::text;
use crate::wording::{Sign, Tone};

words! {
    /// The views of an agent.
    Tab {
        /// How to connect it.
        Connect = "connect",
        /// What it presents.
        Keys = "keys",
        /// What it may call, and why.
        Access = "access",
        /// Its latest calls.
        Activity = "activity",
        /// Its name, place, owner and end.
        Settings = "settings",
    }
}

impl Tab {
    const fn label(self) -> &'static str {
        match self {
            Self::Connect => "How to connect",
            Self::Keys => "Keys",
            Self::Access => "Access",
            Self::Activity => "Activity",
            Self::Settings => "Settings",
        }
    }
}

/// What the agent's page shows.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The agent.
    pub story: AgentStory,
    /// What its calls of this month cost; none: not the reader's to see.
    pub spend: Option<Money>,
    /// The limits that count its calls; none: not the reader's to see.
    pub limits: Option<Vec<LimitRow>>,
    /// The chosen view.
    pub view: View,
}

/// One of the tabs with what it shows.
#[derive(Clone, Debug)]
pub enum View {
    /// How to connect it.
    Connect(Way),
    /// Its keys.
    Keys(Vec<keys::Line>),
    /// What it may call.
    Access {
        /// For whom it can act.
        faces: Option<Faces>,
        /// What there is to say.
        shown: Box<AccessShown>,
        /// What was asked for.
        wanted: Wanted,
    },
    /// What it may call, which is not the reader's to see.
    Withheld,
    /// Its latest calls.
    Activity(Vec<CallRow>),
    /// Its settings, with the units to move to as paths.
    Settings(Vec<(String, String)>),
}

impl View {
    fn tab(&self) -> Tab {
        match self {
            Self::Connect(_) => Tab::Connect,
            Self::Keys(_) => Tab::Keys,
            Self::Access { .. } | Self::Withheld => Tab::Access,
            Self::Activity(_) => Tab::Activity,
            Self::Settings(_) => Tab::Settings,
        }
    }
}

/// The page. `form` holds what one of its forms came back with.
pub fn page(visit: &Visit, shown: Shown, form: &Form) -> String {
    let links = visit.links();
    let name = shown.story.view.name.clone();
    let tab = shown.view.tab();
    let title = form.title(&format!("{name}: {}", tab.label()));
    // Only snippets have a button that copies.
    let islands = tab == Tab::Connect;
    document::page(visit, Place::People, &title, crumbs(&links, Crumb::here(name)), islands, || {
        let story = &shown.story;
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            {head(visit, story)}
            {facts(visit, story, shown.spend, shown.limits.as_deref())}
            {tabs(visit, story, tab)}
            {content(visit, &shown, form)}
        }
    })
}

fn content(visit: &Visit, shown: &Shown, form: &Form) -> AnyView {
    let links = visit.links();
    let story = &shown.story;
    let id = story.view.id;
    match &shown.view {
        View::Connect(way) => connect(visit, story, *way),
        View::Keys(lines) => keys::list(visit, story, lines),
        View::Access { faces, shown, wanted } => {
            let whom = match shown.subject {
                Subject::OnBehalf(_, user) => Some(user),
                _ => None,
            };
            let mut fixed = vec![("tab", Tab::Access.word().to_owned())];
            fixed.extend(whom.map(|user| ("for", user.to_string())));
            let place = access::Place { path: links.agent(id), fixed };
            view! {
                {for_whom(&links, id, faces.as_ref(), whom)}
                <Access
                    shown=shown.as_ref().clone()
                    wanted=wanted.clone()
                    place=place
                    links=links.clone()
                    clock=visit.clock()
                />
            }
            .into_any()
        }
        View::Withheld => view! {
            <p class="absent">"What this agent may call is for its owner to see, and for those who may see grants."</p>
        }
        .into_any(),
        View::Activity(rows) if rows.is_empty() => view! {
            <section class="empty">
                <h2>"It has not called anything yet"</h2>
                <p>
                    "Each call is written down before anything reaches the tool, and appears here, whether it was permitted "
                    "or denied."
                </p>
                <p><a class="button" href=links.agent_tab(id, Tab::Connect.word())>"How to connect it"</a></p>
            </section>
        }
        .into_any(),
        View::Activity(rows) => view! {
            <div id="calls-list">
                <CallTable visit=visit.clone() rows=rows.clone() />
            </div>
            <p class="more"><a href=links.calls_of(id)>"All calls of this agent in Activity"</a></p>
        }
        .into_any(),
        View::Settings(units) => settings::forms(visit, story, units, form),
    }
}

/// The way to an agent's page.
fn crumbs(links: &Links, last: Crumb) -> Vec<Crumb> {
    vec![Crumb::to("People & Agents", links.people()), last]
}

/// The way to a page below an agent's.
fn crumbs_below(links: &Links, story: &AgentStory, last: &str) -> Vec<Crumb> {
    let agent = Crumb::to(story.view.name.clone(), links.agent(story.view.id));
    vec![Crumb::to("People & Agents", links.people()), agent, Crumb::here(last)]
}

/// What an agent is doing, in a word.
pub(crate) const fn standing(story: &AgentStory) -> Sign {
    match (story.retired_at, story.view.standing) {
        (Some(_), _) => Sign { tone: Tone::Quiet, icon: "stop", word: "Retired" },
        (None, Standing::Suspended) => Sign { tone: Tone::Deny, icon: "stop", word: "Suspended" },
        (None, Standing::Active) => Sign { tone: Tone::Permit, icon: "permit", word: "Active" },
    }
}

fn may_change(visit: &Visit, story: &AgentStory) -> bool {
    visit.may(Deed::ChangeAgents) && story.retired_at.is_none()
}

fn head(visit: &Visit, story: &AgentStory) -> AnyView {
    let links = visit.links();
    let id = story.view.id;
    let title = text::name(&story.view.name).into_any();
    let lead = match story.retired_at {
        Some(at) => view! {
            "Retired "
            <Moment at=at clock=visit.clock() />
            ": it can never call again. Its past calls stay on record under this name."
        }
        .into_any(),
        None if story.view.standing == Standing::Suspended => {
            "An agent that may do nothing until somebody lets it act again.".into_any()
        }
        None => "An agent: a program that calls tools with keys of its own.".into_any(),
    };
    if !may_change(visit, story) {
        return view! { <PageHead title=title lead=lead /> }.into_any();
    }
    let resume = (story.view.standing == Standing::Suspended).then(|| {
        view! {
            <form method="post" action=links.agent_do(id, "resume")>
                <button type="submit" class="button primary">"Let it act again"</button>
            </form>
        }
    });
    view! {
        <PageHead title=title lead=lead>
            <a class="button" href=links.new_key(id)>"Issue a key"</a>
            {resume}
            <a class="button danger" href=links.revoke_agent(id)>"Revoke now"</a>
        </PageHead>
    }
    .into_any()
}

fn facts(
    visit: &Visit,
    story: &AgentStory,
    spend: Option<Money>,
    rows: Option<&[LimitRow]>,
) -> impl IntoView + use<> {
    let links = visit.links();
    let units = story
        .unit_path
        .iter()
        .enumerate()
        .map(|(at, (unit, name))| {
            view! {
                {(at > 0).then_some(" / ")}
                <a href=links.unit(*unit)>{text::name(name)}</a>
            }
        })
        .collect::<Vec<_>>();
    let suspended = (story.owner_standing == Standing::Suspended)
        .then_some(" (suspended, and so the agent may do nothing)");
    let spend = spend.map(|money| {
        view! {
            <div>
                <dt>"Spend this month"</dt>
                <dd><Sum money=money /></dd>
            </div>
        }
    });
    let set = (Whose::Agent(story.view.id), OfWhat::Everything);
    let limits = limits::facts(visit, rows.filter(|_| story.retired_at.is_none()), set).map(|limits| {
        view! {
            <div>
                <dt>"Limits"</dt>
                <dd>{limits}</dd>
            </div>
        }
    });
    view! {
        <dl class="agent-facts">
            <div>
                <dt>"Standing"</dt>
                <dd><State sign=standing(story) /></dd>
            </div>
            <div>
                <dt>"Unit"</dt>
                <dd>{units}</dd>
            </div>
            <div>
                <dt>"Owner"</dt>
                <dd>
                    <a href=links.user(story.view.owner)>{text::name(&story.owner.0)}</a>
                    {suspended}
                </dd>
            </div>
            <div>
                <dt>"Keys in force"</dt>
                <dd><a href=links.agent_tab(story.view.id, Tab::Keys.word())>{story.keys}</a></dd>
            </div>
            <div>
                <dt>"Made"</dt>
                <dd><Moment at=story.created_at clock=visit.clock() /></dd>
            </div>
            {spend}
            {limits}
        </dl>
    }
}

fn tabs(visit: &Visit, story: &AgentStory, tab: Tab) -> impl IntoView + use<> {
    let links = visit.links();
    let shown = Tab::ALL.iter().filter(|it| match it {
        Tab::Settings => may_change(visit, story),
        // What is no more cannot be connected, and may do nothing.
        Tab::Connect | Tab::Access => story.retired_at.is_none(),
        Tab::Keys | Tab::Activity => true,
    });
    let tabs = shown
        .map(|it| {
            let here = (*it == tab).then_some("page");
            view! { <a href=links.agent_tab(story.view.id, it.word()) aria-current=here>{it.label()}</a> }
        })
        .collect::<Vec<_>>();
    view! { <nav class="tabs" aria-label="Agent">{tabs}</nav> }
}

fn connect(visit: &Visit, story: &AgentStory, way: Way) -> AnyView {
    let links = visit.links();
    let id = story.view.id;
    let ways = Way::ALL
        .iter()
        .map(|it| {
            let here = (*it == way).then_some("true");
            view! { <a href=links.agent_way(id, it.word()) aria-current=here>{it.label()}</a> }
        })
        .collect::<Vec<_>>();
    let keyless = (story.keys == 0).then(|| {
        let issue = may_change(visit, story).then(|| {
            view! { " "<a href=links.new_key(id)>"Issue one"</a>", and its page shows all of this with the real key." }
        });
        view! { <p class="consequence">"It has no key in force, and can connect to nothing without one." {issue}</p> }
    });
    let refused = match (story.view.standing, story.owner_standing) {
        (Standing::Suspended, _) => {
            Some("It is suspended: its calls are refused until somebody lets it act again.")
        }
        (_, Standing::Suspended) => Some("Its owner is suspended, and so its calls are refused."),
        _ => None,
    };
    view! {
        {refused.map(|said| view! { <p class="consequence" data-tone="deny">{said}</p> })}
        {keyless}
        <nav class="ways-nav" aria-label="Ways to connect">{ways}</nav>
        <Connect connection=Connection::to(visit.mcp_url()) way=way />
    }
    .into_any()
}

/// For whom the agent acts, where it can act for somebody.
fn for_whom(links: &Links, id: AgentId, faces: Option<&Faces>, whom: Option<UserId>) -> AnyView {
    let Some(faces) = faces.filter(|faces| !faces.people.is_empty()) else { return ().into_any() };
    let at = links.agent_tab(id, Tab::Access.word());
    let here = |it: Option<UserId>| (it == whom).then_some("true");
    let people = faces
        .people
        .iter()
        .map(|(user, name, keys)| {
            let keys = if keys.len() == 1 { "one key".to_owned() } else { format!("{} keys", keys.len()) };
            view! {
                <a href=format!("{at}&for={user}") aria-current=here(Some(*user))>
                    "On behalf of " {text::name(name)}
                    <span class="note">{format!(" ({keys})")}</span>
                </a>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <nav class="ways-nav" aria-label="For whom it acts">
            <a href=at.clone() aria-current=here(None)>"For itself"</a>
            {people}
        </nav>
    }
    .into_any()
}
