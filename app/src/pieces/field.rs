//! Form fields with their label, hint and error, and the summary of errors above a form.

use std::borrow::Cow;

use leptos::prelude::*;

use crate::icon::Icon;
use crate::text;

/// Characters of an error on the page: it may name what was typed.
const SENTENCE: usize = 1_000;

/// What is wrong with one field. The sentence says what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FieldError {
    /// Name of the field; [`FORM`] for the form as a whole.
    pub field: Cow<'static, str>,
    /// What is wrong with it and what would be right.
    pub sentence: String,
}

/// In the place of a field's name: the error is of no field in particular.
pub const FORM: &str = "form";

impl FieldError {
    /// An error of a field.
    pub fn new(field: impl Into<Cow<'static, str>>, sentence: impl Into<String>) -> Self {
        Self { field: field.into(), sentence: sentence.into() }
    }
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
    #[prop(into)]
    name: String,
    /// Its label.
    #[prop(into)]
    label: String,
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
                {text::lines(&sentence, SENTENCE)}
            </p>
        }
    });
    view! {
        <div class="field" data-field=name.clone() data-wrong=wrong>
            <label for=name.clone()>{label}</label>
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
                            if error.field == FORM {
                                view! { <li>{text::lines(&error.sentence, SENTENCE)}</li> }.into_any()
                            } else {
                                let sentence = text::lines(&error.sentence, SENTENCE);
                                view! { <li><a href=format!("#{}", error.field)>{sentence}</a></li> }.into_any()
                            }
                        })
                        .collect::<Vec<_>>()}
                </ul>
            </div>
        }
    })
}
