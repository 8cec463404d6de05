//! How people sign in and are invited.

use control::authority::Deed;
use control::settings::SignInRules;
use leptos::prelude::*;

use super::{Part, only_read, part};
use crate::document::Visit;
use crate::pieces::form::{Form, TextArea, TextField};
use crate::text;

/// The form with what is there.
pub fn begin(rules: &SignInRules) -> Form {
    Form::default()
        .with("idle_minutes", rules.sessions.idle_minutes.to_string())
        .with("longest_hours", rules.sessions.longest_hours.to_string())
        .with("shortest_password", rules.shortest_password.to_string())
        .with("invited_domains", rules.invited_domains.join("\n"))
}

/// The page.
pub fn sign_in(visit: &Visit, form: Form) -> String {
    part(visit, Part::SignIn, Some(&form), || {
        if !visit.may(Deed::ChangeSettings) {
            let domains = form.value("invited_domains").replace('\n', ", ");
            let domains = if domains.is_empty() { "any".to_owned() } else { domains };
            return view! {
                {only_read()}
                <dl class="record-facts">
                    <div><dt>"A session that is not used ends after"</dt><dd>{form.value("idle_minutes").to_owned()} " minutes"</dd></div>
                    <div><dt>"Every session ends after"</dt><dd>{form.value("longest_hours").to_owned()} " hours"</dd></div>
                    <div><dt>"Shortest password"</dt><dd>{form.value("shortest_password").to_owned()} " characters"</dd></div>
                    <div><dt>"Mail domains of invitations"</dt><dd>{text::name(&domains)}</dd></div>
                </dl>
            }
            .into_any();
        }
        view! {
            <form class="sheet" method="post" action=visit.links().sign_in_rules()>
                <TextField
                    form=form.clone()
                    name="idle_minutes"
                    label="A session that is not used ends after (minutes)"
                    kind="number"
                    longest=3
                    hint="From 15 to 720 (twelve hours). It applies to open sessions, too."
                />
                <TextField
                    form=form.clone()
                    name="longest_hours"
                    label="Every session ends after (hours)"
                    kind="number"
                    longest=3
                    hint="From 1 to 720 (thirty days), whether it is used or not."
                />
                <TextField
                    form=form.clone()
                    name="shortest_password"
                    label="Shortest password (characters)"
                    kind="number"
                    longest=2
                    hint="From 12 to 64. Shorter passwords remain valid until they are changed."
                />
                <TextArea
                    form=form.clone()
                    name="invited_domains"
                    label="Mail domains of people who may be invited"
                    rows=4
                    longest=10_000
                    required=false
                    hint="One on each line, such as `example.com`. If left empty, people of any domain can be invited. People who are here already are not affected."
                />
                <div class="form-actions"><button type="submit" class="button primary">"Save"</button></div>
            </form>
        }
        .into_any()
    })
}
