//! Forms: what was typed is kept when something is wrong with it, with the error beside its field.

use leptos::prelude::*;

use super::field::{Field, FieldError, error_of};
use crate::text;

/// The longest value that is put back into a form.
const LONGEST: usize = 100_000;

/// What a form's fields hold, and what is wrong with them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Form {
    values: Vec<(String, String)>,
    errors: Vec<FieldError>,
}

impl Form {
    /// A form with these values, such as what a browser has sent: names can repeat.
    pub fn new(values: Vec<(String, String)>) -> Self {
        Self { values, errors: Vec::new() }
    }

    /// With a value, for forms that begin with what is there.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.values.push((name.to_owned(), value.into()));
        self
    }

    /// With errors.
    #[must_use]
    pub fn wrong(mut self, errors: Vec<FieldError>) -> Self {
        self.errors.extend(errors);
        self
    }

    /// With these errors in the place of those it has.
    #[must_use]
    pub fn only(self, errors: Vec<FieldError>) -> Self {
        Self { errors, ..self }
    }

    /// The first value of a field; empty when there is none.
    pub fn value(&self, name: &str) -> &str {
        self.values.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// Whether a field has this value among its values.
    pub fn has(&self, name: &str, value: &str) -> bool {
        self.values.iter().any(|(known, held)| known == name && held == value)
    }

    /// All errors.
    pub fn errors(&self) -> &[FieldError] {
        &self.errors
    }

    /// A page's title, which says so when the form came back with errors (it is what is read out first).
    pub fn title(&self, title: &str) -> String {
        if self.errors.is_empty() { title.to_owned() } else { format!("Error: {title}") }
    }

    /// `aria-describedby` of a control: its error and its hint, as far as they are there.
    fn described(&self, name: &str, hint: bool) -> Option<String> {
        let error = error_of(&self.errors, name).map(|_| format!("{name}-error"));
        let hint = hint.then(|| format!("{name}-hint"));
        match (error, hint) {
            (Some(error), Some(hint)) => Some(format!("{error} {hint}")),
            (one, other) => one.or(other),
        }
    }

    fn invalid(&self, name: &str) -> Option<&'static str> {
        error_of(&self.errors, name).map(|_| "true")
    }
}

fn hint_of(name: &str, hint: &Option<String>) -> Option<impl IntoView + use<>> {
    let id = format!("{name}-hint");
    hint.clone().map(|hint| view! { <p class="hint" id=id>{text::prose(&hint, 1_000)}</p> })
}

/// A line of text.
#[component]
pub fn TextField(
    /// The form.
    form: Form,
    /// Name and id of the control.
    #[prop(into)]
    name: String,
    /// Its label.
    #[prop(into)]
    label: String,
    /// What helps to fill it in.
    #[prop(optional, into)]
    hint: Option<String>,
    /// The `type` of the input.
    #[prop(default = "text")]
    kind: &'static str,
    /// The `autocomplete` of the input.
    #[prop(default = "off")]
    autocomplete: &'static str,
    /// Most characters a browser lets one type; the server has the last word.
    #[prop(default = 120)]
    longest: u32,
    /// Whether it must be filled in.
    #[prop(default = true)]
    required: bool,
) -> impl IntoView {
    // What was typed into a password field is not sent back.
    let value = (kind != "password").then(|| text::lines(form.value(&name), LONGEST));
    view! {
        <Field name=name.clone() label=label_of(label, required) error=error_of(form.errors(), &name)>
            {hint_of(&name, &hint)}
            <input
                type=kind
                id=name.clone()
                name=name.clone()
                value=value
                autocomplete=autocomplete
                maxlength=longest
                aria-describedby=form.described(&name, hint.is_some())
                aria-invalid=form.invalid(&name)
                required=required
            />
        </Field>
    }
}

/// Several lines of text.
#[component]
pub fn TextArea(
    /// The form.
    form: Form,
    /// Name and id of the control.
    #[prop(into)]
    name: String,
    /// Its label.
    #[prop(into)]
    label: String,
    /// What helps to fill it in.
    #[prop(optional, into)]
    hint: Option<String>,
    /// How many lines are seen at once.
    #[prop(default = 6)]
    rows: u32,
    /// Most characters a browser lets one type; the server has the last word.
    #[prop(default = 10_000)]
    longest: u32,
    /// Whether it must be filled in.
    #[prop(default = true)]
    required: bool,
) -> impl IntoView {
    // Browsers send line breaks as two characters.
    let value = text::in_textarea(&text::lines(&form.value(&name).replace("\r\n", "\n"), LONGEST));
    view! {
        <Field name=name.clone() label=label_of(label, required) error=error_of(form.errors(), &name)>
            {hint_of(&name, &hint)}
            <textarea
                id=name.clone()
                name=name.clone()
                rows=rows
                maxlength=longest
                aria-describedby=form.described(&name, hint.is_some())
                aria-invalid=form.invalid(&name)
                required=required
                inner_html=value
            ></textarea>
        </Field>
    }
}

/// One of several, from a list that opens.
#[component]
pub fn SelectField(
    /// The form.
    form: Form,
    /// Name and id of the control.
    #[prop(into)]
    name: String,
    /// Its label.
    #[prop(into)]
    label: String,
    /// What there is to choose from: value and what it says.
    options: Vec<(String, String)>,
    /// What helps to choose.
    #[prop(optional, into)]
    hint: Option<String>,
    /// What choosing nothing says; without it, something is chosen.
    #[prop(optional, into)]
    none: Option<String>,
) -> impl IntoView {
    let options = options
        .into_iter()
        .map(|(value, label)| {
            let selected = form.has(&name, &value);
            view! { <option value=value selected=selected>{text::one_line(&label, 120)}</option> }
        })
        .collect::<Vec<_>>();
    view! {
        <Field name=name.clone() label=label error=error_of(form.errors(), &name)>
            {hint_of(&name, &hint)}
            <select
                id=name.clone()
                name=name.clone()
                aria-describedby=form.described(&name, hint.is_some())
                aria-invalid=form.invalid(&name)
            >
                {none.map(|none| view! { <option value="">{none}</option> })}
                {options}
            </select>
        </Field>
    }
}

/// Yes or no, or one of several that can be chosen together: then they share a name.
#[component]
pub fn Checkbox(
    /// The form.
    form: Form,
    /// Name of the control.
    #[prop(into)]
    name: String,
    /// What is sent when it is ticked.
    #[prop(default = "yes".to_owned(), into)]
    value: String,
    /// What it says.
    #[prop(into)]
    label: String,
    /// What helps to choose.
    #[prop(optional, into)]
    hint: Option<String>,
) -> impl IntoView {
    choice("checkbox", &form, &name, value, &label, hint)
}

/// One of several, all of them seen.
#[component]
pub fn Radios(
    /// The form.
    form: Form,
    /// Name of the controls, and id of the group.
    #[prop(into)]
    name: String,
    /// What is asked.
    #[prop(into)]
    legend: String,
    /// What there is to choose from: value, what it says, and what helps to choose.
    options: Vec<(String, String, Option<String>)>,
) -> impl IntoView {
    let error = error_of(form.errors(), &name);
    let wrong = error.is_some().then_some("");
    let error = error.map(|sentence| {
        view! {
            <p class="field-error" id=format!("{name}-error")>
                <crate::icon::Icon name="alert" />
                {text::lines(&sentence, 1_000)}
            </p>
        }
    });
    let options = options
        .into_iter()
        .map(|(value, label, hint)| choice("radio", &form, &name, value, &label, hint))
        .collect::<Vec<_>>();
    view! {
        <fieldset class="field choices-field" id=name.clone() data-field=name.clone() data-wrong=wrong tabindex="-1">
            <legend>{legend}</legend>
            {error}
            {options}
        </fieldset>
    }
}

fn choice(
    kind: &'static str,
    form: &Form,
    name: &str,
    value: String,
    label: &str,
    hint: Option<String>,
) -> impl IntoView + use<> {
    let id = format!("{name}-{value}");
    let checked = form.has(name, &value);
    let described = hint.is_some().then(|| format!("{id}-hint"));
    view! {
        <div class="choice-field">
            <input
                type=kind
                id=id.clone()
                name=name.to_owned()
                value=value
                checked=checked
                aria-describedby=described
            />
            <label for=id.clone()>{text::prose(label, 400)}</label>
            {hint_of(&id, &hint)}
        </div>
    }
}

/// A value that the form carries and nobody sees.
pub fn hidden(name: &'static str, value: impl Into<String>) -> impl IntoView {
    let value: String = value.into();
    view! { <input type="hidden" name=name value=value /> }
}

/// What may be left out says so; most fields must be filled in.
fn label_of(label: String, required: bool) -> String {
    if required { label } else { format!("{label} (optional)") }
}
