//! The document around every page: head, frame, rail, top bar, and the loader of islands where there is one.

mod keys;

use std::sync::Arc;

use control::authority::Deed;
use hydration_context::SsrSharedContext;
use leptos::prelude::*;
use model::people::Slug;
use model::{Currency, Timestamp, UserId, Zone};
use serde::{Deserialize, Serialize};

use crate::icon::{Icon, SPRITE};
use crate::links::{self, Links, Place};
use crate::pieces::call_row::Reader;
use crate::text;
use crate::wording::Clock;

/// What is the same for every page of one response.
#[derive(Clone, Debug)]
pub struct Site {
    /// Addresses of the style sheet and the islands, with the hash of their content.
    pub assets: Arc<Assets>,
    /// Whether this is `dev`: the banner says so.
    pub development: bool,
    /// Allows this response's own scripts (Content-Security-Policy, `'nonce-…'`).
    pub nonce: String,
    /// Where agents reach the machines' origin, without a trailing slash: `https://mcp.example.com`.
    pub machines: Arc<str>,
    /// The programs that a module may be reached by, in words. None: there are none here.
    pub programs: Option<Arc<str>>,
    /// The present.
    pub now: Timestamp,
    /// In which the reader is told times.
    pub zone: Zone,
}

impl Site {
    /// The present, in the reader's zone.
    pub fn clock(&self) -> Clock {
        Clock { now: self.now, zone: self.zone }
    }
}

/// Addresses of static files, ready to be put into a document.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Assets {
    /// The style sheet.
    pub css: String,
    /// The islands' loader module, as wasm-bindgen writes it.
    pub js: String,
    /// The islands.
    pub wasm: String,
}

/// A signed-in person looking at a page of their organization.
#[derive(Clone, Debug)]
pub struct Visit {
    /// What is the same for every page.
    pub site: Site,
    /// The organization's short name.
    pub slug: Slug,
    /// The organization's name.
    pub organization: String,
    /// The id in the organization's MCP URL, in its text form.
    pub mcp_id: String,
    /// In what its calls are charged.
    pub currency: Currency,
    /// The person.
    pub user: UserId,
    /// The person's name.
    pub person: String,
    /// What they are, in words: `Owner`, `Auditor of a unit`.
    pub roles: Vec<String>,
    /// What they may do in the whole organization: what one may not do is not shown.
    pub deeds: Vec<Deed>,
    /// The places of the rail where there is something for them.
    pub places: Vec<Place>,
    /// What the form before this page has done.
    pub notice: Option<Notice>,
}

/// What a form has done, said on the page that it leads to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Notice {
    /// A sentence: `Team “EMEA” was made.`
    pub sentence: String,
    /// Where to go on, if anywhere: what the link says, and a path of ours.
    pub link: Option<(String, String)>,
}

impl Notice {
    /// A sentence without a link.
    pub fn new(sentence: impl Into<String>) -> Self {
        Self { sentence: sentence.into(), link: None }
    }

    /// With a way to go on.
    #[must_use]
    pub fn leading(self, label: impl Into<String>, href: String) -> Self {
        Self { link: Some((label.into(), href)), ..self }
    }
}

impl Visit {
    /// Where the organization's pages are.
    pub fn links(&self) -> Links {
        Links::of(self.slug.clone())
    }

    /// Whether the person may do this in the whole organization.
    pub fn may(&self, deed: Deed) -> bool {
        self.deeds.contains(&deed)
    }

    /// The present, in the reader's zone.
    pub fn clock(&self) -> Clock {
        self.site.clock()
    }

    /// What names in lists may lead to.
    pub fn reader(&self) -> Reader {
        Reader { user: self.user, people: self.may(Deed::ReadPeople) }
    }

    /// The organization's MCP URL.
    pub fn mcp_url(&self) -> String {
        format!("{}/{}/mcp", self.site.machines, self.mcp_id)
    }

    /// The MCP URL of one of its bundles.
    pub fn bundle_url(&self, bundle: &str) -> String {
        format!("{}/{bundle}", self.mcp_url())
    }
}

/// A step of the breadcrumb; the last one is the page itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Crumb {
    /// What it says.
    pub label: String,
    /// Where it leads; none: here.
    pub href: Option<String>,
}

impl Crumb {
    /// A step that leads somewhere.
    pub fn to(label: impl Into<String>, href: String) -> Self {
        Self { label: label.into(), href: Some(href) }
    }

    /// The page itself.
    pub fn here(label: impl Into<String>) -> Self {
        Self { label: label.into(), href: None }
    }
}

/// Renders a view to HTML. Nothing in it is asynchronous: what a page shows was asked for before.
pub fn fragment<V: IntoView>(view: impl FnOnce() -> V) -> String {
    let owner = Owner::new_root(Some(Arc::new(SsrSharedContext::new_islands())));
    let html = owner.with(|| view().to_html());
    owner.cleanup();
    unmarked(&html)
}

/// HTML without the marks by which a browser finds the places that change, except in islands: only those wake up. What people
/// wrote cannot look like one: in text and attributes `<` is escaped.
fn unmarked(html: &str) -> String {
    const MARK: &str = "<!>";
    const ISLAND: &str = "<leptos-island";
    const END: &str = "</leptos-island>";
    let mut out = String::with_capacity(html.len());
    let (mut rest, mut depth) = (html, 0_usize);
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        out.push_str(before);
        let taken = if tag.starts_with(MARK) {
            MARK.len()
        } else if tag.starts_with(ISLAND) {
            depth += 1;
            ISLAND.len()
        } else if tag.starts_with(END) {
            depth = depth.saturating_sub(1);
            END.len()
        } else {
            1
        };
        let (taken, after) = tag.split_at(taken);
        if taken != MARK || depth > 0 {
            out.push_str(taken);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// A page inside the frame, at one of the rail's places.
pub fn page<V: IntoView + 'static>(
    visit: &Visit,
    place: Place,
    title: &str,
    crumbs: Vec<Crumb>,
    islands: bool,
    content: impl FnOnce() -> V,
) -> String {
    whole(&visit.site, &format!("{title} · {}", visit.organization), islands, || {
        let content = content().into_any();
        view! {
            <Frame visit=visit.clone() place=place crumbs=crumbs content=content />
            {keys::keys(visit, islands).into_any()}
        }
    })
}

/// A page of one column without the frame: sign-in and errors.
pub fn plain<V: IntoView + 'static>(site: &Site, title: &str, content: impl FnOnce() -> V) -> String {
    whole(site, title, false, || {
        view! {
            {banner(site.development)}
            <main id="main" class="column" tabindex="-1">
                <p class="brand">
                    <Icon name="mark" />
                    "WorkingAgents"
                </p>
                {content()}
            </main>
        }
    })
}

/// A page that is neither in the frame nor a column: whatever it wants to be.
pub fn bare<V: IntoView>(site: &Site, title: &str, content: impl FnOnce() -> V) -> String {
    whole(site, title, false, content)
}

fn whole<V: IntoView>(site: &Site, title: &str, islands: bool, body: impl FnOnce() -> V) -> String {
    let title = format!("{} · WorkingAgents", text::one_line(title, 120));
    let html = fragment(|| {
        view! {
            <html lang="en">
                <head>
                    <meta charset="utf-8" />
                    <meta name="viewport" content="width=device-width, initial-scale=1" />
                    <meta name="color-scheme" content="light dark" />
                    <title>{title}</title>
                    <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                    <link
                        rel="preload"
                        href="/fonts/inter-5.3-latin.woff2"
                        r#as="font"
                        r#type="font/woff2"
                        crossorigin="anonymous"
                    />
                    <link rel="stylesheet" href=site.assets.css.clone() />
                    // Nothing is painted before all is there: columns of a table would jump as its rows arrive.
                    <link rel="expect" href="#end" blocking="render" />
                    {islands.then(|| loader(site))}
                </head>
                <body>
                    <a class="skip" href="#main">
                        "Skip to content"
                    </a>
                    <svg class="sprite" aria-hidden="true" inner_html=SPRITE></svg>
                    {body()}
                    <div id="end" hidden=true></div>
                </body>
            </html>
        }
    });
    format!("<!DOCTYPE html>{html}")
}

/// Loads the WebAssembly and wakes each island. Only pages with an island of their own have it; elsewhere the palette's
/// first opening does the same. `island` elements carry the name
/// of the exported function that hydrates them (Leptos' `#[island]`); they are not nested here.
fn loader(site: &Site) -> impl IntoView + use<> {
    let Assets { js, wasm, .. } = site.assets.as_ref().clone();
    let script = format!(
        "import start,*as islands from{js:?};await start({{module_or_path:{wasm:?}}});islands.hydrate();\
         for(const it of document.querySelectorAll('leptos-island'))islands[it.dataset.component]?.(it);"
    );
    view! {
        <link rel="modulepreload" href=js />
        <link rel="preload" href=wasm r#as="fetch" r#type="application/wasm" crossorigin="anonymous" />
        <script type="module" nonce=site.nonce.clone() inner_html=script></script>
    }
}

fn banner(development: bool) -> Option<impl IntoView + use<>> {
    development.then(|| view! { <p class="environment">"Demo data · development"</p> })
}

/// Rail, top bar and content.
#[component]
fn Frame(visit: Visit, place: Place, crumbs: Vec<Crumb>, content: AnyView) -> impl IntoView {
    let links = visit.links();
    let places = visit
        .places
        .iter()
        .map(|there| {
            let here = (*there == place).then_some("page");
            view! {
                <li>
                    <a href=there.href(&links) aria-current=here data-go=there.go_key()>
                        <Icon name=there.icon() />
                        {there.label()}
                    </a>
                </li>
            }
        })
        .collect::<Vec<_>>();
    view! {
        {banner(visit.site.development)}
        <div class="frame">
            <nav class="rail" aria-label="Places">
                <a class="brand" href=links.home()>
                    <Icon name="mark" />
                    <span>"WorkingAgents"</span>
                </a>
                // Where there is no room beside the content, a button opens the list; elsewhere it is simply there.
                <button type="button" class="rail-button" popovertarget="places">
                    <Icon name="menu" />
                    "Menu"
                </button>
                <ul id="places" popover="auto">
                    {places}
                </ul>
            </nav>
            <header class="top">
                <Breadcrumb organization=visit.organization.clone() home=links.home() crumbs=crumbs />
                <a class="find-button" href=links.find() data-palette="">
                    <Icon name="find" />
                    <span>"Find"</span>
                    <kbd aria-hidden="true">"Ctrl K"</kbd>
                </a>
                <PersonMenu visit=visit.clone() />
            </header>
            <main id="main" tabindex="-1">
                {visit.notice.map(said)}
                {content}
            </main>
        </div>
    }
}

/// What was done, above everything else.
fn said(notice: Notice) -> impl IntoView {
    let link = notice.link.map(|(label, href)| view! { " " <a href=href>{text::one_line(&label, 120)}</a> });
    view! {
        <p class="notice" role="status">
            <Icon name="check" />
            <span>{text::prose(&notice.sentence, 1_000)} {link}</span>
        </p>
    }
}

#[component]
fn Breadcrumb(organization: String, home: String, crumbs: Vec<Crumb>) -> impl IntoView {
    let steps = std::iter::once(Crumb::to(organization, home))
        .chain(crumbs)
        .map(|crumb| match crumb.href {
            Some(href) => view! { <li><a href=href>{text::name(&crumb.label)}</a></li> }.into_any(),
            None => view! { <li aria-current="page">{text::name(&crumb.label)}</li> }.into_any(),
        })
        .collect::<Vec<_>>();
    view! {
        <nav class="breadcrumb" aria-label="Breadcrumb">
            <ol>{steps}</ol>
        </nav>
    }
}

#[component]
fn PersonMenu(visit: Visit) -> impl IntoView {
    let links = visit.links();
    let roles = visit.roles.iter().map(|role| view! { <li>{text::name(role)}</li> }).collect::<Vec<_>>();
    view! {
        <div class="person-menu">
            <button type="button" class="person-button" popovertarget="person">
                <Icon name="person" />
                <span class="person-name">{text::name(&visit.person)}</span>
                <Icon name="down" />
            </button>
            <div id="person" class="menu" popover="auto">
                <p class="menu-title">{text::name(&visit.person)}</p>
                <ul class="roles" aria-label="Roles">
                    {roles}
                </ul>
                <ul class="menu-links">
                    <li>
                        <a class="button plain" href=links.me()>
                            <Icon name="person" />
                            "My account"
                        </a>
                    </li>
                    <li>
                        <a class="button plain" href=links.usage()>
                            <Icon name="money" />
                            "My usage"
                        </a>
                    </li>
                </ul>
                <form method="post" action=links::SIGN_OUT>
                    <button type="submit" class="button plain">
                        <Icon name="out" />
                        "Sign out"
                    </button>
                </form>
            </div>
        </div>
    }
}

#[cfg(test)]
mod tests {
    use super::unmarked;

    #[test]
    fn marks_stay_in_islands_alone() {
        for (html, expected) in [
            ("<p>a<!>b</p><!>", "<p>ab</p>"),
            ("<leptos-island x><i><!></i></leptos-island><!>", "<leptos-island x><i><!></i></leptos-island>"),
            (
                "<leptos-island><leptos-island></leptos-island><!></leptos-island><!>é",
                "<leptos-island><leptos-island></leptos-island><!></leptos-island>é",
            ),
            ("a < b <", "a < b <"),
            ("", ""),
        ] {
            assert_eq!(unmarked(html), expected, "{html}");
        }
    }
}
