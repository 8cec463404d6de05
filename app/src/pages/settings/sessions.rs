//! Who is signed in, and ending it.

use control::authority::Deed;
use control::settings::SessionLine;
use leptos::prelude::*;
use model::UserId;

use super::{Part, part};
use crate::document::Visit;
use crate::icon::Icon;
use crate::links::Links;
use crate::pieces::form::hidden;
use crate::text;
use crate::wording::{self, Clock};

/// The list. `own`: the session in which it is looked at.
pub fn sessions(
    visit: &Visit,
    lines: &[SessionLine],
    search: &str,
    page: u32,
    more: bool,
    own: Option<&str>,
) -> String {
    part(visit, Part::Sessions, None, || {
        let (links, clock) = (visit.links(), visit.clock());
        let ends = visit.may(Deed::ChangeSettings);
        let rows = lines.iter().map(|line| row(line, &links, clock, ends, own)).collect::<Vec<_>>();
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
                <div class="records-box">
                    <table class="records">
                        <caption class="visually-hidden">"Open sessions, used last first"</caption>
                        <thead>
                            <tr>
                                <th scope="col">"Person"</th>
                                <th scope="col">"Used"</th>
                                <th scope="col">"Since"</th>
                                <th scope="col">"From"</th>
                                <th scope="col">"Browser"</th>
                                <th scope="col"><span class="visually-hidden">"End"</span></th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            }
            .into_any()
        };
        view! {
            <form class="filters" method="get" action=links.sessions() role="search" aria-label="Search the sessions">
                <div class="field">
                    <label for="q">"Person or mail address"</label>
                    <input type="search" id="q" name="q" maxlength="200" autocomplete="off" value=search.to_owned() />
                </div>
                <div class="filter-actions"><button type="submit" class="button primary">"Search"</button></div>
            </form>
            {list}
            <nav class="pages" aria-label="Pages of the list">{before} {after}</nav>
        }
    })
}

fn row(
    line: &SessionLine,
    links: &Links,
    clock: Clock,
    ends: bool,
    own: Option<&str>,
) -> impl IntoView + use<> {
    let here = own == Some(line.handle.as_str());
    let browser = line.user_agent.as_deref().map_or("–".to_owned(), |words| text::one_line(words, 80));
    let from = line.address.map_or("–".to_owned(), |address| address.to_string());
    let end = match (ends, here) {
        (_, true) => view! { <span class="hint">"this one"</span> }.into_any(),
        (true, false) => view! {
            <form method="post" action=links.end_session() class="row-actions">
                {hidden("session", line.handle.clone())}
                <button type="submit" class="button">"End"</button>
                <a class="button plain" href=links.end_all_sessions_of(line.user)>"End all"</a>
            </form>
        }
        .into_any(),
        (false, false) => ().into_any(),
    };
    view! {
        <tr>
            <th scope="row"><a href=links.user(line.user)>{text::name(&line.user_name)}</a></th>
            <td data-label="Used">
                <time datetime=wording::instant(line.seen) title=clock.exact(line.seen)>{clock.ago(line.seen)}</time>
            </td>
            <td data-label="Since">
                <time datetime=wording::instant(line.since) title=clock.exact(line.since)>{clock.minute(line.since)}</time>
            </td>
            <td data-label="From">{from}</td>
            <td data-label="Browser"><bdi>{browser}</bdi></td>
            <td data-label="">{end}</td>
        </tr>
    }
}

/// What ending all sessions of a person would mean.
pub fn end_all(visit: &Visit, user: UserId, name: &str, count: usize) -> String {
    part(visit, Part::Sessions, None, || {
        let links = visit.links();
        let sessions = if count == 1 {
            "one session".to_owned()
        } else {
            format!("{} sessions", wording::grouped(count as u64))
        };
        view! {
            <section class="sheet">
                <h2>"End all sessions of " {text::name(name)} "?"</h2>
                <p>
                    {sessions}
                    " end with their next click; what was typed and not sent is lost. The person can sign in again, and their \
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
