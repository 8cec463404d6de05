//! Browsers in which somebody is signed in, each with the button that ends it.

use control::account::SessionLine;
use leptos::prelude::*;

use super::said;
use crate::document::Visit;
use crate::pieces::form::hidden;
use crate::text;

/// The table. `here`: the session that the reader has the page from. `end`: where the buttons go.
pub(super) fn table(visit: &Visit, sessions: &[SessionLine], here: Option<&[u8]>, end: &str) -> AnyView {
    if sessions.is_empty() {
        return view! { <p class="absent">"Signed in nowhere."</p> }.into_any();
    }
    let clock = visit.clock();
    let rows = sessions
        .iter()
        .map(|session| {
            let this = here == Some(session.id.as_slice());
            let browser = browser(session.user_agent.as_deref());
            let act = if this {
                view! { <span class="note">"This browser"</span> }.into_any()
            } else {
                view! {
                    <form method="post" action=end.to_owned()>
                        {hidden("session", hex(&session.id))}
                        <button type="submit" class="button plain">
                            "End"
                            <span class="visually-hidden">" the session of " {browser.clone()}</span>
                        </button>
                    </form>
                }
                .into_any()
            };
            let whole = session.user_agent.as_deref().map(|agent| text::one_line(agent, 300));
            view! {
                <tr>
                    <th scope="row" class="who">
                        <span title=whole>{browser}</span>
                    </th>
                    <td data-label="From">{session.address.as_deref().map(text::code)}</td>
                    <td data-label="Signed in">{said::when(session.since, clock)}</td>
                    <td data-label="Last seen">{clock.ago(session.seen)}</td>
                    <td>{act}</td>
                </tr>
            }
        })
        .collect::<Vec<_>>();
    let several = sessions.iter().filter(|session| here != Some(session.id.as_slice())).count() > 1;
    let all = several.then(|| {
        let label = if here.is_some() { "End all others" } else { "End all" };
        view! {
            <form method="post" action=end.to_owned()>
                {hidden("session", "others")}
                <button type="submit" class="button">
                    {label}
                </button>
            </form>
        }
    });
    view! {
        <table class="folding">
            <caption class="visually-hidden">"Browsers, the one used last first"</caption>
            <thead>
                <tr>
                    <th scope="col">"Browser"</th>
                    <th scope="col">"From"</th>
                    <th scope="col">"Signed in"</th>
                    <th scope="col">"Last seen"</th>
                    <th scope="col"><span class="visually-hidden">"End"</span></th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
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

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
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
