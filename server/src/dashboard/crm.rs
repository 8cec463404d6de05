//! The CRM's records: lists, one of them, forms, sheets in and out. One handler does for all four kinds.

use app::data::crm as data;
use app::document::Notice;
use app::pages::crm::{self as pages, Kind, Query, Rights};
use app::pieces::field::{FORM, FieldError};
use app::pieces::form::Form;
use app::wording;
use axum::body::Body;
use axum::extract::multipart::{MultipartError, MultipartRejection};
use axum::extract::{Multipart, Path, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use control::crm::sheets;
use control::crm::{self as records, Given, Key, Record};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use model::crm::{Company, Contact, Deal, Interaction, Records};
use serde::Deserialize;
use uuid::Uuid;

use super::Dashboard;
use super::form::{self, Typed};
use super::refusal::Refusal;
use super::routes::Routes;
use super::session::{AGAIN, Person};

/// An upload: the file and the form around it.
const LARGEST_UPLOAD: usize = sheets::LARGEST + 64 * 1024;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/t/{tenant}/crm", start)
        .get("/t/{tenant}/crm/{records}", list)
        .get("/t/{tenant}/crm/{records}/new", new)
        .post("/t/{tenant}/crm/{records}/new", create)
        .get("/t/{tenant}/crm/{records}/export", export)
        .get("/t/{tenant}/crm/{records}/template", template)
        .get("/t/{tenant}/crm/{records}/import", choose)
        .post_up_to("/t/{tenant}/crm/{records}/import", LARGEST_UPLOAD, upload)
        .get("/t/{tenant}/crm/{records}/import/{import}", preview)
        .post("/t/{tenant}/crm/{records}/import/{import}", apply)
        .get("/t/{tenant}/crm/{records}/{id}", record)
        .get("/t/{tenant}/crm/{records}/{id}/edit", edit)
        .post("/t/{tenant}/crm/{records}/{id}/edit", update)
        .get("/t/{tenant}/crm/{records}/{id}/delete", remove)
        .post("/t/{tenant}/crm/{records}/{id}/delete", delete)
}

/// Runs the same for whichever kind the address names.
macro_rules! of_kind {
    ($records:expr, $do:ident ( $($given:expr),* $(,)? )) => {
        match $records {
            Records::Companies => $do::<Company>($($given),*).await,
            Records::Contacts => $do::<Contact>($($given),*).await,
            Records::Deals => $do::<Deal>($($given),*).await,
            Records::Interactions => $do::<Interaction>($($given),*).await,
        }
    };
}

#[derive(Deserialize)]
struct OfKind {
    records: String,
}

impl OfKind {
    fn records(&self) -> Result<Records, Refusal> {
        self.records.parse().map_err(|_| Refusal::NotFound)
    }
}

#[derive(Deserialize)]
struct One {
    records: String,
    id: String,
}

#[derive(Deserialize)]
struct Uploaded {
    records: String,
    import: String,
}

impl Uploaded {
    fn id(&self) -> Result<Uuid, Refusal> {
        self.import.parse().map_err(|_| Refusal::NotFound)
    }
}

/// What the person may do, or the page that says that there is no CRM to do it with.
async fn opened(dashboard: &Dashboard, person: &Person) -> Result<Rights, Response> {
    match data::opened(&dashboard.control, &person.actor, &person.visit).await.map_err(Refusal::from)? {
        Ok(sight) => Ok(sight.into()),
        Err(page) => Err(Html(page).into_response()),
    }
}

fn id_of<R: Record>(text: &str) -> Result<R::Id, Refusal> {
    text.parse().map_err(|_| Refusal::NotFound)
}

async fn start(State(dashboard): State<Dashboard>, person: Person) -> Result<Response, Response> {
    opened(&dashboard, &person).await?;
    Ok(Redirect::to(&person.links.crm()).into_response())
}

async fn list(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(kind): Path<OfKind>,
    typed: Typed,
) -> Result<Response, Response> {
    let records = kind.records()?;
    let rights = opened(&dashboard, &person).await?;
    Ok(of_kind!(records, listed(&dashboard, &person, typed, rights))?)
}

async fn listed<R: Kind>(
    dashboard: &Dashboard,
    person: &Person,
    typed: Typed,
    rights: Rights,
) -> Result<Response, Refusal> {
    let (query, errors) = Query::read(R::RECORDS, typed.pairs());
    let status = if errors.is_empty() { StatusCode::OK } else { AGAIN };
    let page =
        data::list::<R>(&dashboard.control, &person.actor, &person.visit, query, errors, rights).await?;
    Ok((status, Html(page)).into_response())
}

async fn record(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(One { records, id }): Path<One>,
) -> Result<Response, Response> {
    let records = OfKind { records }.records()?;
    let rights = opened(&dashboard, &person).await?;
    Ok(Html(of_kind!(records, shown(&dashboard, &person, &id, rights))?).into_response())
}

async fn shown<R: Kind>(
    dashboard: &Dashboard,
    person: &Person,
    id: &str,
    rights: Rights,
) -> Result<String, Refusal> {
    let id = id_of::<R>(id)?;
    Ok(data::record::<R>(&dashboard.control, &person.actor, &person.visit, id, rights).await?)
}

/// Only for those who may change something: for everybody else there is no such page, whether or not the CRM is in use.
async fn may_change(dashboard: &Dashboard, person: &Person, kind: &OfKind) -> Result<Records, Response> {
    let records = kind.records()?;
    only_if(dashboard, person, |rights| rights.change).await?;
    opened(dashboard, person).await?;
    Ok(records)
}

async fn only_if(dashboard: &Dashboard, person: &Person, may: fn(Rights) -> bool) -> Result<(), Refusal> {
    let sight = records::sight(&dashboard.control, &person.actor).await?;
    if may(sight.into()) { Ok(()) } else { Err(Refusal::NotFound) }
}

async fn new(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(kind): Path<OfKind>,
    typed: Typed,
) -> Result<Response, Response> {
    let records = may_change(&dashboard, &person, &kind).await?;
    Ok(Html(of_kind!(records, form_for_new(&dashboard, &person, &typed))?).into_response())
}

async fn form_for_new<R: Kind>(
    dashboard: &Dashboard,
    person: &Person,
    typed: &Typed,
) -> Result<String, Refusal> {
    let (company, contact) = (typed.text("company").parse().ok(), typed.text("contact").parse().ok());
    let form = data::begun::<R>(&dashboard.control, &person.actor, company, contact).await?;
    Ok(data::new::<R>(&dashboard.control, &person.actor, &person.visit, form).await?)
}

/// The fields of a record as they were typed, and of what it belongs to.
fn given<R: Record>(typed: &Typed) -> Given {
    let mut given = Given::new();
    let names = R::FIELDS.iter().copied().chain(["company", "contact"]);
    for name in names {
        if typed.has(name) {
            given.insert(name.to_owned(), typed.text(name).to_owned());
        }
    }
    // The id is that of the name it was shown with: where the name was taken out, it is nobody's.
    for (name, id) in [("company", "company_id"), ("contact", "contact_id")] {
        if given.get(name).is_some_and(|text| text.trim().is_empty()) {
            given.insert(id.to_owned(), String::new());
        }
    }
    given
}

async fn create(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(kind): Path<OfKind>,
    typed: Typed,
) -> Result<Response, Response> {
    let records = may_change(&dashboard, &person, &kind).await?;
    Ok(of_kind!(records, created(&dashboard, &person, &typed))?)
}

async fn created<R: Kind>(
    dashboard: &Dashboard,
    person: &Person,
    typed: &Typed,
) -> Result<Response, Refusal> {
    let control = &dashboard.control;
    match records::create::<R>(control, &person.actor, given::<R>(typed)).await {
        Ok(id) => {
            let notice = Notice::new(format!("The {} was added.", R::RECORDS.noun()));
            form::done(person, notice, &person.links.record(R::RECORDS, &id.to_string())).await
        }
        Err(error) => {
            let form = typed.wrong(form::errors(error)?);
            Ok(form::again(data::new::<R>(control, &person.actor, &person.visit, form).await?))
        }
    }
}

async fn edit(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(One { records, id }): Path<One>,
) -> Result<Response, Response> {
    let records = may_change(&dashboard, &person, &OfKind { records }).await?;
    Ok(Html(of_kind!(records, form_to_edit(&dashboard, &person, &id))?).into_response())
}

async fn form_to_edit<R: Kind>(dashboard: &Dashboard, person: &Person, id: &str) -> Result<String, Refusal> {
    let id = id_of::<R>(id)?;
    Ok(data::edit::<R>(&dashboard.control, &person.actor, &person.visit, id, None).await?)
}

async fn update(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(One { records, id }): Path<One>,
    typed: Typed,
) -> Result<Response, Response> {
    let records = may_change(&dashboard, &person, &OfKind { records }).await?;
    Ok(of_kind!(records, updated(&dashboard, &person, &id, &typed))?)
}

async fn updated<R: Kind>(
    dashboard: &Dashboard,
    person: &Person,
    id: &str,
    typed: &Typed,
) -> Result<Response, Refusal> {
    let (control, id) = (&dashboard.control, id_of::<R>(id)?);
    match records::update::<R>(control, &person.actor, id, given::<R>(typed)).await {
        Ok(()) => {
            let to = person.links.record(R::RECORDS, &id.to_string());
            form::done(person, Notice::new("It was saved."), &to).await
        }
        Err(error) => {
            let form = typed.wrong(form::errors(error)?);
            Ok(form::again(data::edit::<R>(control, &person.actor, &person.visit, id, Some(form)).await?))
        }
    }
}

async fn remove(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(One { records, id }): Path<One>,
) -> Result<Response, Response> {
    let records = OfKind { records }.records()?;
    only_if(&dashboard, &person, |rights| rights.delete).await?;
    opened(&dashboard, &person).await?;
    Ok(Html(of_kind!(records, page_to_remove(&dashboard, &person, &id))?).into_response())
}

async fn page_to_remove<R: Kind>(
    dashboard: &Dashboard,
    person: &Person,
    id: &str,
) -> Result<String, Refusal> {
    let id = id_of::<R>(id)?;
    Ok(data::remove::<R>(&dashboard.control, &person.actor, &person.visit, id).await?)
}

async fn delete(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(One { records, id }): Path<One>,
) -> Result<Response, Response> {
    let records = OfKind { records }.records()?;
    only_if(&dashboard, &person, |rights| rights.delete).await?;
    opened(&dashboard, &person).await?;
    Ok(of_kind!(records, deleted(&dashboard, &person, &id))?)
}

async fn deleted<R: Kind>(dashboard: &Dashboard, person: &Person, id: &str) -> Result<Response, Refusal> {
    let (control, id) = (&dashboard.control, id_of::<R>(id)?);
    match records::delete::<R>(control, &person.actor, id).await {
        Ok(gone) => {
            let notice = Notice::new(format!("“{}” was deleted.", gone.name));
            form::done(person, notice, &person.links.records(R::RECORDS)).await
        }
        // Somebody added a contact meanwhile: the page says so.
        Err(control::Error::Refused { .. }) => {
            Ok(form::again(data::remove::<R>(control, &person.actor, &person.visit, id).await?))
        }
        Err(other) => Err(other.into()),
    }
}

async fn export(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(kind): Path<OfKind>,
    typed: Typed,
) -> Result<Response, Response> {
    let records = kind.records()?;
    opened(&dashboard, &person).await?;
    Ok(of_kind!(records, exported(&dashboard, &person, &typed))?)
}

async fn exported<R: Kind>(
    dashboard: &Dashboard,
    person: &Person,
    typed: &Typed,
) -> Result<Response, Refusal> {
    let (query, errors) = Query::read(R::RECORDS, typed.pairs());
    if !errors.is_empty() {
        return Err(Refusal::Unreadable);
    }
    let pieces = sheets::export::<R>(&dashboard.control, &person.actor, query.filter()).await?;
    Ok(sheet(&format!("{}-{}", person.visit.slug, R::RECORDS), Body::from_stream(pieces)))
}

/// A sheet to be kept as a file.
pub(super) fn sheet(name: &str, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present"));
    let kept = format!("attachment; filename=\"{name}.csv\"");
    if let Ok(kept) = HeaderValue::from_str(&kept) {
        headers.insert(CONTENT_DISPOSITION, kept);
    }
    response
}

async fn template(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(kind): Path<OfKind>,
) -> Result<Response, Response> {
    let records = may_change(&dashboard, &person, &kind).await?;
    let head = sheets::template(&dashboard.control, &person.actor, records).await.map_err(Refusal::from)?;
    Ok(sheet(&format!("{records}-template"), Body::from(head)))
}

async fn choose(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(kind): Path<OfKind>,
) -> Result<Response, Response> {
    let records = may_change(&dashboard, &person, &kind).await?;
    let form = Form::default().with("match_by", sheets::usual_key(records).word());
    Ok(Html(pages::upload(&person.visit, records, form)).into_response())
}

/// What the form for a file has sent.
#[derive(Default)]
struct Sent {
    key: String,
    file_name: String,
    content: Vec<u8>,
}

async fn read(mut form: Multipart) -> Result<Sent, MultipartError> {
    let mut sent = Sent::default();
    while let Some(field) = form.next_field().await? {
        match field.name() {
            Some("match_by") => sent.key = field.text().await?,
            Some("file") => {
                sent.file_name = field.file_name().unwrap_or("file.csv").to_owned();
                sent.content = field.bytes().await?.to_vec();
            }
            _ => {}
        }
    }
    Ok(sent)
}

async fn upload(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(kind): Path<OfKind>,
    multipart: Result<Multipart, MultipartRejection>,
) -> Result<Response, Response> {
    let records = may_change(&dashboard, &person, &kind).await?;
    let multipart = multipart.map_err(|_| Refusal::Unreadable)?;
    let again = |key: &str, errors: Vec<FieldError>| {
        let form = Form::default().with("match_by", key).wrong(errors);
        form::again(pages::upload(&person.visit, records, form))
    };
    let sent = match read(multipart).await {
        Ok(sent) => sent,
        Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return Ok(again("", vec![FieldError::new("file", "The file has more than 5 MB: divide it.")]));
        }
        Err(_) => return Err(Refusal::Unreadable.into()),
    };
    let Ok(key) = sent.key.parse::<Key>() else {
        let wrong = FieldError::new("match_by", "Choose how rows are matched with existing records.");
        return Ok(again("", vec![wrong]));
    };
    match of_kind!(records, kept(&dashboard, &person, key, &sent)) {
        Ok(import) => Ok(Redirect::to(&person.links.import(records, import)).into_response()),
        Err(error) => Ok(again(key.word(), form::errors(error)?)),
    }
}

async fn kept<R: Kind>(
    dashboard: &Dashboard,
    person: &Person,
    key: Key,
    sent: &Sent,
) -> Result<Uuid, control::Error> {
    sheets::upload::<R>(&dashboard.control, &person.actor, key, &sent.file_name, &sent.content).await
}

async fn preview(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(uploaded): Path<Uploaded>,
) -> Result<Response, Response> {
    let import = uploaded.id()?;
    let records = may_change(&dashboard, &person, &OfKind { records: uploaded.records }).await?;
    Ok(Html(of_kind!(records, previewed(&dashboard, &person, import, Vec::new()))?).into_response())
}

async fn previewed<R: Kind>(
    dashboard: &Dashboard,
    person: &Person,
    import: Uuid,
    errors: Vec<FieldError>,
) -> Result<String, Refusal> {
    Ok(data::preview::<R>(&dashboard.control, &person.actor, &person.visit, import, errors).await?)
}

async fn apply(
    State(dashboard): State<Dashboard>,
    person: Person,
    Path(uploaded): Path<Uploaded>,
    typed: Typed,
) -> Result<Response, Response> {
    let import = uploaded.id()?;
    let records = may_change(&dashboard, &person, &OfKind { records: uploaded.records }).await?;
    Ok(of_kind!(records, applied(&dashboard, &person, import, &typed))?)
}

async fn applied<R: Kind>(
    dashboard: &Dashboard,
    person: &Person,
    import: Uuid,
    typed: &Typed,
) -> Result<Response, Refusal> {
    match sheets::apply::<R>(&dashboard.control, &person.actor, import, typed.text("mark")).await {
        Ok(plan) => {
            use control::crm::sheets::Effect;
            let create = plan.count(|effect| *effect == Effect::Create) as u64;
            let update = plan.count(|effect| matches!(effect, Effect::Update(_))) as u64;
            let sentence = format!(
                "{} {} were added and {} changed.",
                wording::grouped(create),
                R::RECORDS,
                wording::grouped(update)
            );
            form::done(person, Notice::new(sentence), &person.links.records(R::RECORDS)).await
        }
        // What would come of it has changed: it is shown again, to be looked at.
        Err(control::Error::Refused { sentence, .. } | control::Error::Invalid { sentence, .. }) => {
            let errors = vec![FieldError::new(FORM, wording::sentence(&sentence))];
            Ok(form::again(previewed::<R>(dashboard, person, import, errors).await?))
        }
        Err(other) => Err(other.into()),
    }
}
