//! Making an agent.

use leptos::prelude::*;

use crate::document::{self, Crumb, Visit};
use crate::links::Place;
use crate::pieces::field::ErrorSummary;
use crate::pieces::form::{Form, SelectField, TextField};
use crate::pieces::head::PageHead;

/// The form. `units` are the units to choose from: id and path.
pub fn page(visit: &Visit, units: Vec<(String, String)>, form: &Form) -> String {
    let links = visit.links();
    let crumbs = super::crumbs(&links, Crumb::here("New agent"));
    document::page(visit, Place::People, &form.title("New agent"), crumbs, false, || {
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            <PageHead
                title="New agent".into_any()
                lead="It can do nothing until it has a key, and a permission key that is given to it or to a unit it is in."
                    .into_any()
            />
            <form class="sheet" method="post" action=links.new_agent()>
                <TextField
                    form=form.clone()
                    name="name"
                    label="Name"
                    hint="What people read in Activity and in denials. No other agent has it."
                />
                <SelectField
                    form=form.clone()
                    name="unit"
                    label="Unit"
                    options=units
                    hint="What is given to this unit, or to one above it, the agent has too. Its calls are charged to it."
                />
                <TextField
                    form=form.clone()
                    name="owner"
                    label="Mail address of its owner"
                    kind="email"
                    longest=254
                    hint="The person who answers for it. While they are suspended, so is the agent."
                />
                <div class="form-actions">
                    <button type="submit" class="button primary">"Make the agent"</button>
                    <a class="button plain" href=links.people()>"Cancel"</a>
                </div>
            </form>
        }
    })
}
