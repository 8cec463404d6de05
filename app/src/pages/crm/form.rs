//! The forms of a record: making it, changing it, deleting it with the consequence first.

use control::crm::{Consequence, Record};
use leptos::prelude::*;
use model::crm::{Line, Records};

use super::kinds::{Input, fields, label};
use crate::document::{self, Crumb, Visit};
use crate::links::Place;
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
        crumbs,
        form,
        names,
        links.new_record(records),
        links.records(records),
        "Add",
    )
}

/// The page that changes a record.
pub fn edit(visit: &Visit, records: Records, id: &str, name: &str, form: Form, names: Vec<String>) -> String {
    let links = visit.links();
    let here = links.record(records, id);
    let crumbs = vec![
        Crumb::to("CRM", links.crm()),
        Crumb::to(label(records), links.records(records)),
        Crumb::to(name, here.clone()),
        Crumb::here("Edit"),
    ];
    let title = format!("Edit {}", text::one_line(name, 60));
    page(visit, records, &title, crumbs, form, names, links.edit_record(records, id), here, "Save")
}

#[expect(clippy::too_many_arguments, reason = "the two pages above differ in exactly these")]
fn page(
    visit: &Visit,
    records: Records,
    title: &str,
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
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            <PageHead title=text::one_line(title, 80).into_any() />
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
            let said = format!("The name of a {} that is here.", of.noun());
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
pub fn remove(visit: &Visit, records: Records, id: &str, consequence: &Consequence) -> String {
    let links = visit.links();
    let (name, here) = (text::one_line(&consequence.name, 80), links.record(records, id));
    let crumbs = vec![
        Crumb::to("CRM", links.crm()),
        Crumb::to(label(records), links.records(records)),
        Crumb::to(consequence.name.clone(), here.clone()),
        Crumb::here("Delete"),
    ];
    let number = |count: u64, noun: &str| {
        format!("{} {noun}{}", wording::grouped(count), if count == 1 { "" } else { "s" })
    };
    let Consequence { contacts, deals, interactions, .. } = *consequence;
    document::page(visit, Place::Crm, &format!("Delete {name}"), crumbs, false, || {
        let body = if consequence.hinders() {
            view! {
                <p>
                    {format!("It has {} and {}, and stays while there are any.", number(contacts, "contact"), number(deals, "deal"))}
                </p>
                <p>"Delete the deals first; delete the contacts or move them to another company."</p>
                <p><a class="button" href=here.clone()>"Back"</a></p>
            }
            .into_any()
        } else {
            let with = if interactions > 0 {
                format!(
                    "It is deleted with {} and cannot be brought back.",
                    number(interactions, "interaction")
                )
            } else {
                "It is deleted and cannot be brought back.".to_owned()
            };
            view! {
                <p>{with}</p>
                <form method="post" action=links.delete_record(records, id) class="form-actions">
                    <button type="submit" class="button danger">{format!("Delete the {}", records.noun())}</button>
                    <a class="button plain" href=here.clone()>"Cancel"</a>
                </form>
            }
            .into_any()
        };
        view! {
            <PageHead title=view! { "Delete " {text::name(&consequence.name)} }.into_any() />
            <section class="sheet">{body}</section>
        }
    })
}
