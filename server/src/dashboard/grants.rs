//! Who may use what: the matrix, one of its cells, the list, giving a key; and changes, which are reviewed first.

use app::data::grants as data;
use app::document::Notice;
use app::pages::grants::query::{self, Asked, ListQuery, MatrixQuery, NewQuery, Wrong, fields};
use app::pages::grants::review;
use app::pieces::field::{FORM, FieldError};
use app::pieces::form::Form;
use axum::extract::{RawQuery, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use control::authority::{Deed, may};
use control::grants::change::{Done, Reviewed};

use super::Dashboard;
use super::form::{self, Typed};
use super::refusal::Refusal;
use super::routes::Routes;
use super::session::{Person, local};

/// The matrix sends each of its boxes.
const LARGEST: usize = 512 * 1024;
/// The longest address of a way to undo: what is longer, proxies refuse.
const LONGEST_UNDO: usize = 6_000;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/t/{tenant}/grants", matrix)
        .get("/t/{tenant}/grants/cell", cell)
        .get("/t/{tenant}/grants/list", list)
        .get("/t/{tenant}/grants/new", new)
        .get("/t/{tenant}/grants/review", review_known)
        .post_up_to("/t/{tenant}/grants/review", LARGEST, review_typed)
        .post_up_to("/t/{tenant}/grants/change", LARGEST, change)
}

/// The matrix. Empty fields of its form are dropped from the address by one redirect, so that it can be read and passed
/// on.
async fn matrix(
    State(dashboard): State<Dashboard>,
    person: Person,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let given = query.unwrap_or_default();
    let query = MatrixQuery::read(&fields(&given)).ok_or(Refusal::NotFound)?;
    let short = query.to_query();
    if short != given {
        return Ok(Redirect::to(&person.links.grants_with(&short)).into_response());
    }
    let page = data::matrix(&dashboard.control, &person.actor, &person.visit, query, None).await?;
    Ok(Html(page).into_response())
}

/// One cell of it.
async fn cell(
    State(dashboard): State<Dashboard>,
    person: Person,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    if !may(&person.actor, Deed::ReadGrants) {
        return Err(Refusal::NotFound);
    }
    let at = query::cell(&fields(&query.unwrap_or_default())).ok_or(Refusal::NotFound)?;
    let Some((key, grantee)) = at else { return Ok(Redirect::to(&person.links.grants()).into_response()) };
    let page = data::cell(&dashboard.control, &person.actor, &person.visit, &key, grantee).await?;
    Ok(Html(page).into_response())
}

/// Grants as a list.
async fn list(
    State(dashboard): State<Dashboard>,
    person: Person,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let given = query.unwrap_or_default();
    let query = ListQuery::read(&fields(&given)).ok_or(Refusal::NotFound)?;
    let short = query.to_query();
    if short != given {
        return Ok(Redirect::to(&person.links.grant_list_with(&short)).into_response());
    }
    Ok(Html(data::list(&dashboard.control, &person.actor, &person.visit, query).await?).into_response())
}

/// Giving a key, step by step.
async fn new(
    State(dashboard): State<Dashboard>,
    person: Person,
    RawQuery(query): RawQuery,
) -> Result<Html<String>, Refusal> {
    if !may(&person.actor, Deed::ChangeGrants) {
        return Err(Refusal::NotFound);
    }
    let fields = fields(&query.unwrap_or_default());
    let query = NewQuery::read(&fields).ok_or(Refusal::NotFound)?;
    let back = fields.iter().find(|(name, _)| name == "back").map_or("", |(_, value)| value);
    let back = place(&person, back).map(str::to_owned).unwrap_or_default();
    Ok(Html(data::new(&dashboard.control, &person.actor, &person.visit, query, back).await?))
}

/// What a change would come to that an address names.
async fn review_known(
    State(dashboard): State<Dashboard>,
    person: Person,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    reviewed(&dashboard, &person, &fields(&query.unwrap_or_default()), None).await
}

/// What a change would come to that a form asks for. Nothing is changed.
async fn review_typed(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Response, Refusal> {
    reviewed(&dashboard, &person, typed.fields(), Some(typed.form())).await
}

async fn reviewed(
    dashboard: &Dashboard,
    person: &Person,
    fields: &[(String, String)],
    typed: Option<Form>,
) -> Result<Response, Refusal> {
    if !may(&person.actor, Deed::ChangeGrants) {
        return Err(Refusal::NotFound);
    }
    let site = &person.visit.site;
    let asked = match Asked::read(fields, site.zone, site.now) {
        Ok(asked) => asked,
        Err(Wrong::Unreadable) => return Err(Refusal::Unreadable),
        Err(Wrong::End) => {
            let error = FieldError::new("until", "Give a day that has not passed, such as 2027-03-31.");
            return wrong(dashboard, person, fields, typed, vec![error]).await;
        }
    };
    if asked.change.is_empty() {
        let error = FieldError::new(FORM, "Tick what is to be given, or untick what is to be revoked.");
        return wrong(dashboard, person, fields, typed, vec![error]).await;
    }
    let asked = Asked { back: back(person, &asked.back), ..asked };
    match data::review(&dashboard.control, &person.actor, &person.visit, &asked, false).await {
        Ok(page) => Ok(Html(page).into_response()),
        Err(error) => wrong(dashboard, person, fields, typed, form::errors(error)?).await,
    }
}

/// What was typed again, with what is wrong: on the matrix, if that is where it came from.
async fn wrong(
    dashboard: &Dashboard,
    person: &Person,
    fields: &[(String, String)],
    typed: Option<Form>,
    errors: Vec<FieldError>,
) -> Result<Response, Refusal> {
    let value = |name: &str| fields.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value);
    let came_from = back(person, value("back"));
    let form = typed.unwrap_or_else(|| Form::new(fields.to_vec())).wrong(errors);
    let of_matrix = fields.iter().any(|(name, _)| name == "cell" || name == "was")
        || !fields.iter().any(|(name, _)| name == "give" || name == "revoke");
    let (path, shown) = came_from.split_once('?').unwrap_or((&came_from, ""));
    if of_matrix && path == person.links.grants() {
        let query = MatrixQuery::read(&query::fields(shown)).ok_or(Refusal::NotFound)?;
        let page = data::matrix(&dashboard.control, &person.actor, &person.visit, query, Some(form)).await?;
        return Ok(form::again(page));
    }
    let items = fields
        .iter()
        .filter_map(|(name, value)| match name.as_str() {
            // An end of its own would hold against the one that is typed now.
            "give" => Some(("give", value.splitn(3, '@').take(2).collect::<Vec<_>>().join("@"))),
            "revoke" => Some(("revoke", value.clone())),
            "cell" => Some(("cell", value.clone())),
            "was" => Some(("was", value.clone())),
            "back" => Some(("back", came_from.clone())),
            _ => None,
        })
        .collect();
    Ok(form::again(review::wrong(&person.visit, form, items, came_from)))
}

/// Makes a change that was reviewed; should rights have changed since, it is shown anew.
async fn change(
    State(dashboard): State<Dashboard>,
    person: Person,
    typed: Typed,
) -> Result<Response, Refusal> {
    if !may(&person.actor, Deed::ChangeGrants) {
        return Err(Refusal::NotFound);
    }
    let site = &person.visit.site;
    let (epoch, seen) = (typed.text("epoch").parse(), digest(typed.text("seen")));
    let (Ok(epoch), Some(digest)) = (epoch, seen) else { return Err(Refusal::Unreadable) };
    let asked = Asked::read(typed.fields(), site.zone, site.now).map_err(|_| Refusal::Unreadable)?;
    if asked.change.is_empty() {
        return Err(Refusal::Unreadable);
    }
    let asked = Asked { back: back(&person, &asked.back), ..asked };
    let reviewed = Reviewed { epoch, digest };
    match data::change(&dashboard.control, &person.actor, asked.change.clone(), reviewed).await {
        Ok(done) => {
            let notice = said(&person, &done, &asked);
            form::done(&person, notice, &asked.back).await
        }
        Err(control::Error::Refused { code: "changed_since", .. }) => {
            let page = data::review(&dashboard.control, &person.actor, &person.visit, &asked, true).await?;
            Ok(form::again(page))
        }
        Err(error) => {
            let errors = form::errors(error)?;
            wrong(&dashboard, &person, typed.fields(), Some(typed.form()), errors).await
        }
    }
}

/// What was done, with the way to undo it, which is reviewed like any other change.
fn said(person: &Person, done: &Done, asked: &Asked) -> Notice {
    let keys =
        |number: usize| if number == 1 { "1 key was".to_owned() } else { format!("{number} keys were") };
    let sentence = match (done.given, done.revoked) {
        (given, 0) => format!("{} given.", keys(given)),
        (0, revoked) => format!("{} revoked.", keys(revoked)),
        (given, revoked) => format!("{} given and {revoked} revoked.", keys(given)),
    };
    let undo = person.links.review_of(&Asked::of(done.undo.clone(), asked.back.clone()).to_query());
    let notice = Notice::new(sentence);
    if done.undo.is_empty() || undo.len() > LONGEST_UNDO { notice } else { notice.leading("Undo…", undo) }
}

/// A place of this organization to go back to; the matrix, when it is none.
fn back(person: &Person, text: &str) -> String {
    place(person, text).map_or_else(|| person.links.grants(), str::to_owned)
}

fn place<'a>(person: &Person, text: &'a str) -> Option<&'a str> {
    local(text).filter(|path| path.starts_with(&format!("{}/", person.links.home())))
}

/// A SHA-256 as 64 hexadecimal digits.
fn digest(text: &str) -> Option<model::call::Digest> {
    let mut digest = [0; 32];
    hex::decode_to_slice(text, &mut digest).ok()?;
    Some(digest)
}
