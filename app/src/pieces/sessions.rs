//! Browsers in which people are signed in, each with the button that ends it where one may.

use control::account::SessionLine;
use leptos::prelude::*;
use model::Timestamp;

use super::folding::Head::{Of, Unseen};
use super::folding::folding;
use super::form::hidden;
use crate::document::Visit;
use crate::text;
use crate::wording;

/// Sessions as a table. `here`: the one that the reader has the page from. `end`: where the buttons lead. `everybody`: each
/// line says whose it is.
pub fn table(
    visit: &Visit,
    lines: &[SessionLine],
    here: Option<&str>,
    end: &str,
    everybody: bool,
) -> impl IntoView + use<> {
    let rows = lines.iter().map(|line| row(visit, line, here, end, everybody)).collect::<Vec<_>>();
    let heads = [Of("Person"), Of("Browser"), Of("From"), Of("Signed in"), Of("Last seen"), Unseen("End")];
    folding(
        Unseen("Browsers, the one used last first"),
        heads.get(usize::from(!everybody)..).unwrap_or_default(),
        rows,
    )
}

fn row(
    visit: &Visit,
    line: &SessionLine,
    here: Option<&str>,
    end: &str,
    everybody: bool,
) -> impl IntoView + use<> {
    let (links, clock) = (visit.links(), visit.clock());
    let name = browser(line.user_agent.as_deref());
    let whole = line.user_agent.as_deref().map(|agent| text::one_line(agent, 300));
    let act = if here == Some(line.handle.as_str()) {
        view! { <span class="note">"This browser"</span> }.into_any()
    } else if line.may_end {
        let all = everybody.then(|| {
            view! {
                <a class="button" href=links.end_all_sessions_of(line.user)>
                    <span>"End all of " {text::name(&line.user_name)}</span>
                </a>
            }
        });
        view! {
            <form method="post" action=end.to_owned()>
                {hidden("session", line.handle.clone())}
                <button type="submit" class="button">
                    "End"
                    <span class="visually-hidden">" the session of " {name.clone()}</span>
                </button>
            </form>
            " "
            {all}
        }
        .into_any()
    } else {
        ().into_any()
    };
    let name = view! { <span title=whole>{name}</span> };
    let first = if everybody {
        view! {
            <th scope="row" class="who"><a href=links.user(line.user)>{text::name(&line.user_name)}</a></th>
            <td data-label="Browser">{name}</td>
        }
        .into_any()
    } else {
        view! { <th scope="row" class="who">{name}</th> }.into_any()
    };
    let time = |at: Timestamp, said: String| {
        view! { <time datetime=wording::instant(at) title=clock.exact(at)>{said}</time> }
    };
    view! {
        <tr>
            {first}
            <td data-label="From">{line.address.map(|address| text::code(&address.to_string()))}</td>
            <td data-label="Signed in">{time(line.since, clock.minute(line.since))}</td>
            <td data-label="Last seen">{time(line.seen, clock.ago(line.seen))}</td>
            <td class="row-actions">{act}</td>
        </tr>
    }
}

/// Where one person is signed in, with a button that ends all of it but for `here`.
pub fn of_person(visit: &Visit, lines: &[SessionLine], here: Option<&str>, end: &str) -> AnyView {
    if lines.is_empty() {
        return view! { <p class="absent">"Signed in nowhere."</p> }.into_any();
    }
    let several = lines.iter().filter(|line| here != Some(line.handle.as_str())).count() > 1;
    let all = several.then(|| {
        view! {
            <form method="post" action=end.to_owned()>
                {hidden("session", "others")}
                <button type="submit" class="button">
                    {if here.is_some() { "End all others" } else { "End all" }}
                </button>
            </form>
        }
    });
    view! {
        {table(visit, lines, here, end, false)}
        {all}
    }
    .into_any()
}

/// What a browser calls itself, in the words that people know.
fn browser(user_agent: Option<&str>) -> String {
    let Some(said) = user_agent else { return "A browser that does not say which".to_owned() };
    let first = |known: &[(&str, &'static str)]| {
        known.iter().find(|(mark, _)| said.contains(mark)).map(|(_, name)| *name)
    };
    // Each claims to be those before it, too.
    let name = first(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("HeadlessChrome/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = first(&[
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (name, system) {
        (Some(name), Some(system)) => format!("{name} on {system}"),
        (Some(name), None) => name.to_owned(),
        (None, _) => text::one_line(said, 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_named_as_people_know_them() {
        let windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Safari/537.36";
        assert_eq!(browser(Some(windows)), "Chrome on Windows");
        assert_eq!(browser(Some(&format!("{windows} Edg/130.0"))), "Edge on Windows");
        let phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Mobile Safari/604";
        assert_eq!(browser(Some(phone)), "Safari on iPhone");
        assert_eq!(browser(Some("<b>\u{202E}x")), "<b>⟦U+202E⟧x");
        assert_eq!(browser(None), "A browser that does not say which");
    }
}
