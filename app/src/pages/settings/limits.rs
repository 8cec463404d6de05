//! Limits on calls: all of them with their use, setting, changing and taking one away.

use control::authority::Deed;
use control::limits::{Choices, LimitRow};
use leptos::prelude::*;
use model::limit::{Allowance, OfWhat, Per, Whose};

use super::{Part, part};
use crate::document::{self, Crumb, Visit};
use crate::icon::Icon;
use crate::links::{Links, Place};
use crate::pieces::call_row::Moment;
use crate::pieces::field::ErrorSummary;
use crate::pieces::form::{Form, Radios, SelectField, TextField};
use crate::pieces::head::PageHead;
use crate::pieces::limits;
use crate::text;

/// All limits.
pub fn list(visit: &Visit, rows: &[LimitRow]) -> String {
    part(visit, Part::Limits, None, || {
        let links = visit.links();
        let may = visit.may(Deed::ChangeLimits);
        let set = may.then(|| {
            view! {
                <p>
                    <a class="button primary" href=links.new_limit()>
                        <Icon name="add" />
                        "Set a limit"
                    </a>
                </p>
            }
        });
        if rows.is_empty() {
            return view! {
                <section class="empty">
                    <h2>"Nothing is limited yet"</h2>
                    <p>
                        "A limit says how many calls are let through in a second, a minute, an hour, a day or a month: of all agents,
                        of a unit, of one agent; of everything, of a module, of one tool. What is over it is refused before it reaches
                        anything, and the agent is told when to try again. A first one that rarely hurts: 600 calls a minute for each
                        agent."
                    </p>
                    {set}
                </section>
            }
            .into_any();
        }
        let lines = rows.iter().map(|row| line(visit, &links, row, may)).collect::<Vec<_>>();
        view! {
            {set}
            <div class="cat-cards">
                <table class="catalog-table">
                    <caption class="visually-hidden">"Limits, the wider ones first."</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Whose calls"</th>
                            <th scope="col">"Of"</th>
                            <th scope="col">"Limit"</th>
                            <th scope="col">"Used"</th>
                            <th scope="col">"Set"</th>
                        </tr>
                    </thead>
                    <tbody>{lines}</tbody>
                </table>
            </div>
        }
        .into_any()
    })
}

fn line(visit: &Visit, links: &Links, row: &LimitRow, may: bool) -> AnyView {
    let said = limits::allowance(row.allowance);
    let said =
        if may { view! { <a href=links.limit(row.id)>{said}</a> }.into_any() } else { said.into_any() };
    let of = match &row.what {
        None => "all tools".into_any(),
        Some((module, title, None)) => {
            view! { <a href=links.module(module)>{text::name(title)}</a> }.into_any()
        }
        Some((module, _, Some(tool))) => view! {
            <a href=links.tool(module, tool)>{text::code(&format!("{module}.{tool}"))}</a>
        }
        .into_any(),
    };
    let whose = limits::whose(row);
    let whose = match row.scope.whose {
        Whose::Everybody => whose.into_any(),
        Whose::Unit(unit) => view! { <a href=links.unit(unit)>{whose}</a> }.into_any(),
        Whose::Agent(agent) => view! { <a href=links.agent(agent)>{whose}</a> }.into_any(),
    };
    let most = row.used_by.as_ref().map(|(agent, name)| {
        view! { <span class="cat-under">"most by " <a href=links.agent(*agent)>{text::name(name)}</a></span> }
    });
    view! {
        <tr>
            <th scope="row" class="catalog-name">{whose}</th>
            <td data-label="Of">{of}</td>
            <td data-label="Limit">{said}</td>
            <td data-label="Used"><span>{limits::used(row)} {most}</span></td>
            <td data-label="Set">
                <span>
                    <Moment at=row.set_at clock=visit.clock() />
                    " by "
                    {text::name(&row.set_by)}
                </span>
            </td>
        </tr>
    }
    .into_any()
}

fn crumbs(links: &Links, here: &str) -> Vec<Crumb> {
    vec![
        Crumb::to("Settings", links.settings()),
        Crumb::to("Limits", links.limits()),
        Crumb::here(here.to_owned()),
    ]
}

/// Where one is set. Agents and tools are many: those are named by the pages that lead here.
pub fn new(visit: &Visit, choices: &Choices, form: &Form) -> String {
    let links = visit.links();
    document::page(
        visit,
        Place::Settings,
        &form.title("Set a limit"),
        crumbs(&links, "Set a limit"),
        false,
        || {
            let mut whose = vec![("everybody".to_owned(), "Every agent of the organization".to_owned())];
            let agent = choices.agent.as_ref();
            whose.extend(
                agent.map(|(id, name)| (id.to_string(), format!("Agent {}", text::one_line(name, 100)))),
            );
            whose
                .extend(choices.units.iter().map(|(id, path)| (id.to_string(), format!("Agents of {path}"))));
            let mut what = vec![("everything".to_owned(), "All tools".to_owned())];
            what.extend(choices.tool.as_ref().map(|(id, name)| (id.to_string(), text::one_line(name, 160))));
            what.extend(
                choices
                    .modules
                    .iter()
                    .map(|(id, title)| (id.to_string(), format!("All of {}", text::one_line(title, 100)))),
            );
            view! {
                <ErrorSummary errors=form.errors().to_vec() />
                <PageHead
                    title="Set a limit".into_any()
                    lead="What is over it is refused before it reaches anything; the agent is told when to try again.".into_any()
                />
                <form class="sheet" method="post" action=links.new_limit() novalidate>
                    <SelectField
                        form=form.clone()
                        name="whose"
                        label="Whose calls count"
                        options=whose
                        hint="For one agent, begin on the agent’s page."
                    />
                    <SelectField
                        form=form.clone()
                        name="what"
                        label="Calls of what"
                        options=what
                        hint="For one tool, begin on the tool’s page."
                    />
                    {each_agent(form)}
                    {numbers(form)}
                    <div class="form-actions">
                        <button type="submit" class="button primary">"Set it"</button>
                        <a class="button plain" href=links.limits()>"Cancel"</a>
                    </div>
                </form>
            }
        },
    )
}

fn each_agent(form: &Form) -> AnyView {
    let option =
        |value: &str, label: &str, hint: &str| (value.to_owned(), label.to_owned(), Some(hint.to_owned()));
    let options = vec![
        option("no", "Together", "All agents that it counts share the calls."),
        option("yes", "Each agent for itself", "Each of them has all of the calls."),
    ];
    view! { <Radios form=form.clone() name="each_agent" legend="How they count" options=options /> }
        .into_any()
}

/// How many calls, in which time, how many at once.
fn numbers(form: &Form) -> AnyView {
    let per = |per: Per, label: &str| (per.word().to_owned(), label.to_owned());
    let times = vec![
        per(Per::Second, "a second"),
        per(Per::Minute, "a minute"),
        per(Per::Hour, "an hour"),
        per(Per::Day, "a calendar day"),
        per(Per::Month, "a calendar month"),
    ];
    view! {
        <TextField form=form.clone() name="calls" label="Calls" longest=13 hint="A whole number, such as 600." />
        <SelectField
            form=form.clone()
            name="per"
            label="In"
            options=times
            hint="Days and months begin at midnight in the time zone of the organization. Up to an hour, calls are given back little by little."
        />
        <TextField
            form=form.clone()
            name="burst"
            label="At once"
            longest=13
            required=false
            hint="How many of a second’s, a minute’s or an hour’s calls may come at once. Without a number: all."
        />
    }
    .into_any()
}

/// What is in the form of a limit at first.
pub fn begin(Allowance { calls, per, burst }: Allowance) -> Form {
    let burst = if burst < calls { burst.to_string() } else { String::new() };
    Form::default().with("calls", calls.to_string()).with("per", per.word()).with("burst", burst)
}

/// What is in the form of a new limit at first.
pub fn begin_new(whose: Whose, what: OfWhat) -> Form {
    let whose = match whose {
        Whose::Everybody => "everybody".to_owned(),
        Whose::Unit(unit) => unit.to_string(),
        Whose::Agent(agent) => agent.to_string(),
    };
    let what = match what {
        OfWhat::Everything => "everything".to_owned(),
        OfWhat::Module(module) => module.to_string(),
        OfWhat::Tool(tool) => tool.to_string(),
    };
    Form::default()
        .with("whose", whose)
        .with("what", what)
        .with("each_agent", "no")
        .with("per", Per::Minute.word())
}

/// Where one is changed.
pub fn change(visit: &Visit, row: &LimitRow, form: &Form) -> String {
    let links = visit.links();
    document::page(
        visit,
        Place::Settings,
        &form.title("Change a limit"),
        crumbs(&links, "Change"),
        false,
        || {
            let (take_away, save, back) = (links.remove_limit(row.id), links.limit(row.id), links.limits());
            let lead =
                format!("{}, calls of {}: {}.", limits::whose(row), limits::what(row), limits::used(row));
            view! {
                <ErrorSummary errors=form.errors().to_vec() />
                <PageHead title="Change a limit".into_any() lead=lead.into_any()>
                    <a class="button" href=take_away>"Take it away"</a>
                </PageHead>
                <form class="sheet" method="post" action=save novalidate>
                    {numbers(form)}
                    <p class="note">"It holds from the next call on. What is used of it stays used."</p>
                    <div class="form-actions">
                        <button type="submit" class="button primary">"Save"</button>
                        <a class="button plain" href=back>"Cancel"</a>
                    </div>
                </form>
            }
        },
    )
}

/// Before it is taken away.
pub fn remove(visit: &Visit, row: &LimitRow) -> String {
    let links = visit.links();
    document::page(visit, Place::Settings, "Take a limit away", crumbs(&links, "Take away"), false, || {
        let said = format!(
            "{} may then make any number of calls of {}, as far as no other limit counts them. Now: {}, {}.",
            limits::whose(row),
            limits::what(row),
            limits::allowance(row.allowance),
            limits::used(row),
        );
        let (take_away, back) = (links.remove_limit(row.id), links.limits());
        view! {
            <PageHead title="Take this limit away?".into_any() />
            <div class="sheet">
                <p class="consequence" data-tone="deny">{said}</p>
                <form method="post" action=take_away class="form-actions">
                    <button type="submit" class="button danger">"Take it away"</button>
                    <a class="button plain" href=back>"Cancel"</a>
                </form>
            </div>
        }
    })
}
