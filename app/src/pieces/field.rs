//! Form fields with their label, hint and error, and the summary of errors above a form.

use leptos::prelude::*;

use crate::icon::Icon;

/// What is wrong with one field. The sentence says what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FieldError {
    /// Name of the field.
    pub field: &'static str,
    /// What is wrong with it and what would be right.
    pub sentence: String,
}

/// The error of a field, if it has one.
pub fn error_of(errors: &[FieldError], field: &str) -> Option<String> {
    errors.iter().find(|error| error.field == field).map(|error| error.sentence.clone())
}

/// A label, a control and, where there is one, an error between them. The control has the id `name` and, with an
/// error, names `name-error` as its description.
#[component]
pub fn Field(
    /// Name and id of the control.
    name: &'static str,
    /// Its label.
    label: &'static str,
    /// What is wrong with it.
    error: Option<String>,
    /// The control.
    children: Children,
) -> impl IntoView {
    let wrong = error.is_some().then_some("");
    let error = error.map(|sentence| {
        view! {
            <p class="field-error" id=format!("{name}-error")>
                <Icon name="alert" />
                {sentence}
            </p>
        }
    });
    view! {
        <div class="field" data-field=name data-wrong=wrong>
            <label for=name>{label}</label>
            {error}
            {children()}
        </div>
    }
}

/// All errors of a form, each linked to its field. Nothing where there are none.
#[component]
pub fn ErrorSummary(
    /// The errors.
    errors: Vec<FieldError>,
) -> impl IntoView {
    (!errors.is_empty()).then(|| {
        view! {
            <div class="error-summary" role="alert" tabindex="-1" autofocus="">
                <h2>"There is a problem"</h2>
                <ul>
                    {errors
                        .into_iter()
                        .map(|error| {
                            view! { <li><a href=format!("#{}", error.field)>{error.sentence}</a></li> }
                        })
                        .collect::<Vec<_>>()}
                </ul>
            </div>
        }
    })
}
