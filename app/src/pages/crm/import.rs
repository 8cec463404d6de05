//! Importing: choosing a file, and what would come of it before it does.

use control::crm::Key;
use control::crm::sheets::{self, Effect, Plan};
use leptos::prelude::*;
use model::crm::Records;
use uuid::Uuid;

use super::kinds::label;
use crate::document::{self, Crumb, Visit};
use crate::links::Place;
use crate::pieces::field::{ErrorSummary, Field, FieldError, error_of};
use crate::pieces::form::{Form, Radios, hidden};
use crate::pieces::head::PageHead;
use crate::{text, wording};

/// Rows and errors that are shown.
const MOST: usize = 100;

const fn key(records: Records, key: Key) -> (&'static str, &'static str) {
    match key {
        Key::Domain => ("By website", "`website`: the host counts, with or without `www.`"),
        Key::Email => ("By mail address", "`email`, in capitals or not"),
        Key::Name => ("By name", "`name`, in capitals or not; it must be the only one of that name"),
        Key::ExternalId => ("By the id in another system", "`external_id`"),
        Key::Id => match records {
            Records::Companies => {
                ("By our own id", "`id`, as exports have it: for files that were exported here")
            }
            _ => ("By our own id", "`id`, as exports have it"),
        },
    }
}

/// The page on which a file is chosen.
pub fn upload(visit: &Visit, records: Records, form: Form) -> String {
    let links = visit.links();
    let title = format!("Import {records}");
    let crumbs = vec![
        Crumb::to("CRM", links.crm()),
        Crumb::to(label(records), links.records(records)),
        Crumb::here("Import"),
    ];
    document::page(visit, Place::Crm, &form.title(&title), crumbs, false, || {
        let columns = sheets::columns(records)
            .iter()
            .map(|column| view! { <li><code>{*column}</code></li> })
            .collect::<Vec<_>>();
        let options = sheets::keys(records)
            .into_iter()
            .map(|it| {
                let (label, hint) = key(records, it);
                (it.to_string(), label.to_owned(), Some(hint.to_owned()))
            })
            .collect();
        let error = error_of(form.errors(), "file");
        let described = if error.is_some() { "file-error file-hint" } else { "file-hint" };
        let template = links.template(records);
        let legend = format!("How are rows matched with existing {records}?");
        view! {
            <ErrorSummary errors=form.errors().to_vec() />
            <PageHead
                title=title.clone().into_any()
                lead="A CSV file is read and you see what would come of each row before anything is changed.".into_any()
            >
                <a class="button" href=template download="">"Download a template"</a>
            </PageHead>
            <form class="sheet" method="post" action=links.import_records(records) enctype="multipart/form-data">
                <Field name="file" label="File" error=error>
                    <p class="hint" id="file-hint">
                        "CSV in UTF-8, at most 5 MB and 10,000 rows. Its first line names its columns: any of those below, in any order."
                    </p>
                    <p class="columns-label" id="columns">"Columns"</p>
                    <ul class="columns" aria-labelledby="columns">{columns}</ul>
                    <input type="file" id="file" name="file" accept=".csv,text/csv" aria-describedby=described required />
                </Field>
                <p class="hint">
                    "Columns you leave out stay unchanged. An empty cell clears the value. A cell that begins with "
                    <code>"="</code> ", " <code>"+"</code> ", " <code>"-"</code> " or " <code>"@"</code>
                    " has an apostrophe before it in exports, so that no spreadsheet runs it; importing takes it away."
                </p>
                <Radios form=form.clone() name="match_by" legend=legend options=options />
                <div class="form-actions">
                    <button type="submit" class="button primary">"Preview the import"</button>
                    <a class="button plain" href=links.records(records)>"Cancel"</a>
                </div>
            </form>
        }
    })
}

/// What would come of a file: errors by row, or what is made, changed and left, and the button that does it.
pub fn preview(visit: &Visit, records: Records, import: Uuid, plan: Plan, errors: Vec<FieldError>) -> String {
    let links = visit.links();
    let crumbs = vec![
        Crumb::to("CRM", links.crm()),
        Crumb::to(label(records), links.records(records)),
        Crumb::to("Import", links.import_records(records)),
        Crumb::here(plan.file_name.clone()),
    ];
    let (create, update, skip) = (
        plan.count(|effect| *effect == Effect::Create),
        plan.count(|effect| matches!(effect, Effect::Update(_))),
        plan.count(|effect| *effect == Effect::Skip),
    );
    document::page(visit, Place::Crm, "What would come of the import", crumbs, false, || {
        let wrong = plan.wrong.len();
        let summary = view! {
            <dl class="tally">
                <div><dt>"New"</dt><dd>{wording::grouped(create as u64)}</dd></div>
                <div><dt>"Changed"</dt><dd>{wording::grouped(update as u64)}</dd></div>
                <div><dt>"As they are"</dt><dd>{wording::grouped(skip as u64)}</dd></div>
                <div data-tone=(wrong > 0).then_some("deny")><dt>"Wrong"</dt><dd>{wording::grouped(wrong as u64)}</dd></div>
            </dl>
        };
        let ignored = (!plan.ignored.is_empty()).then(|| {
            let columns = text::one_line(&plan.ignored.join(", "), 400);
            view! { <p class="hint">"Nothing is made of these columns: " <bdi>{columns}</bdi></p> }
        });
        let body = if wrong > 0 {
            problems(&plan).into_any()
        } else if create + update == 0 {
            view! { <p>"Everything in the file is here as it is: there is nothing to do."</p> }.into_any()
        } else {
            let apply = format!(
                "Apply: {} new, {} changed",
                wording::grouped(create as u64),
                wording::grouped(update as u64)
            );
            view! {
                <form method="post" action=links.import(records, import) class="form-actions">
                    {hidden("mark", plan.mark.clone())}
                    <button type="submit" class="button primary">{apply}</button>
                    <a class="button plain" href=links.import_records(records)>"Choose another file"</a>
                </form>
                {effects(&plan)}
            }
            .into_any()
        };
        let again = (wrong > 0).then(|| {
            view! { <p><a class="button primary" href=links.import_records(records)>"Choose the corrected file"</a></p> }
        });
        view! {
            <ErrorSummary errors=errors.clone() />
            <PageHead
                title="What would come of the import".into_any()
                lead=view! { "Of " {text::name(&plan.file_name)} ", matched by " <code>{plan.key.word()}</code> ". Nothing has been changed." }
                    .into_any()
            />
            {summary}
            {ignored}
            {body}
            {again}
        }
    })
}

fn problems(plan: &Plan) -> impl IntoView + use<> {
    let rows = plan
        .wrong
        .iter()
        .take(MOST)
        .map(|cell| {
            let column =
                if cell.column.is_empty() { ().into_any() } else { text::code(&cell.column).into_any() };
            view! {
                <tr>
                    <th scope="row" class="number">{cell.line.to_string()}</th>
                    <td>{column}</td>
                    <td>{text::prose(&wording::sentence(&cell.sentence), 600)}</td>
                </tr>
            }
        })
        .collect::<Vec<_>>();
    let more = plan.wrong.len().saturating_sub(MOST);
    let more = (more > 0).then(|| view! { <p>{format!("and {} more", wording::grouped(more as u64))}</p> });
    view! {
        <p>"Nothing of the file is taken while a row is wrong. Correct these and choose the file again."</p>
        <div class="scroll">
            <table>
                <caption>"What is wrong"</caption>
                <thead><tr><th scope="col" class="number">"Line"</th><th scope="col">"Column"</th><th scope="col">"What to do"</th></tr></thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        {more}
    }
}

fn effects(plan: &Plan) -> impl IntoView + use<> {
    let shown: Vec<_> = plan.rows.iter().filter(|row| row.effect != Effect::Skip).take(MOST).collect();
    let more = plan.count(|effect| *effect != Effect::Skip).saturating_sub(shown.len());
    let rows = shown
        .into_iter()
        .map(|row| {
            let (what, fields) = match &row.effect {
                Effect::Create => ("New", String::new()),
                Effect::Update(fields) => ("Changed", fields.join(", ")),
                Effect::Skip => ("As it is", String::new()),
            };
            view! {
                <tr>
                    <td class="number">{row.line.to_string()}</td>
                    <th scope="row">{text::name(&row.name)}</th>
                    <td>{what}</td>
                    <td>{fields}</td>
                </tr>
            }
        })
        .collect::<Vec<_>>();
    let more = (more > 0).then(|| view! { <p>{format!("and {} more", wording::grouped(more as u64))}</p> });
    view! {
        <div class="scroll">
            <table>
                <caption>"Row by row"</caption>
                <thead>
                    <tr>
                        <th scope="col" class="number">"Line"</th>
                        <th scope="col">"Record"</th>
                        <th scope="col">"What becomes of it"</th>
                        <th scope="col">"Fields"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        {more}
    }
}
