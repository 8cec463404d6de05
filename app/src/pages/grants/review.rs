//! The review of a change: what it comes to, in numbers and names, before the button that makes it.

use control::grants::preview::{Affected, Effect, Line, NAMED, Preview, Running, Shift, Way};
use leptos::prelude::*;
use model::people::UnitKind;

use super::query::Asked;
use super::{count, end_field, plain_name, until, when, whom};
use crate::document::{self, Crumb, Visit};
use crate::icon::Icon;
use crate::links::{Links, Place};
use crate::pieces::field::{ErrorSummary, FORM};
use crate::pieces::form::{Form, hidden};
use crate::pieces::head::PageHead;
use crate::text;
use crate::wording::{self, Clock};

/// Names that are shown at once; the others are behind a line that opens.
const AT_ONCE: usize = 8;

/// The page. `again`: the person confirmed, and rights had changed meanwhile.
pub fn page(visit: &Visit, asked: &Asked, preview: Preview, again: bool) -> String {
    let crumbs = vec![Crumb::to("Grants", visit.links().grants()), Crumb::here("Review")];
    let title = if again { "Look again" } else { "Review the change" };
    document::page(visit, Place::Grants, title, crumbs, false, || {
        let links = visit.links();
        let changed = again.then(|| {
            view! {
                <p class="consequence" role="alert">
                    <strong>"Rights have changed since you looked at this, so nothing was done."</strong>
                    " Below is what your change would come to now."
                </p>
            }
        });
        view! {
            <PageHead
                title="Review the change".into_any()
                lead="Nothing has changed yet. This is what would.".into_any()
            />
            {changed}
            {consequence(visit, &preview)}
            {running(visit, &preview.running)}
            {lines(&links, visit.clock(), &preview.lines)}
            {confirm(visit, asked, &preview)}
        }
    })
}

/// What was asked for could not be worked out as it stands: the fields again, with what is wrong.
pub fn wrong(visit: &Visit, form: Form, items: Vec<(&'static str, String)>, back: String) -> String {
    let crumbs = vec![Crumb::to("Grants", visit.links().grants()), Crumb::here("Review")];
    document::page(visit, Place::Grants, &form.title("Review the change"), crumbs, false, || {
        let links = visit.links();
        let gives = items.iter().any(|(name, _)| matches!(*name, "give" | "cell"));
        let fields = items.into_iter().map(|(name, value)| hidden(name, value)).collect::<Vec<_>>();
        let end = gives.then(|| {
            end_field(
                &form,
                visit.clock(),
                "The last day on which it holds. Empty: until somebody revokes it.",
            )
        });
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            <PageHead title="Review the change".into_any() lead="Nothing has changed yet.".into_any() />
            <form class="sheet" id=FORM method="post" action=links.review_grants()>
                {fields}
                {end}
                <div class="form-actions">
                    <button type="submit" class="button primary">
                        "Review the change"
                    </button>
                    <a class="button plain" href=back>
                        "Back"
                    </a>
                </div>
            </form>
        }
    })
}

/// Who gains and who loses, the losses first.
fn consequence(visit: &Visit, preview: &Preview) -> AnyView {
    let links = visit.links();
    let sentences = preview.shifts.iter().map(|shift| shift_view(&links, shift)).collect::<Vec<_>>();
    let loses = preview.shifts.iter().any(|shift| shift.way == Way::Loses);
    let idle = preview
        .idle
        .iter()
        .map(|key| view! { <li>"No tool asks for " {text::code(key.as_str())} " at present."</li> })
        .collect::<Vec<_>>();
    let nobody = (sentences.is_empty() && !preview.change.is_empty()).then(|| {
        view! {
            <li>
                "Nobody gains or loses anything at present: whoever it concerns has the same in another way, or there is nobody yet."
            </li>
        }
    });
    let already = preview.change.is_empty().then(|| {
        view! { <li>"There is nothing to change: everything is so already."</li> }
    });
    view! {
        <section class="consequence grant-consequence" data-tone={if loses { "deny" } else { "hold" }} aria-labelledby="comes-to">
            <h2 id="comes-to">"What it comes to"</h2>
            <ul>
                {sentences}
                {idle}
                {nobody}
                {already}
            </ul>
        </section>
    }
    .into_any()
}

/// `of 2 teams`, `of 1 department and 3 teams`.
fn of_units(shift: &Shift) -> String {
    let said: Vec<String> = shift
        .units
        .iter()
        .map(|(kind, number)| match kind {
            UnitKind::Department => count(*number, "department", "departments"),
            UnitKind::Team => count(*number, "team", "teams"),
        })
        .collect();
    said.join(" and ")
}

fn shift_view(links: &Links, shift: &Shift) -> AnyView {
    let key = || text::code(shift.key.as_str());
    let tools = match shift.tools {
        0 => "no tool asks for it at present".to_owned(),
        number => count(number, "tool", "tools"),
    };
    let verb = |number: usize| match (shift.way, number) {
        (Way::Gains, 1) => "gains",
        (Way::Gains, _) => "gain",
        (Way::Loses, 1) => "loses",
        (Way::Loses, _) => "lose",
    };
    let agents = (shift.agents_total > 0).then(|| {
        let number = shift.agents_total;
        let said = format!("{} of {} {} ", count(number, "agent", "agents"), of_units(shift), verb(number));
        let names = names(shift.agents.iter().map(|it| agent_name(links, it)).collect(), number);
        view! {
            <li data-way={if shift.way == Way::Gains { "gains" } else { "loses" }}>
                <p>
                    <strong>{said}</strong>
                    {key()}
                    {format!(" ({tools}).")}
                </p>
                {names}
            </li>
        }
    });
    let people = (shift.people_total > 0).then(|| {
        let number = shift.people_total;
        let said = format!("{} {} ", count(number, "person", "people"), verb(number));
        let names = names(
            shift
                .people
                .iter()
                .map(|(id, name)| view! { <a href=links.user(*id)>{text::name(name)}</a> }.into_any())
                .collect(),
            number,
        );
        view! {
            <li data-way={if shift.way == Way::Gains { "gains" } else { "loses" }}>
                <p>
                    {said} {key()}
                    ": agents that act for them may use it as far as the agents may themselves."
                </p>
                {names}
            </li>
        }
    });
    view! {
        {agents}
        {people}
    }
    .into_any()
}

fn agent_name(links: &Links, agent: &Affected) -> AnyView {
    let acting = (!agent.on_behalf_of.is_empty()).then(|| {
        let people: Vec<String> =
            agent.on_behalf_of.iter().map(|(_, name)| text::one_line(name, 60)).take(3).collect();
        let more = agent.on_behalf_of.len().saturating_sub(people.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        view! { ", acting for " <bdi>{people.join(", ")}</bdi> {more} }
    });
    view! {
        <a href=links.agent(agent.id)>{text::name(&agent.name)}</a>
        " "
        <span class="note">"(" {text::name(&agent.unit_name)} {acting} ")"</span>
    }
    .into_any()
}

/// Names in a list: the first few at once, the others on demand, and how many are not named.
fn names(mut all: Vec<AnyView>, total: usize) -> AnyView {
    let named = all.len();
    let rest = if named > AT_ONCE { all.split_off(AT_ONCE) } else { Vec::new() };
    let unnamed = total.saturating_sub(named);
    let items =
        |views: Vec<AnyView>| views.into_iter().map(|name| view! { <li>{name}</li> }).collect::<Vec<_>>();
    let more = (!rest.is_empty()).then(|| {
        let said = format!("{} more", wording::grouped((total - AT_ONCE) as u64));
        let unnamed = (unnamed > 0).then(|| {
            let number = wording::grouped(unnamed as u64);
            view! { <p class="note">{format!("The first {NAMED} are named; {number} are not.")}</p> }
        });
        view! {
            <details>
                <summary>{said}</summary>
                <ul class="names">{items(rest)}</ul>
                {unnamed}
            </details>
        }
    });
    view! {
        <ul class="names">{items(all)}</ul>
        {more}
    }
    .into_any()
}

/// Calls under way, which run to their end.
fn running(visit: &Visit, calls: &[Running]) -> Option<AnyView> {
    let (links, clock) = (visit.links(), visit.clock());
    (!calls.is_empty()).then(|| {
        let said = match calls.len() {
            1 => "1 call of theirs is running now".to_owned(),
            number => format!("{number} calls of theirs are running now"),
        };
        let rows = calls
            .iter()
            .map(|it| {
                view! {
                    <li>
                        <a href=links.call(it.call)>{text::code(&it.tool)}</a>
                        " by " {text::name(&it.agent_name)} ", since " {when(clock, it.since)}
                    </li>
                }
            })
            .collect::<Vec<_>>();
        view! {
            <section class="grant-part">
                <h2>{said}</h2>
                <p class="note">"They were admitted before and run to their end. The next one is denied."</p>
                <ul class="names">{rows}</ul>
            </section>
        }
        .into_any()
    })
}

/// Every grant that changes.
fn lines(links: &Links, clock: Clock, lines: &[Line]) -> AnyView {
    let rows = lines
        .iter()
        .map(|line| {
            let (sign, word) = match line.effect {
                Effect::Given { .. } => ("add", "Give"),
                Effect::Ends { .. } => ("clock", "Change the end"),
                Effect::Revoked { .. } => ("stop", "Revoke"),
                Effect::GivenAlready => ("check", "Given already"),
                Effect::GoneAlready => ("none", "Gone already"),
            };
            let end = match line.effect {
                Effect::Given { until: end } => until(clock, end),
                Effect::Ends { was, until: end } => {
                    view! { {until(clock, end)} " " <span class="note">"before: " {until(clock, was)}</span> }
                        .into_any()
                }
                Effect::Revoked { was } => {
                    view! { <span class="note">"before: " {until(clock, was)}</span> }.into_any()
                }
                Effect::GivenAlready | Effect::GoneAlready => ().into_any(),
            };
            let tone = match line.effect {
                Effect::Revoked { .. } => "deny",
                Effect::Given { .. } | Effect::Ends { .. } => "permit",
                _ => "quiet",
            };
            view! {
                <tr>
                    <td data-label="What happens">
                        <span class="state" data-tone=tone>
                            <Icon name=sign />
                            {word}
                        </span>
                    </td>
                    <th scope="row" data-label="Key">{text::code(line.key.as_str())}</th>
                    <td data-label="Whose">{whom(links, line.whom.grantee, &line.whom.name)}</td>
                    <td data-label="Ends">{end}</td>
                </tr>
            }
        })
        .collect::<Vec<_>>();
    view! {
        <section class="grant-part">
            <h2>"What is changed"</h2>
            <table class="grants-table grants-list">
                <caption class="visually-hidden">"Each grant of the change"</caption>
                <thead>
                    <tr>
                        <th scope="col">"What happens"</th>
                        <th scope="col">"Key"</th>
                        <th scope="col">"Whose"</th>
                        <th scope="col">"Ends"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </section>
    }
    .into_any()
}

/// The button says what it does.
fn confirm(visit: &Visit, asked: &Asked, preview: &Preview) -> AnyView {
    let links = visit.links();
    let back = if asked.back.is_empty() { links.grants() } else { asked.back.clone() };
    let away = view! {
        <a class="button plain" href=back.clone()>
            "Back, change nothing"
        </a>
    };
    if preview.change.is_empty() {
        return view! { <p class="form-actions">{away}</p> }.into_any();
    }
    let loses = preview.shifts.iter().any(|shift| shift.way == Way::Loses);
    let class = if loses { "button danger" } else { "button primary" };
    let effective = Asked::of(preview.change.clone(), back);
    let fields = effective.fields().into_iter().map(|(name, value)| hidden(name, value)).collect::<Vec<_>>();
    let digest: String = preview.reviewed.digest.iter().map(|byte| format!("{byte:02x}")).collect();
    view! {
        <form method="post" class="confirm" action=links.change_grants()>
            {fields}
            {hidden("epoch", preview.reviewed.epoch.to_string())}
            {hidden("seen", digest)}
            <p class="form-actions">
                <button type="submit" class=class>
                    {said(preview)}
                </button>
                {away}
            </p>
        </form>
    }
    .into_any()
}

/// `Give crm:write to Sales`, `Give 3 and revoke 2`.
fn said(preview: &Preview) -> String {
    let (gives, revokes) = (&preview.change.gives, &preview.change.revokes);
    let effective: Vec<&Line> = preview
        .lines
        .iter()
        .filter(|line| !matches!(line.effect, Effect::GivenAlready | Effect::GoneAlready))
        .collect();
    let name = |line: &Line| plain_name(line.whom.grantee, &line.whom.name);
    match (effective.as_slice(), gives.len(), revokes.len()) {
        ([one], 1, 0) if matches!(one.effect, Effect::Ends { .. }) => {
            format!("Change the end of {} for {}", one.key, name(one))
        }
        ([one], 1, 0) => format!("Give {} to {}", one.key, name(one)),
        ([one], 0, 1) => format!("Revoke {} from {}", one.key, name(one)),
        (_, gives, 0) => format!("Give {}", count(gives, "key", "keys")),
        (_, 0, revokes) => format!("Revoke {}", count(revokes, "key", "keys")),
        (_, gives, revokes) => format!("Give {gives} and revoke {revokes}"),
    }
}
