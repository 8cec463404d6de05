//! The forms of a record: making it, changing it, deleting it with the consequence first.

use control::crm::{Consequence, Record};
use leptos::prelude::*;
use model::CompanyId;
use model::crm::{Line, Records};
use uuid::Uuid;

use super::Query;
use super::kinds::{Input, Kind, fields, label};
use crate::document::{self, Crumb, Visit};
use crate::links::{Links, Place};
use crate::pieces::field::{ErrorSummary, Field, FieldError, error_of};
use crate::pieces::form::{Form, SelectField, TextArea, TextField, hidden};
use crate::pieces::head::PageHead;
use crate::{text, wording};

/// A form that begins with what is there.
pub fn begin<R: Record>(line: &Line<R>) -> Form {
    let mut form = Form::default();
    for field in R::FIELDS {
        // A time as the control for one takes it.
        let value = if *field == "at" {
            line.record.get(field).chars().take(19).collect()
        } else {
            line.record.get(field)
        };
        form = form.with(field, value);
    }
    if let Some((_, name)) = &line.company {
        form = form.with("company", name.clone());
    }
    if let Some((_, name)) = &line.contact {
        form = form.with("contact", name.clone());
    }
    form
}

/// The page for a new record. `names` are suggestions for what it belongs to.
pub fn new(visit: &Visit, records: Records, form: Form, names: Vec<String>) -> String {
    let links = visit.links();
    let title = format!("New {}", records.noun());
    let crumbs = vec![
        Crumb::to("CRM", links.crm()),
        Crumb::to(label(records), links.records(records)),
        Crumb::here(title.clone()),
    ];
    page(
        visit,
        records,
        &title,
        None,
        crumbs,
        form,
        names,
        links.new_record(records),
        links.records(records),
        "Add",
    )
}

/// The page that changes a record.
pub fn edit<R: Kind>(visit: &Visit, line: &Line<R>, form: Form, names: Vec<String>) -> String {
    let (links, records) = (visit.links(), R::RECORDS);
    let (id, name) = (R::Id::from(line.id).to_string(), line.record.name());
    let here = links.record(records, &id);
    let crumbs = vec![
        Crumb::to("CRM", links.crm()),
        Crumb::to(label(records), links.records(records)),
        Crumb::to(name.clone(), here.clone()),
        Crumb::here("Edit"),
    ];
    // What was said is no name: with whom it was and when says better which one it is.
    let (title, lead) = match records {
        Records::Interactions => ("Edit interaction".to_owned(), R::told_by(line, &links, visit.clock())),
        _ => (format!("Edit {}", text::one_line(&name, 60)), None),
    };
    page(visit, records, &title, lead, crumbs, form, names, links.edit_record(records, &id), here, "Save")
}

#[expect(clippy::too_many_arguments, reason = "the two pages above differ in exactly these")]
fn page(
    visit: &Visit,
    records: Records,
    title: &str,
    lead: Option<AnyView>,
    crumbs: Vec<Crumb>,
    form: Form,
    names: Vec<String>,
    action: String,
    back: String,
    submit: &'static str,
) -> String {
    let form = named_in_place(form);
    document::page(visit, Place::Crm, &form.title(title), crumbs, false, || {
        let fields = fields(records).into_iter().map(|field| input(&form, field, &names)).collect::<Vec<_>>();
        let title = text::one_line(title, 80).into_any();
        let head = match lead {
            Some(lead) => view! { <PageHead title=title lead=lead /> }.into_any(),
            None => view! { <PageHead title=title /> }.into_any(),
        };
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            {head}
            <form class="sheet" method="post" action=action>
                {fields}
                <div class="form-actions">
                    <button type="submit" class="button primary">{submit}</button>
                    <a class="button plain" href=back>"Cancel"</a>
                </div>
            </form>
        }
    })
}

/// Errors of a hidden id are those of the name that stands for it.
fn named_in_place(form: Form) -> Form {
    let renamed: Vec<FieldError> = form
        .errors()
        .iter()
        .filter_map(|error| match error.field.as_ref() {
            "company_id" => Some(FieldError::new("company", error.sentence.clone())),
            "contact_id" => Some(FieldError::new("contact", error.sentence.clone())),
            _ => None,
        })
        .collect();
    if renamed.is_empty() { form } else { form.only(renamed) }
}

fn input(form: &Form, field: super::kinds::Typed, names: &[String]) -> AnyView {
    let super::kinds::Typed { name, label, input, required, hint } = field;
    let hint = hint.unwrap_or_default();
    match input {
        Input::Line(kind, longest) => {
            if hint.is_empty() {
                view! { <TextField form=form.clone() name=name label=label kind=kind longest=longest required=required /> }
                    .into_any()
            } else {
                view! {
                    <TextField form=form.clone() name=name label=label kind=kind longest=longest required=required hint=hint />
                }
                .into_any()
            }
        }
        Input::Lines(longest) => {
            view! { <TextArea form=form.clone() name=name label=label longest=longest required=required /> }
                .into_any()
        }
        Input::Choice(options, none) => {
            let options =
                options.iter().map(|(value, label)| ((*value).to_owned(), (*label).to_owned())).collect();
            match none {
                Some(none) => {
                    view! { <SelectField form=form.clone() name=name label=label options=options none=none /> }.into_any()
                }
                None => view! { <SelectField form=form.clone() name=name label=label options=options /> }.into_any(),
            }
        }
        Input::Named(of, id) => {
            let list = format!("{name}-names");
            let options = names
                .iter()
                .map(|name| view! { <option value=text::one_line(name, 200)></option> })
                .collect::<Vec<_>>();
            let label = if required { label.to_owned() } else { format!("{label} (optional)") };
            let said = format!("An existing {}.", of.noun());
            let error = error_of(form.errors(), name);
            let described = match error {
                Some(_) => format!("{name}-error {name}-hint"),
                None => format!("{name}-hint"),
            };
            let invalid = error.is_some().then_some("true");
            let value = text::lines(form.value(name), 400);
            let meant = hidden(id, form.value(id).to_owned());
            view! {
                <Field name=name label=label error=error>
                    <p class="hint" id=format!("{name}-hint")>{said}</p>
                    <input
                        type="text"
                        id=name
                        name=name
                        value=value
                        maxlength="200"
                        autocomplete="off"
                        list=list.clone()
                        aria-describedby=described
                        aria-invalid=invalid
                        required=required
                    />
                    <datalist id=list>{options}</datalist>
                </Field>
                {meant}
            }
            .into_any()
        }
    }
}

/// What deleting would mean, and the button that does it.
pub fn remove<R: Kind>(visit: &Visit, line: &Line<R>, consequence: &Consequence) -> String {
    let (links, records) = (visit.links(), R::RECORDS);
    let id = R::Id::from(line.id).to_string();
    let here = links.record(records, &id);
    let crumbs = vec![
        Crumb::to("CRM", links.crm()),
        Crumb::to(label(records), links.records(records)),
        Crumb::to(consequence.name.clone(), here.clone()),
        Crumb::here("Delete"),
    ];
    let name = || text::name(&consequence.name);
    let titled = match records {
        Records::Companies | Records::Contacts => text::one_line(&consequence.name, 80),
        Records::Deals | Records::Interactions => format!("this {}", records.noun()),
    };
    document::page(visit, Place::Crm, &format!("Delete {titled}"), crumbs, false, || {
        if consequence.hinders() {
            return view! {
                <PageHead title=view! { {name()} " cannot be deleted yet" }.into_any() />
                <section class="sheet">{hindered(&links, line.id, consequence)} <p><a class="button" href=here>"Back"</a></p></section>
            }
            .into_any();
        }
        let (title, what) = match records {
            Records::Companies | Records::Contacts => {
                (view! { "Delete " {name()} "?" }.into_any(), name().into_any())
            }
            Records::Deals | Records::Interactions => {
                let noun = records.noun();
                (format!("Delete this {noun}?").into_any(), format!("The {noun}").into_any())
            }
        };
        let meant = match consequence.interactions {
            0 => " is deleted. This cannot be undone.".to_owned(),
            some => {
                format!(" and {} are deleted. This cannot be undone.", counted(some, Records::Interactions))
            }
        };
        let head = match R::told_by(line, &links, visit.clock()) {
            Some(lead) => view! { <PageHead title=title lead=lead /> }.into_any(),
            None => view! { <PageHead title=title /> }.into_any(),
        };
        view! {
            {head}
            <section class="sheet">
                <p class="consequence" data-tone="deny">{what} {meant}</p>
                <form method="post" action=links.delete_record(records, &id) class="form-actions">
                    <button type="submit" class="button danger">{format!("Delete the {}", records.noun())}</button>
                    <a class="button plain" href=here>"Cancel"</a>
                </form>
            </section>
        }
        .into_any()
    })
}

/// Why a company stays: what belongs to it, each with the way to it.
fn hindered(links: &Links, company: Uuid, consequence: &Consequence) -> impl IntoView + use<> {
    let of = Query { company: Some(CompanyId::from(company)), ..Query::default() }.to_query();
    let list = |count: u64, records: Records| {
        let href = links.records_with(records, &of);
        (count > 0).then(|| view! { <a href=href>{counted(count, records)}</a> })
    };
    let both = (consequence.contacts > 0 && consequence.deals > 0).then_some(" and ");
    let first = match (consequence.contacts, consequence.deals) {
        (0, _) => "Delete the deals first.",
        (_, 0) => "Delete the contacts first, or move them to another company.",
        _ => "Delete the deals first; delete the contacts or move them to another company.",
    };
    view! {
        <p class="consequence">
            "It has " {list(consequence.contacts, Records::Contacts)} {both} {list(consequence.deals, Records::Deals)} "."
        </p>
        <p>{first}</p>
    }
}

fn counted(count: u64, records: Records) -> String {
    match count {
        1 => format!("1 {}", records.noun()),
        _ => format!("{} {records}", wording::grouped(count)),
    }
}
