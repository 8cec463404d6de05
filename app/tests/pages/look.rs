//! Writes every page with sample data into a folder, to look at them without a server:
//! `APP_LOOK=DIR cargo test -p app --features ssr --test pages -- --ignored look`.

use std::fs;
use std::path::PathBuf;

use app::pages::activity::{self, Shown};
use app::pages::call;
use app::pages::filter;
use app::pages::rejected::{self, Rejected};
use app::pages::sign_in::{self, Choice, Form};
use app::pages::trouble::{self, Trouble};
use app::pieces::field::FieldError;

use model::Zone;

use crate::sample;

#[test]
#[ignore = "writes files to look at; set APP_LOOK to a folder"]
fn look() {
    let folder = PathBuf::from(std::env::var("APP_LOOK").unwrap());
    fs::create_dir_all(&folder).unwrap();
    let visit = sample::visit();
    let put = |name: &str, html: String| fs::write(folder.join(name), html).unwrap();
    let shown = Shown {
        rows: sample::rows(),
        newer: false,
        older: true,
        agents: sample::agents(),
        modules: sample::modules(),
        ..Shown::default()
    };
    put("activity.html", activity::page(&visit, filter::read("", Zone::UTC), shown.clone()));
    put(
        "activity-filtered.html",
        activity::page(
            &visit,
            filter::read("span=custom&from=2026-11-20T09:00&verdict=deny&tool=crm", Zone::UTC),
            shown.clone(),
        ),
    );
    put(
        "activity-wrong.html",
        activity::page(&visit, filter::read("from=x&agent=y", Zone::UTC), shown.clone()),
    );
    put("activity-empty.html", activity::page(&visit, filter::read("", Zone::UTC), Shown::default()));
    put(
        "activity-none.html",
        activity::page(&visit, filter::read("verdict=hold", Zone::UTC), Shown::default()),
    );
    put("home.html", app::pages::home::page(&visit, crate::home::full()));
    put("find.html", app::pages::find::page(&visit, "se", crate::home::found()));
    put("call.html", call::page(&visit, sample::story(), None));
    put("call-denied.html", call::page(&visit, sample::denied(), None));
    put("call-hostile.html", call::page(&visit, sample::hostile(), None));
    let rejection = |code: &str, status, known: bool| Rejected {
        at: sample::before(i64::from(status) * 1_000),
        code: code.into(),
        status,
        credential: known.then(|| "Claude Code on Amara’s laptop (wa_3fK9aQ…)".into()),
        address: Some("203.0.113.24".into()),
        count: if known { 1 } else { 240 },
    };
    put(
        "rejected.html",
        rejected::page(
            &visit,
            vec![
                rejection("unknown_credential", 401, false),
                rejection("malformed_json", 400, true),
                rejection("body_too_large", 413, true),
            ],
        ),
    );
    put("sign-in.html", sign_in::page(&visit.site, Form::default()));
    put(
        "sign-in-wrong.html",
        sign_in::page(
            &visit.site,
            Form {
                email: "dana@brightwater.example".into(),
                errors: vec![FieldError {
                    field: "password".into(),
                    sentence: "The mail address or the password is not right.".into(),
                }],
                ..Form::default()
            },
        ),
    );
    let choice = |slug: &str, organization: &str| Choice {
        slug: slug.into(),
        organization: organization.into(),
        person: "Dana Reyes".into(),
    };
    put(
        "choose.html",
        sign_in::choose(
            &visit.site,
            vec![choice("brightwater", "Brightwater"), choice("nordlys", "Nordlys Energi")],
        ),
    );
    put(
        "trouble.html",
        trouble::page(
            &visit.site,
            Trouble {
                title: "There is no such page",
                sentence: "Nothing is here, or it is not yours to see.".into(),
                way_out: ("Go to Activity", "/t/brightwater/activity".into()),
                request_id: None,
            },
        ),
    );
}
