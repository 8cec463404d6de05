//! Who is signed in, and ending it.

use control::account::SessionLine;
use leptos::prelude::*;
use model::UserId;

use super::{Part, part};
use crate::document::Visit;
use crate::icon::Icon;
use crate::pages::people::said;
use crate::pieces::sessions;
use crate::text;

/// The list. `here`: the session in which it is looked at.
pub fn sessions(
    visit: &Visit,
    lines: &[SessionLine],
    search: &str,
    page: u32,
    more: bool,
    here: Option<&str>,
) -> String {
    part(visit, Part::Sessions, None, || {
        let links = visit.links();
        let to = |page: u32| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            if !search.is_empty() {
                query.append_pair("q", search);
            }
            query.append_pair("page", &page.to_string());
            format!("{}?{}", links.sessions(), query.finish())
        };
        let before = page.checked_sub(1).map(|page| {
            view! { <a class="button" href=to(page) rel="prev"><Icon name="previous" />"Before"</a> }
        });
        let after = more.then(|| view! { <a class="button" href=to(page.saturating_add(1)) rel="next">"More" <Icon name="next" /></a> });
        let list = if lines.is_empty() {
            view! {
                <section class="empty">
                    <h2>"No session is open"</h2>
                    <p>"Of people whose name or address contains what you searched for, nobody is signed in."</p>
                    <p><a class="button" href=links.sessions()>"Show all"</a></p>
                </section>
            }
            .into_any()
        } else {
            view! {
                <div class="people-list">{sessions::table(visit, lines, here, &links.end_session(), true)}</div>
            }
            .into_any()
        };
        view! {
            <form class="filters" method="get" action=links.sessions() role="search" aria-label="Search the sessions">
                <div class="field">
                    <label for="q">"Person or mail address"</label>
                    <input type="search" id="q" name="q" maxlength="200" autocomplete="off" value=text::one_line(search, 200) />
                </div>
                <div class="filter-actions"><button type="submit" class="button">"Apply"</button></div>
            </form>
            {list}
            <nav class="pages" aria-label="Pages of the list">{before} {after}</nav>
        }
    })
}

/// What ending all sessions of a person would mean.
pub fn end_all(visit: &Visit, user: UserId, name: &str, count: u64) -> String {
    part(visit, Part::Sessions, None, || {
        let links = visit.links();
        let ends =
            said::counted(count, "session ends with its next click", "sessions end with their next click");
        view! {
            <section class="sheet">
                <h2>"End all sessions of " {text::name(name)} "?"</h2>
                <p>
                    {ends}
                    "; what was typed and not sent is lost. The person can sign in again, and their \
                     agents go on. To keep them out, suspend them on their page."
                </p>
                <form method="post" action=links.end_all_sessions_of(user) class="form-actions">
                    <button type="submit" class="button danger">"End all"</button>
                    <a class="button plain" href=links.sessions()>"Cancel"</a>
                </form>
            </section>
        }
    })
}
