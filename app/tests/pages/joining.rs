//! Pages that need no session.

use app::pages::joining::{self, Closed, Sent, password, sign_up};
use app::pieces::field::FieldError;
use app::pieces::form::Form;
use control::resets::Asked;
use control::sign_ups::Waiting;
use insta::assert_snapshot;

use crate::sample;

const HOSTILE: &str = "</title><script>alert(1)</script>\u{202E}";

fn main_of(html: &str) -> String {
    let from = html.find("<main").unwrap();
    let to = html.find("</main>").unwrap();
    html[from..to].replace("><", ">\n<")
}

#[test]
fn the_form_to_sign_up_comes_back_with_what_was_typed_but_for_the_password() {
    let typed = [
        ("organization", "Acme"),
        ("name", "Ada"),
        ("email", "ada"),
        ("password", "hunter2hunter2"),
        ("currency", "CHF"),
        ("time_zone", "Europe/Zurich"),
    ];
    let typed = typed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let form = Form::new(typed).wrong(vec![FieldError::new("email", "Give one plain mail address.")]);
    let page = sign_up::page(&sample::visit().site, form);
    assert!(page.contains("<title>Error: ") && !page.contains("hunter2"));
    assert!(page.contains(r#"value="CHF" selected"#), "{page}");
    assert_snapshot!("sign_up", main_of(&page));
}

#[test]
fn the_other_pages() {
    let site = sample::visit().site;
    let waiting = Waiting { organization: "Acme".into(), email: "ada@acme.example".into() };
    assert_snapshot!("verify", main_of(&sign_up::verify(&site, "token", &waiting)));
    let asked = Asked { email: "ada@acme.example".into(), organizations: vec!["Acme".into(), "Beta".into()] };
    assert_snapshot!("reset", main_of(&password::reset(&site, "token", &asked, Form::default())));
    assert_snapshot!("sent", main_of(&joining::sent(&site, Sent::SignUp, Some("ada@acme.example"))));
    assert_snapshot!("spent", main_of(&joining::spent(&site, Sent::Password)));
    assert_snapshot!("closed", main_of(&joining::closed(&site, "Set up your organization", Closed::NoMail)));
}

#[test]
fn what_others_wrote_is_text() {
    let site = sample::visit().site;
    let waiting = Waiting { organization: HOSTILE.into(), email: HOSTILE.into() };
    let asked = Asked { email: HOSTILE.into(), organizations: vec![HOSTILE.into()] };
    let form =
        || Form::default().with("organization", HOSTILE).with("email", HOSTILE).with("time_zone", HOSTILE);
    for page in [
        sign_up::page(&site, form()),
        sign_up::verify(&site, "token", &waiting),
        password::forgot(&site, form()),
        password::reset(&site, "token", &asked, form()),
        joining::sent(&site, Sent::Password, Some(HOSTILE)),
    ] {
        assert!(!page.contains("<script>alert") && !page.contains('\u{202E}'), "{page}");
    }
}
