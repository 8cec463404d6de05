//! Activity's filters: a plain form that writes the URL. What has no field of its own is carried along and said as a
//! chip, which can be taken away.

use control::activity::Names;
use leptos::prelude::*;
use model::call::{Outcome, Verdict};
use model::{AgentId, ModuleId, UnitId, Zone};

use crate::links::Links;
use crate::pages::filter::{self, ActivityQuery, Cursor, Span};
use crate::pieces::field::{Field, FieldError, error_of};
use crate::{text, wording};

/// What the form needs to know.
pub(super) struct Filters {
    pub(super) links: Links,
    pub(super) query: ActivityQuery,
    pub(super) errors: Vec<FieldError>,
    pub(super) agents: Vec<(AgentId, String)>,
    pub(super) modules: Vec<(ModuleId, String)>,
    pub(super) units: Vec<(UnitId, String)>,
    pub(super) names: Names,
    /// What was typed to name a person.
    pub(super) who: String,
    /// Whether the reader may see people.
    pub(super) people: bool,
    pub(super) zone: Zone,
    /// As it is said beside a time: `CET`.
    pub(super) zone_name: String,
}

impl Filters {
    pub(super) fn view(self) -> impl IntoView {
        let chips = self.chips().map(IntoAny::into_any);
        let carried = self.carried();
        let Self { links, query, errors, agents, modules, units, names, who, people, zone, zone_name } = self;
        let spans = Span::ALL.iter().map(|span| (span.word().to_owned(), span.label().to_owned()));
        let verdicts =
            Verdict::ALL.iter().map(|it| (it.word().to_owned(), wording::verdict(*it).word.to_owned()));
        let outcomes =
            Outcome::ALL.iter().map(|it| (it.word().to_owned(), wording::outcome(*it).word.to_owned()));
        let named = names.person.filter(|_| query.person.is_some());
        let unknown = "An agent that you cannot see".to_owned();
        let agents = with_chosen(agents, query.agent, &names.agent.unwrap_or(unknown));
        let modules = with_chosen(modules, query.module, "A module that you cannot see");
        let error = |field: &str| error_of(&errors, field);
        let described = |field: &str| error(field).map(|_| format!("{field}-error"));
        let clear = query.filters().then(|| links.activity());
        let untimed = ActivityQuery { span: Span::All, from: None, to: None, ..query.clone() };
        let open = untimed.filters() || !errors.is_empty();
        let zoned = |label: &str| format!("{label} ({zone_name})");
        let local = |at: Option<model::Timestamp>| at.map(|at| filter::local(at, zone));
        let (from, to, tool, contains) =
            (local(query.from), local(query.to), query.tool.clone(), query.text.clone());
        let (from_described, to_described) = (described("from"), described("to"));
        let (tool_described, text_described) = (described("tool"), described("text"));
        let unit = people.then(|| {
            let unknown = names.unit.unwrap_or_else(|| "A unit that you cannot see".to_owned());
            let units = with_chosen(units, query.unit, &unknown);
            view! {
                <Field name="unit" label="Unit and below" error=error("unit")>
                    {select("unit", Some("Any unit"), units.into_iter(), query.unit.map(|id| id.to_string()))}
                </Field>
            }
            .into_any()
        });
        let who = people.then(|| {
            // Whose calls these are stands there as if it had been typed.
            let who = if who.is_empty() { named.unwrap_or_default() } else { who };
            let (typed, who_described) = (text::one_line(&who, 120), described("who"));
            view! {
                <Field name="who" label="Person" error=error("who")>
                    <input
                        type="search"
                        id="who"
                        name="who"
                        maxlength="120"
                        autocomplete="off"
                        spellcheck="false"
                        placeholder="Name or mail"
                        value=typed
                        aria-describedby=who_described
                    />
                </Field>
            }
            .into_any()
        });
        // Erased, since the type of the whole would be too long for the compiler.
        let times = view! {
                <Field name="span" label="Time" error=error("span")>
                    {select("span", None, spans, Some(query.span.word().to_owned()))}
                </Field>
                <Field name="from" label=zoned("From") error=error("from")>
                    <input
                        type="datetime-local"
                        id="from"
                        name="from"
                        value=from
                        aria-describedby=from_described
                    />
                </Field>
                <Field name="to" label=zoned("To") error=error("to")>
                    <input
                        type="datetime-local"
                        id="to"
                        name="to"
                        value=to
                        aria-describedby=to_described
                    />
                </Field>
        }
        .into_any();
        let what = view! {
                {unit}
                {who}
                <Field name="agent" label="Agent" error=error("agent")>
                    {select("agent", Some("Any agent"), agents.into_iter(), query.agent.map(|id| id.to_string()))}
                </Field>
                <Field name="module" label="Module" error=error("module")>
                    {select("module", Some("Any module"), modules.into_iter(), query.module.map(|id| id.to_string()))}
                </Field>
                <Field name="tool" label="Tool contains" error=error("tool")>
                    <input
                        type="search"
                        id="tool"
                        name="tool"
                        maxlength="100"
                        autocomplete="off"
                        spellcheck="false"
                        value=tool
                        aria-describedby=tool_described
                    />
                </Field>
        }
        .into_any();
        let how = view! {
                <Field name="verdict" label="Decision" error=error("verdict")>
                    {select("verdict", Some("Any decision"), verdicts, query.verdict.map(|it| it.to_string()))}
                </Field>
                <Field name="outcome" label="Outcome" error=error("outcome")>
                    {select("outcome", Some("Any outcome"), outcomes, query.outcome.map(|it| it.to_string()))}
                </Field>
                <Field name="text" label="Text" error=error("text")>
                    <input
                        type="search"
                        id="text"
                        name="text"
                        maxlength="100"
                        autocomplete="off"
                        spellcheck="false"
                        placeholder="Client, reason"
                        value=contains
                        aria-describedby=text_described
                    />
                </Field>
        }
        .into_any();
        view! {
            <form class="filters" method="get" action=links.activity() role="search" aria-label="Filter the calls">
                {times}
                <details class="more-filters" open=open>
                    <summary>"More filters"</summary>
                    {what}
                    {how}
                </details>
                {carried}
                <div class="filter-actions">
                    <button type="submit" class="button">
                        "Apply"
                    </button>
                    {clear.map(|href| view! { <a class="button plain" href=href>"Clear"</a> })}
                </div>
            </form>
            {chips}
        }
    }

    /// What has no field: carried along when the others change.
    fn carried(&self) -> Vec<AnyView> {
        let query = &self.query;
        let mut carried = vec![
            ("team", query.team.map(|id| id.to_string())),
            ("department", query.department.map(|id| id.to_string())),
            ("person", query.person.map(|id| id.to_string())),
            ("charged", query.charged.map(|id| id.to_string())),
            ("tool_id", query.tool_id.map(|id| id.to_string())),
            ("session", query.session.clone()),
        ];
        if !self.people {
            carried.push(("unit", query.unit.map(|id| id.to_string())));
        }
        carried
            .into_iter()
            .filter_map(|(name, value)| {
                Some(view! { <input type="hidden" name=name value=value? /> }.into_any())
            })
            .collect()
    }

    /// The same, said, each with a way to be rid of it.
    fn chips(&self) -> Option<impl IntoView + use<>> {
        let (query, names) = (&self.query, &self.names);
        let unknown = || "one that you cannot see".to_owned();
        let here = query.at(Cursor::Newest);
        let mut chips: Vec<(&'static str, String, ActivityQuery)> = Vec::new();
        let named = |name: &Option<String>| name.clone().unwrap_or_else(unknown);
        if query.person.is_some() {
            chips.push(("Person", named(&names.person), ActivityQuery { person: None, ..here.clone() }));
        }
        if query.charged.is_some() {
            chips.push((
                "Counts for",
                named(&names.charged),
                ActivityQuery { charged: None, ..here.clone() },
            ));
        }
        if query.team.is_some() {
            chips.push(("Directly in", named(&names.team), ActivityQuery { team: None, ..here.clone() }));
        }
        if query.department.is_some() {
            let without = ActivityQuery { department: None, ..here.clone() };
            chips.push(("Department", named(&names.department), without));
        }
        if query.unit.is_some() && !self.people {
            chips.push(("Unit", unknown(), ActivityQuery { unit: None, ..here.clone() }));
        }
        if query.tool_id.is_some() {
            chips.push(("Tool", named(&names.tool), ActivityQuery { tool_id: None, ..here.clone() }));
        }
        if let Some(session) = &query.session {
            let short = text::one_line(session, 13);
            chips.push(("Session", short, ActivityQuery { session: None, ..here.clone() }));
        }
        let links = &self.links;
        let chips = chips
            .into_iter()
            .map(|(what, name, without)| {
                let label = format!("Without {what}: {}", text::one_line(&name, 80));
                view! {
                    <li class="chip">
                        <span>{what} ": " {text::name(&name)}</span>
                        <a href=links.activity_with(&without.to_query()) aria-label=label>
                            "×"
                        </a>
                    </li>
                }
            })
            .collect::<Vec<_>>();
        (!chips.is_empty()).then(|| view! { <ul class="chips" aria-label="Also filtered by">{chips}</ul> })
    }
}

/// Choices as texts; what is chosen is among them even when it is not to be had.
fn with_chosen<I: Copy + PartialEq + std::fmt::Display>(
    mut choices: Vec<(I, String)>,
    chosen: Option<I>,
    unknown: &str,
) -> Vec<(String, String)> {
    if let Some(id) = chosen.filter(|id| choices.iter().all(|(known, _)| known != id)) {
        choices.push((id, unknown.to_owned()));
    }
    choices.into_iter().map(|(id, label)| (id.to_string(), label)).collect()
}

fn select(
    name: &'static str,
    any: Option<&'static str>,
    choices: impl Iterator<Item = (String, String)>,
    chosen: Option<String>,
) -> AnyView {
    let options = choices
        .map(|(value, label)| {
            let selected = chosen.as_ref() == Some(&value);
            view! { <option value=value selected=selected>{text::one_line(&label, 80)}</option> }
        })
        .collect::<Vec<_>>();
    view! {
        <select id=name name=name>
            {any.map(|any| view! { <option value="">{any}</option> })}
            {options}
        </select>
    }
    .into_any()
}
