//! The record of changes: who did what to the set-up, filtered.

use chrono::NaiveDate;
use control::settings::{Event, RecordFilter};
use form_urlencoded::Serializer;
use leptos::prelude::*;
use model::access::Grantee;
use model::crm::Records;
use model::people::Role;
use model::{AgentId, AuditEventId, BundleId, ModuleId, Timestamp, UnitId, Zone};
use serde::Deserialize as _;
use serde_json::Value;

use super::{Part, part};
use crate::document::Visit;
use crate::icon::Icon;
use crate::links::Links;
use crate::pieces::field::{ErrorSummary, Field, FieldError, error_of};
use crate::text;
use crate::wording::{self, Clock};

/// What the address says.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Query {
    /// Part of the name of who did it.
    pub who: Option<String>,
    /// What was done.
    pub what: Option<String>,
    /// Part of the name of what it was done to.
    pub to: Option<String>,
    /// On this day or later, in the reader's zone.
    pub from: Option<NaiveDate>,
    /// On this day or earlier.
    pub until: Option<NaiveDate>,
    /// Older than this act.
    pub before: Option<AuditEventId>,
}

impl Query {
    /// Reads the fields of a query.
    pub fn read<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> (Self, Vec<FieldError>) {
        let (mut query, mut errors) = (Self::default(), Vec::new());
        for (name, value) in fields {
            let value = value.trim();
            if value.is_empty() {
                continue;
            }
            let text = Some(value.to_owned()).filter(|it| it.chars().count() <= 200 && !it.contains('\0'));
            let mut wrong =
                |field: &'static str, sentence: &str| errors.push(FieldError::new(field, sentence));
            match name {
                "who" if text.is_none() => wrong("who", "Search for at most 200 characters."),
                "to" if text.is_none() => wrong("to", "Search for at most 200 characters."),
                "who" => query.who = text,
                "to" => query.to = text,
                "what" if value.len() > 80 || value.contains('\0') => {
                    wrong("what", "Choose one of the acts.")
                }
                "what" => query.what = text,
                "from" => match value.parse() {
                    Ok(day) => query.from = Some(day),
                    Err(_) => wrong("from", "Give a day, such as 2026-09-30."),
                },
                "until" => match value.parse() {
                    Ok(day) => query.until = Some(day),
                    Err(_) => wrong("until", "Give a day, such as 2026-09-30."),
                },
                "before" => query.before = value.parse().ok(),
                _ => {}
            }
        }
        (query, errors)
    }

    /// The query as an address has it.
    pub fn to_query(&self) -> String {
        let mut query = Serializer::new(String::new());
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                query.append_pair(name, &value);
            }
        };
        add("who", self.who.clone());
        add("what", self.what.clone());
        add("to", self.to.clone());
        add("from", self.from.map(|day| day.to_string()));
        add("until", self.until.map(|day| day.to_string()));
        add("before", self.before.map(|id| id.to_string()));
        query.finish()
    }

    /// As control takes it, for a reader in this zone.
    pub fn filter(&self, zone: Zone) -> RecordFilter {
        let until = self.until.and_then(|day| day.succ_opt());
        RecordFilter {
            who: self.who.clone(),
            what: self.what.clone(),
            to: self.to.clone(),
            from: self.from.and_then(|day| midnight(day, zone)),
            until: until.and_then(|day| midnight(day, zone)),
        }
    }

    fn narrows(&self) -> bool {
        Self { before: None, ..self.clone() } != Self::default()
    }
}

/// Names in addresses of what there is, by the ids that acts have.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Known {
    /// Of modules.
    pub modules: Vec<(ModuleId, String)>,
    /// Of bundles.
    pub bundles: Vec<(BundleId, String)>,
}

impl Known {
    fn module(&self, id: &str) -> Option<&str> {
        let id = id.parse().ok()?;
        self.modules.iter().find(|(known, _)| *known == id).map(|(_, name)| name.as_str())
    }

    fn bundle(&self, id: &str) -> Option<&str> {
        let id = id.parse().ok()?;
        self.bundles.iter().find(|(known, _)| *known == id).map(|(_, name)| name.as_str())
    }
}

/// When a day begins in a zone; where clocks are put forward at midnight, an hour later.
fn midnight(day: NaiveDate, zone: Zone) -> Option<Timestamp> {
    let at = |hour| day.and_hms_opt(hour, 0, 0)?.and_local_timezone(zone).earliest();
    Some(at(0).or_else(|| at(1))?.with_timezone(&chrono::Utc))
}

/// The page.
pub fn record(
    visit: &Visit,
    query: &Query,
    errors: Vec<FieldError>,
    actions: Vec<String>,
    events: &[Event],
    more: bool,
    known: &Known,
) -> String {
    part(visit, Part::Record, None, || {
        let (links, clock) = (visit.links(), visit.clock());
        let rows = events.iter().map(|event| row(event, &links, clock, known)).collect::<Vec<_>>();
        let list = if !errors.is_empty() {
            view! { <p class="absent">"Nothing is listed until the filters are right."</p> }.into_any()
        } else if events.is_empty() {
            view! {
                <section class="empty">
                    <h2>"Nothing matches"</h2>
                    <p>"Widen the time, or take a filter away."</p>
                    <p><a class="button" href=links.changes()>"Clear the filters"</a></p>
                </section>
            }
            .into_any()
        } else {
            view! {
                <div class="records-box">
                    <table class="records changes">
                        <caption class="visually-hidden">{format!("Changes, newest first. Times are in {}.", clock.zone_name())}</caption>
                        <thead>
                            <tr>
                                <th scope="col">{format!("When ({})", clock.zone_name())}</th>
                                <th scope="col">"Who"</th>
                                <th scope="col">"What"</th>
                                <th scope="col">"Subject"</th>
                                <th scope="col">"Detail"</th>
                            </tr>
                        </thead>
                        <tbody>{rows}</tbody>
                    </table>
                </div>
            }
            .into_any()
        };
        let older = events.last().filter(|_| more).map(|last| {
            let href = links.changes_with(&Query { before: Some(last.id), ..query.clone() }.to_query());
            view! { <a class="button" href=href rel="next">"Older" <Icon name="next" /></a> }
        });
        let newest = query.before.map(|_| {
            let href = links.changes_with(&Query { before: None, ..query.clone() }.to_query());
            view! { <a class="button" href=href>"Newest"</a> }
        });
        let export = links.export_changes(&Query { before: None, ..query.clone() }.to_query());
        view! {
            <ErrorSummary errors=errors.clone() />
            {filters(&links, query, &errors, &actions, export)}
            {list}
            <nav class="pages" aria-label="Pages of the list">{newest} {older}</nav>
        }
    })
}

fn filters(
    links: &Links,
    query: &Query,
    errors: &[FieldError],
    actions: &[String],
    export: String,
) -> impl IntoView + use<> {
    let text = |name: &'static str, label: &'static str, value: Option<String>| {
        view! {
            <Field name=name label=label error=error_of(errors, name)>
                <input type="search" id=name name=name maxlength="200" autocomplete="off" value=value />
            </Field>
        }
    };
    let day = |name: &'static str, label: &'static str, value: Option<NaiveDate>| {
        view! {
            <Field name=name label=label error=error_of(errors, name)>
                <input type="date" id=name name=name value=value.map(|day| day.to_string()) />
            </Field>
        }
    };
    let mut acts: Vec<(String, &String)> = actions.iter().map(|action| (act(action), action)).collect();
    acts.sort();
    let options = acts
        .into_iter()
        .map(|(words, action)| {
            let selected = query.what.as_ref() == Some(action);
            view! { <option value=action.clone() selected=selected>{words}</option> }
        })
        .collect::<Vec<_>>();
    let clear = query.narrows().then(|| view! { <a class="button plain" href=links.changes()>"Clear"</a> });
    view! {
        <form class="record-filters" method="get" action=links.changes() role="search" aria-label="Filter the record">
            {text("who", "Who", query.who.clone())}
            <Field name="what" label="What" error=error_of(errors, "what")>
                <select id="what" name="what">
                    <option value="">"Anything"</option>
                    {options}
                </select>
            </Field>
            {text("to", "Subject", query.to.clone())}
            {day("from", "From", query.from)}
            {day("until", "Until", query.until)}
            <div class="filter-actions">
                <button type="submit" class="button">"Apply"</button>
                {clear}
                <a class="button plain" href=export download="">"Export CSV"</a>
            </div>
        </form>
    }
}

/// An act as it is said, or as it is recorded where there are no words for it.
fn act(action: &str) -> String {
    wording::deed(action).unwrap_or_else(|| text::one_line(action, 80))
}

fn row(event: &Event, links: &Links, clock: Clock, known: &Known) -> impl IntoView + use<> {
    let who = match (event.actor_kind.as_str(), event.actor_id) {
        ("user", Some(id)) => {
            view! { <a href=links.user(id.into())>{text::name(&event.actor_name)}</a> }.into_any()
        }
        ("agent", Some(id)) => {
            view! { <a href=links.agent(id.into())>{text::name(&event.actor_name)}</a> }.into_any()
        }
        ("operator", _) => view! { {text::name(&event.actor_name)} " (operator)" }.into_any(),
        _ => text::name(&event.actor_name).into_any(),
    };
    let whole = event.detail.to_string();
    let detail = (whole != "{}").then(|| {
        view! {
            <details class="raw">
                <summary>"Show"</summary>
                <pre><code>{text::lines(&serde_json::to_string_pretty(&event.detail).unwrap_or(whole), 10_000)}</code></pre>
            </details>
        }
    });
    view! {
        <tr>
            <th scope="row">
                <time datetime=wording::instant(event.at) title=clock.exact(event.at)>{clock.minute(event.at)}</time>
            </th>
            <td data-label="Who">{who}</td>
            <td data-label="What"><span title=text::one_line(&event.action, 80)>{act(&event.action)}</span></td>
            <td data-label="Subject">{subject(event, links, known)}</td>
            <td data-label="Detail">{detail}</td>
        </tr>
    }
}

/// What it was done to, leading to its page where it has one.
fn subject(event: &Event, links: &Links, known: &Known) -> AnyView {
    let (id, name) = (event.subject_id.as_str(), event.subject_name.as_str());
    match event.subject_kind.as_str() {
        "user" => {
            let person = to(name, id.parse().ok().map(|id| links.user(id)));
            let role = event.detail.get("role").filter(|_| event.action.starts_with("role."));
            let Some(role) = role.and_then(|role| Role::deserialize(role).ok()) else { return person };
            // Which unit is told by its id alone.
            let unit = event.detail.get("unit").and_then(|unit| UnitId::deserialize(unit).ok());
            let place = unit.map(|unit| view! { " on "<a href=links.unit(unit)>"a unit"</a> });
            view! { {person} ": " {wording::role(role)} {place} }.into_any()
        }
        "agent" => to(name, id.parse().ok().map(|id| links.agent(id))),
        "unit" => to(name, id.parse().ok().map(|id| links.unit(id))),
        "module" => to(name, known.module(id).map(|name| links.module(name))),
        "bundle" => to(name, known.bundle(id).map(|name| links.bundle(name))),
        "tool" => match name.split_once('.') {
            Some((module, tool)) => {
                view! { <a href=links.tool(module, tool)>{text::code(name)}</a> }.into_any()
            }
            None => text::code(name).into_any(),
        },
        "call" => match id.parse() {
            Ok(call) => view! { <a href=links.call(call)>{text::code(name)}</a> }.into_any(),
            Err(_) => text::code(name).into_any(),
        },
        "credential" => {
            let agent = match agent_of_key(&event.detail) {
                Some((agent, Some(id))) => to(agent, Some(links.agent(id))),
                Some((agent, None)) => text::name(agent).into_any(),
                None => return text::name(name).into_any(),
            };
            view! { {text::name(name)} " of agent " {agent} }.into_any()
        }
        "grant" => {
            let whom = event.detail.get("grantee").and_then(|whom| Grantee::deserialize(whom).ok());
            let said = name.strip_prefix('`').and_then(|rest| rest.split_once("` for "));
            match (whom, said) {
                (Some(whom), Some((key, said))) => {
                    view! { {text::code(key)} " for " {to(said, Some(links.grantee(whom)))} }.into_any()
                }
                _ => text::prose(name, 240).into_any(),
            }
        }
        kind if !event.action.ends_with(".delete") => {
            let records = Records::ALL.iter().find(|records| records.noun() == kind);
            match records {
                Some(records) => to(name, Some(links.record(*records, id))),
                None => text::prose(name, 240).into_any(),
            }
        }
        _ => text::prose(name, 240).into_any(),
    }
}

fn to(name: &str, href: Option<String>) -> AnyView {
    match href {
        Some(href) => view! { <a href=href>{text::name(name)}</a> }.into_any(),
        None => text::name(name).into_any(),
    }
}

/// Whose key it was: the agent's name then and, as far as it is recorded, its id.
fn agent_of_key(detail: &Value) -> Option<(&str, Option<AgentId>)> {
    match &detail["agent"] {
        Value::String(name) => Some((name, AgentId::deserialize(&detail["agent_id"]).ok())),
        Value::Array(pair) => match pair.as_slice() {
            [id, Value::String(name)] => Some((name, AgentId::deserialize(id).ok())),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_and_end_in_the_zone_of_the_reader() {
        let (query, errors) =
            Query::read([("from", "2026-03-01"), ("until", "2026-03-01"), ("who", " Ada ")].into_iter());
        assert!(errors.is_empty());
        let filter = query.filter("Europe/Berlin".parse().unwrap());
        assert_eq!(filter.from, Some("2026-02-28T23:00:00Z".parse().unwrap()));
        assert_eq!(filter.until, Some("2026-03-01T23:00:00Z".parse().unwrap()));
        assert_eq!(query.to_query(), "who=Ada&from=2026-03-01&until=2026-03-01");
    }

    #[test]
    fn a_key_is_told_with_its_agent_however_it_was_recorded() {
        let agent = AgentId::from(uuid::Uuid::from_u128(7));
        let told = serde_json::json!({ "agent": "Inbox helper", "agent_id": agent });
        assert_eq!(agent_of_key(&told), Some(("Inbox helper", Some(agent))));
        let told = serde_json::json!({ "agent": [agent, "Inbox helper"] });
        assert_eq!(agent_of_key(&told), Some(("Inbox helper", Some(agent))));
        let told = serde_json::json!({ "agent": "Inbox helper", "agent_id": "<b>" });
        assert_eq!(agent_of_key(&told), Some(("Inbox helper", None)));
        assert_eq!(agent_of_key(&serde_json::json!({ "agent": 7 })), None);
    }

    #[test]
    fn what_is_no_filter_is_said() {
        let (query, errors) = Query::read(
            [("from", "x"), ("until", "2026-02-30"), ("who", "a\0"), ("before", "x")].into_iter(),
        );
        assert_eq!((query, errors.len()), (Query::default(), 3));
    }
}
