//! Signing up, and proving the address.

use control::sign_ups::{CURRENCIES, Waiting};
use leptos::prelude::*;

use crate::document::{self, Site};
use crate::pieces::field::ErrorSummary;
use crate::pieces::form::{Form, SelectField, TextField};
use crate::{links, text};

/// Asks the browser in which time zone it is. Without it, the organization begins with UTC.
const ZONE: &str =
    "document.getElementById('time_zone').value=Intl.DateTimeFormat().resolvedOptions().timeZone??''";

/// The form.
pub fn page(site: &Site, form: Form) -> String {
    let nonce = site.nonce.clone();
    document::plain(site, &form.title("Set up your organization"), || {
        let currencies = CURRENCIES
            .iter()
            .map(|code| ((*code).to_owned(), format!("{code} · {}", currency(code))))
            .collect();
        let zone = text::one_line(form.value("time_zone"), 64);
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            <h1>"Set up your organization"</h1>
            <p>"You get a mail to confirm your address; then your agents' tools have one place from which they are governed."</p>
            <form class="stack" method="post" action=links::SIGN_UP novalidate="">
                <TextField
                    form=form.clone()
                    name="organization"
                    label="Organization"
                    hint="As people call it. Its short name in addresses is made from this."
                    autocomplete="organization"
                />
                <TextField form=form.clone() name="name" label="Your name" autocomplete="name" />
                <TextField
                    form=form.clone()
                    name="email"
                    label="Mail address"
                    kind="email"
                    autocomplete="username"
                    longest=254
                />
                <TextField
                    form=form.clone()
                    name="password"
                    label="Password"
                    hint="At least 12 characters. Four words that do not belong together are good."
                    kind="password"
                    autocomplete="new-password"
                    longest=1000
                />
                <SelectField
                    form=form.clone()
                    name="currency"
                    label="Currency"
                    options=currencies
                    hint="What tools cost is counted in it. It cannot be changed later."
                />
                <input type="hidden" id="time_zone" name="time_zone" value=zone />
                <button type="submit" class="button primary">
                    "Continue"
                </button>
            </form>
            <p class="note">"You have an account? " <a href=links::SIGN_IN>"Sign in"</a> ". Somebody else set the organization up? Ask to be invited."</p>
            <script nonce=nonce inner_html=ZONE></script>
        }
    })
}

/// What a currency is called.
fn currency(code: &str) -> &'static str {
    match code {
        "USD" => "US dollar",
        "EUR" => "Euro",
        "GBP" => "Pound sterling",
        "CHF" => "Swiss franc",
        "AUD" => "Australian dollar",
        "BRL" => "Brazilian real",
        "CAD" => "Canadian dollar",
        "CNY" => "Chinese yuan",
        "CZK" => "Czech koruna",
        "DKK" => "Danish krone",
        "HKD" => "Hong Kong dollar",
        "HUF" => "Hungarian forint",
        "ILS" => "Israeli new shekel",
        "INR" => "Indian rupee",
        "JPY" => "Japanese yen",
        "KRW" => "South Korean won",
        "MXN" => "Mexican peso",
        "NOK" => "Norwegian krone",
        "NZD" => "New Zealand dollar",
        "PLN" => "Polish złoty",
        "RON" => "Romanian leu",
        "SEK" => "Swedish krona",
        "SGD" => "Singapore dollar",
        "THB" => "Thai baht",
        "TRY" => "Turkish lira",
        "TWD" => "New Taiwan dollar",
        "ZAR" => "South African rand",
        _ => "other",
    }
}

/// What the link in the mail leads to. Programs that look at mails follow links, so that only the button does something.
pub fn verify(site: &Site, token: &str, waiting: &Waiting) -> String {
    let action = links::verify(token);
    document::plain(site, "Confirm your address", || {
        view! {
            <h1>"Confirm your address"</h1>
            <p>
                "Set up " <strong>{text::name(&waiting.organization)}</strong> " with "
                <strong>{text::name(&waiting.email)}</strong> " as its owner."
            </p>
            <form method="post" action=action>
                <button type="submit" class="button primary">
                    "Confirm and go there"
                </button>
            </form>
            <p class="note">"If you have not signed up, close this page: nothing has been set up."</p>
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_currency_has_a_name() {
        for code in CURRENCIES {
            assert_ne!(currency(code), "other", "{code}");
        }
    }
}
