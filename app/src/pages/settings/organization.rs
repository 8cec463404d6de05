//! The organization itself, where its agents connect, and as whom it writes mails.

use control::authority::Deed;
use control::settings::Settings;
use leptos::prelude::*;
use model::ZONES;

use super::{Part, only_read, part};
use crate::document::Visit;
use crate::islands::CopyButton;
use crate::pieces::field::{Field, error_of};
use crate::pieces::form::{Form, TextField};
use crate::text;

/// The form with what is there.
pub fn begin(settings: &Settings) -> Form {
    Form::default()
        .with("name", settings.name.clone())
        .with("currency", settings.currency.to_string())
        .with("time_zone", settings.zone.name())
}

/// The page.
pub fn organization(visit: &Visit, settings: &Settings, form: Form) -> String {
    part(visit, Part::Organization, Some(&form), || {
        let body = if visit.may(Deed::ChangeSettings) {
            fields(visit, settings, &form).into_any()
        } else {
            view! {
                {only_read()}
                <dl class="record-facts">
                    <div><dt>"Name"</dt><dd>{text::name(&settings.name)}</dd></div>
                    <div><dt>"Short name"</dt><dd>{text::code(settings.slug.as_str())}</dd></div>
                    <div><dt>"Currency"</dt><dd>{settings.currency.to_string()}</dd></div>
                    <div><dt>"Time zone"</dt><dd>{settings.zone.name()}</dd></div>
                </dl>
            }
            .into_any()
        };
        let url = visit.mcp_url();
        view! {
            {body}
            <section class="part mcp-address">
                <h2>"Where agents connect"</h2>
                <p>"The MCP address of your organization. It is never given to another one, and never changes."</p>
                <figure class="snippet">
                    <figcaption>"MCP address" <CopyButton target="mcp-url".to_owned() /></figcaption>
                    <pre tabindex="0"><code id="mcp-url">{url}</code></pre>
                </figure>
            </section>
        }
    })
}

fn fields(visit: &Visit, settings: &Settings, form: &Form) -> impl IntoView + use<> {
    let zones = ZONES.iter().map(|zone| view! { <option value=zone.name()></option> }).collect::<Vec<_>>();
    let error = error_of(form.errors(), "time_zone");
    let described = if error.is_some() { "time_zone-error time_zone-hint" } else { "time_zone-hint" };
    let zone = text::lines(form.value("time_zone"), 100);
    let currency = if settings.currency_stays {
        view! {
            <div class="field">
                <p class="field-label">"Currency"</p>
                <p>{settings.currency.to_string()}</p>
                <p class="hint">"Prices have been set in it, so it stays."</p>
                {crate::pieces::form::hidden("currency", settings.currency.to_string())}
            </div>
        }
        .into_any()
    } else {
        view! {
            <TextField
                form=form.clone()
                name="currency"
                label="Currency"
                longest=3
                hint="The currency calls are charged in: three letters, such as `EUR`. It cannot be changed once a price has been set."
            />
        }
        .into_any()
    };
    view! {
        <form class="sheet" method="post" action=visit.links().settings()>
            <TextField form=form.clone() name="name" label="Name" longest=120 autocomplete="organization" />
            <div class="field">
                <p class="field-label">"Short name"</p>
                <p>{text::code(settings.slug.as_str())}</p>
                <p class="hint">"It is in every address, so it never changes."</p>
            </div>
            {currency}
            <Field name="time_zone" label="Time zone" error=error>
                <p class="hint" id="time_zone-hint">
                    "Used for people who have not chosen their own. For example Europe/Berlin."
                </p>
                <input
                    type="text"
                    id="time_zone"
                    name="time_zone"
                    value=zone
                    maxlength="64"
                    list="time-zones"
                    autocomplete="off"
                    spellcheck="false"
                    aria-describedby=described
                    required
                />
                <datalist id="time-zones">{zones}</datalist>
            </Field>
            <div class="form-actions"><button type="submit" class="button primary">"Save"</button></div>
        </form>
    }
}

/// As whom mails are sent.
pub fn mail(visit: &Visit, form: Form) -> String {
    part(visit, Part::Mail, Some(&form), || {
        let organization = text::one_line(&visit.organization, 80);
        if !visit.may(Deed::ChangeSettings) {
            let name =
                Some(form.value("sender_name")).filter(|name| !name.is_empty()).unwrap_or(&organization);
            let reply_to = Some(form.value("reply_to")).filter(|address| !address.is_empty()).unwrap_or("–");
            return view! {
                {only_read()}
                <dl class="record-facts">
                    <div><dt>"Name"</dt><dd>{text::name(name)}</dd></div>
                    <div><dt>"Answers go to"</dt><dd>{text::name(reply_to)}</dd></div>
                </dl>
            }
            .into_any();
        }
        view! {
            <form class="sheet" method="post" action=visit.links().mail_sender()>
                <TextField
                    form=form.clone()
                    name="sender_name"
                    label="Name of the sender"
                    longest=120
                    required=false
                    hint=format!("Shown before the mail address that mails are sent from. If left empty: {organization}.")
                />
                <TextField
                    form=form.clone()
                    name="reply_to"
                    label="Answers go to"
                    kind="email"
                    longest=254
                    required=false
                    hint="A mail address of your own. If left empty, answers go to the address that mails are sent from."
                />
                <div class="form-actions"><button type="submit" class="button primary">"Save"</button></div>
            </form>
        }
        .into_any()
    })
}
