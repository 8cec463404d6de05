//! The CRM's records as sheets: exported as they are filtered, imported after a look at what would come of it.
//!
//! A file's columns are found by their head. A column that is not there leaves its field as it is; an empty cell clears it. A
//! row whose key is that of a record changes it, any other makes one; nothing is deleted. One wrong row keeps the whole file out.

use std::collections::HashMap;
use std::fmt::Write as _;

use bytes::Bytes;
use chrono::TimeDelta;
use futures::Stream;
use model::crm::{Line, Records};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::access::{Access, open};
use super::record::{Filter, Given, Key, Mark, Record, Start, fill};
use super::{companies, refer, store};
use crate::tx::TenantTx;
use crate::{Actor, Control, Error, sheet};

/// Most bytes of a file.
pub const LARGEST: usize = 5 * 1024 * 1024;
/// Most rows of a file, beside its head.
pub const MOST_ROWS: usize = 10_000;
/// For how long a file waits to be applied.
const KEPT: TimeDelta = TimeDelta::days(1);
/// Rows that are written at once.
const AT_ONCE: usize = 1_000;

/// The columns that exports have, and imports take.
pub const fn columns(records: Records) -> &'static [&'static str] {
    match records {
        Records::Companies => &["id", "external_id", "name", "website", "industry", "notes"],
        Records::Contacts => {
            &["id", "external_id", "name", "company", "company_id", "email", "phone", "job_title", "notes"]
        }
        Records::Deals => {
            &["id", "external_id", "name", "company", "company_id", "stage", "amount", "currency", "close_on"]
        }
        Records::Interactions => {
            &["id", "external_id", "contact", "contact_email", "contact_id", "kind", "at", "summary"]
        }
    }
}

/// By what an import can find records of a list again.
pub fn keys(records: Records) -> Vec<Key> {
    let own: &[Key] = match records {
        Records::Companies => &[Key::Domain, Key::Name],
        Records::Contacts => &[Key::Email, Key::Name],
        Records::Deals => &[Key::Name],
        Records::Interactions => &[],
    };
    own.iter().copied().chain([Key::ExternalId, Key::Id]).collect()
}

/// By what most imports match. Deals are often called the same: only their id is sure to mean one.
pub fn usual_key(records: Records) -> Key {
    match records {
        Records::Companies => Key::Domain,
        Records::Contacts => Key::Email,
        Records::Deals => Key::Id,
        Records::Interactions => Key::ExternalId,
    }
}

/// A sheet that only has its head, to be filled in.
pub async fn template(control: &Control, actor: &Actor, records: Records) -> Result<Bytes, Error> {
    open(control, actor, Access::Change).await?;
    let head = columns(records).iter().filter(|column| **column != "id");
    Ok([sheet::MARK, &sheet::lines([head])?].concat().into())
}

/// The records of a filter as a sheet, in the order in which they were made. Read in pieces, each in a transaction of its
/// own, so that a slow reader holds none.
pub async fn export<R: Record>(
    control: &Control,
    actor: &Actor,
    filter: Filter,
) -> Result<impl Stream<Item = Result<Bytes, Error>> + Send + 'static, Error> {
    open(control, actor, Access::Read).await?;
    let (control, actor) = (control.clone(), actor.clone());
    Ok(sheet::in_pieces(columns(R::RECORDS), move |after| {
        let (control, actor, filter) = (control.clone(), actor.clone(), filter.clone());
        async move {
            let mut tx = open(&control, &actor, Access::Read).await?;
            let start = Start::Id(after.unwrap_or(Uuid::nil()));
            let lines = R::list(&mut tx, &filter, &start, sheet::PIECE).await?;
            let last = lines.last().map(|line| line.id);
            Ok((lines.iter().map(cells::<R>).collect(), last))
        }
    }))
}

fn cells<R: Record>(line: &Line<R>) -> Vec<String> {
    let cell = |column: &&str| match *column {
        "id" => R::Id::from(line.id).to_string(),
        "company" => line.company.as_ref().map(|(_, name)| name.clone()).unwrap_or_default(),
        "contact" => line.contact.as_ref().map(|(_, name)| name.clone()).unwrap_or_default(),
        field => line.record.get(field),
    };
    columns(R::RECORDS).iter().map(cell).collect()
}

/// What would come of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Its name.
    pub file_name: String,
    /// By what records are found again.
    pub key: Key,
    /// Columns that nothing is made of.
    pub ignored: Vec<String>,
    /// What would become of each row that is right.
    pub rows: Vec<Planned>,
    /// What is wrong, by row.
    pub wrong: Vec<WrongCell>,
    /// Names this plan: applying it is refused when it would be another one by then.
    pub mark: String,
}

impl Plan {
    /// How many rows come to this.
    pub fn count(&self, what: impl Fn(&Effect) -> bool) -> usize {
        self.rows.iter().filter(|row| what(&row.effect)).count()
    }
}

/// A row that is right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Planned {
    /// In which line of the file it begins; the head is the first.
    pub line: u64,
    /// By what people call the record.
    pub name: String,
    /// What would become of it.
    pub effect: Effect,
}

/// What would become of a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// A new record.
    Create,
    /// A record that is there is changed in these fields.
    Update(Vec<&'static str>),
    /// It is there as it is.
    Skip,
}

/// What is wrong with a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WrongCell {
    /// In which line of the file it begins.
    pub line: u64,
    /// In which column; empty: the row as a whole.
    pub column: String,
    /// What is wrong and what would be right.
    pub sentence: String,
}

/// Keeps a file, until it is applied or a day has passed. Returns by what it is found.
///
/// # Errors
/// `file`: what is wrong with it as a whole; `match_by` when it has no such column.
pub async fn upload<R: Record>(
    control: &Control,
    actor: &Actor,
    key: Key,
    file_name: &str,
    content: &[u8],
) -> Result<Uuid, Error> {
    let mut tx = open(control, actor, Access::Change).await?;
    let text = text(content)?;
    let file = read::<R>(text)?;
    if !keys(R::RECORDS).contains(&key) {
        return Err(Error::invalid("match_by", "choose by what records are found again"));
    }
    if !file.columns.iter().any(|column| column == key.word()) {
        return Err(Error::invalid(
            "match_by",
            format!("the file has no column `{key}`: choose another, or add it"),
        ));
    }
    let user = actor.user_id().ok_or_else(|| Error::not_found("import for anybody but people"))?;
    let file_name: String = file_name.chars().filter(|c| !c.is_control()).take(200).collect();
    let (id, tenant, now) = (control.ambient().random_uuid(), tx.tenant_uuid(), tx.now());
    sqlx::query!("DELETE FROM crm_imports WHERE tenant_id = $1 AND created_at < $2", tenant, now - KEPT)
        .execute(tx.conn())
        .await?;
    sqlx::query!(
        "INSERT INTO crm_imports (tenant_id, id, records, match_by, file_name, content, user_id, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        tenant,
        id,
        R::RECORDS.word(),
        key.word(),
        file_name,
        text,
        user.uuid(),
        now,
    )
    .execute(tx.conn())
    .await?;
    tx.commit().await?;
    Ok(id)
}

/// What would come of a file that one uploaded. Changes nothing.
pub async fn plan<R: Record>(control: &Control, actor: &Actor, import: Uuid) -> Result<Plan, Error> {
    let mut tx = open(control, actor, Access::Change).await?;
    Ok(planned::<R>(&mut tx, import).await?.0)
}

/// Applies a file, all of it or nothing. `mark` is that of the plan that was looked at.
///
/// # Errors
/// `wrong_rows`; `plan_changed` when something else would come of it by now.
pub async fn apply<R: Record>(
    control: &Control,
    actor: &Actor,
    import: Uuid,
    mark: &str,
) -> Result<Plan, Error> {
    let mut tx = open(control, actor, Access::Change).await?;
    let (plan, work) = planned::<R>(&mut tx, import).await?;
    if !plan.wrong.is_empty() {
        return Err(Error::refused(
            "wrong_rows",
            "rows of the file are wrong: correct them and upload it again",
        ));
    }
    if plan.mark != mark {
        return Err(Error::refused(
            "plan_changed",
            "records have changed since you looked, so that something else would come of the file: look again",
        ));
    }
    let parents: Vec<_> =
        work.create.iter().chain(&work.update).filter_map(|(_, record)| record.parent()).collect();
    refer::hold(&mut tx, &parents).await?;
    let by = Mark::of(&mut tx, None).await?;
    let mut events = Vec::with_capacity(work.create.len() + work.update.len());
    for (what, rows) in [("create", &work.create), ("update", &work.update)] {
        for rows in rows.chunks(AT_ONCE) {
            let done = if what == "create" {
                R::insert(&mut tx, rows, &by).await
            } else {
                R::update(&mut tx, rows, &by).await
            };
            done.map_err(store::conflict::<R>)?;
        }
        events.extend(rows.iter().map(|(id, record)| {
            let noun = R::RECORDS.noun();
            (
                format!("{noun}.{what}"),
                noun,
                R::Id::from(*id).to_string(),
                record.name(),
                json!({ "import": plan.file_name }),
            )
        }));
    }
    for events in events.chunks(AT_ONCE) {
        tx.audit_all(events).await?;
    }
    let detail = json!({
        "records": R::RECORDS, "created": work.create.len(), "updated": work.update.len(), "key": plan.key,
    });
    tx.audit("crm.import", "import", import, &plan.file_name, detail).await?;
    let tenant = tx.tenant_uuid();
    sqlx::query!("DELETE FROM crm_imports WHERE tenant_id = $1 AND id = $2", tenant, import)
        .execute(tx.conn())
        .await?;
    tx.commit().await?;
    Ok(plan)
}

/// Records to be written.
struct Work<R> {
    create: Vec<(Uuid, R)>,
    update: Vec<(Uuid, R)>,
}

/// A row on its way to become a record.
struct Row {
    line: u64,
    given: Given,
}

async fn planned<R: Record>(tx: &mut TenantTx, import: Uuid) -> Result<(Plan, Work<R>), Error> {
    let tenant = tx.tenant_uuid();
    let missing = || Error::not_found("such import");
    let user = tx.actor().user_id().ok_or_else(missing)?;
    // One's own alone: what somebody else uploaded is theirs to look at.
    let kept = sqlx::query!(
        "SELECT match_by, file_name, content FROM crm_imports
         WHERE tenant_id = $1 AND id = $2 AND records = $3 AND user_id = $4 AND created_at >= $5",
        tenant,
        import,
        R::RECORDS.word(),
        user.uuid(),
        tx.now() - KEPT,
    )
    .fetch_optional(tx.conn())
    .await?
    .ok_or_else(missing)?;
    let key: Key = crate::rows::word("an import", &kept.match_by)?;
    let file = read::<R>(&kept.content)?;
    let mut wrong = file.wrong;
    let (numbers, mut given): (Vec<u64>, Vec<Given>) =
        file.rows.into_iter().map(|row| (row.line, row.given)).unzip();
    let resolved = refer::resolve::<R>(tx, &mut given).await?;

    let values: Vec<Option<String>> = given.iter().map(|row| key_of::<R>(key, row)).collect();
    let there = known::<R>(tx, key, &values).await?;
    let externals: Vec<Option<String>> = given.iter().map(|row| key_of::<R>(Key::ExternalId, row)).collect();
    let taken = if key == Key::ExternalId {
        HashMap::new()
    } else {
        known::<R>(tx, Key::ExternalId, &externals).await?
    };

    let mut seen: HashMap<(Key, String), u64> = HashMap::new();
    let mut work = Work { create: Vec::new(), update: Vec::new() };
    let mut rows = Vec::with_capacity(given.len());
    let now = tx.now();
    for (at, (given, resolved)) in given.into_iter().zip(resolved).enumerate() {
        let line = numbers.get(at).copied().unwrap_or_default();
        let mut said = |column: &str, sentence: String| {
            wrong.push(WrongCell { line, column: column.to_owned(), sentence });
        };
        let mut right = true;
        if let Some((column, sentence)) = resolved {
            said(column, sentence);
            right = false;
        }
        let value = values.get(at).cloned().flatten();
        let external = externals.get(at).cloned().flatten();
        for (key, value) in [(key, &value), (Key::ExternalId, &external)] {
            let Some(value) = value else { continue };
            match seen.insert((key, value.clone()), line) {
                Some(before) if before != line => {
                    said(key.word(), format!("line {before} has the same: each record can be there once"));
                    right = false;
                }
                _ => {}
            }
        }
        let found = value.as_ref().and_then(|value| there.get(value)).map(Vec::as_slice).unwrap_or_default();
        let base = match (&value, found) {
            (_, [one]) => Some(one.clone()),
            (Some(_), []) if key == Key::Id => {
                said(
                    "id",
                    format!("there is no {} of this id; leave it empty for a new one", R::RECORDS.noun()),
                );
                continue;
            }
            (_, []) => None,
            (_, several) => {
                said(
                    key.word(),
                    format!("{} records have this: match by something that only one has", several.len()),
                );
                continue;
            }
        };
        if let Some(others) = external.as_ref().and_then(|external| taken.get(external))
            && others.iter().any(|(id, _)| Some(*id) != base.as_ref().map(|(id, _)| *id))
        {
            said("external_id", format!("another {} has this id already", R::RECORDS.noun()));
            right = false;
        }
        let mut record = base.as_ref().map(|(_, record)| record.clone()).unwrap_or_default();
        let mut problems = fill(&mut record, &given);
        if problems.is_empty() && right {
            problems.extend(record.check(now).err());
        }
        for (column, sentence) in problems {
            said(shown::<R>(column), sentence);
            right = false;
        }
        if !right {
            continue;
        }
        let name = record.name();
        let effect = match base {
            None => {
                work.create.push((tx.id::<R::Id>().into(), record));
                Effect::Create
            }
            Some((id, was)) => match store::differences(&was, &record) {
                fields if fields.is_empty() => Effect::Skip,
                fields => {
                    work.update.push((id, record));
                    Effect::Update(fields)
                }
            },
        };
        rows.push(Planned { line, name, effect });
    }
    wrong.sort_by_key(|cell| cell.line);
    let mark = mark(&rows);
    let plan = Plan { file_name: kept.file_name, key, ignored: file.ignored, rows, wrong, mark };
    Ok((plan, work))
}

/// Under which column a field that is an id is typed.
fn shown<R: Record>(field: &'static str) -> &'static str {
    match (R::RECORDS, field) {
        (_, "company_id") => "company",
        (_, "contact_id") => "contact",
        _ => field,
    }
}

fn mark(rows: &[Planned]) -> String {
    let mut text = String::new();
    for row in rows {
        let _ = writeln!(text, "{} {:?}", row.line, row.effect);
    }
    hex::encode(Sha256::digest(text))
}

/// The value of a key as it is compared; none when the row has none.
fn key_of<R: Record>(key: Key, row: &Given) -> Option<String> {
    let text = row.get(key.word())?.trim();
    let value = match key {
        Key::Id => text
            .parse::<R::Id>()
            .map(Into::<Uuid>::into)
            .map_or_else(|_| text.to_owned(), |id| id.to_string()),
        Key::ExternalId => text.to_owned(),
        Key::Domain => companies::domain(text).unwrap_or_default(),
        Key::Email | Key::Name => text.to_lowercase(),
    };
    Some(value).filter(|value| !value.is_empty())
}

/// Records that are there, by the value of a key.
async fn known<R: Record>(
    tx: &mut TenantTx,
    key: Key,
    values: &[Option<String>],
) -> Result<HashMap<String, Vec<(Uuid, R)>>, Error> {
    let mut wanted: Vec<String> = values.iter().flatten().cloned().collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut there: HashMap<String, Vec<(Uuid, R)>> = HashMap::new();
    if wanted.is_empty() {
        return Ok(there);
    }
    for (id, record) in R::matching(tx, key, &wanted).await? {
        let value = match key {
            Key::Id => Some(id.to_string()),
            key => key_of::<R>(key, &Given::from([(key.word().to_owned(), record.get(key.word()))])),
        };
        there.entry(value.unwrap_or_default()).or_default().push((id, record));
    }
    Ok(there)
}

/// A file as it was read.
struct File {
    /// The columns that something is made of.
    columns: Vec<String>,
    ignored: Vec<String>,
    rows: Vec<Row>,
    wrong: Vec<WrongCell>,
}

/// A file's text, without the byte order mark that spreadsheets write.
fn text(content: &[u8]) -> Result<&str, Error> {
    if content.is_empty() {
        return Err(Error::invalid("file", "choose a file"));
    }
    if content.len() > LARGEST {
        return Err(Error::invalid("file", "the file has more than 5 MB: divide it"));
    }
    let text = std::str::from_utf8(content).ok().filter(|text| !text.contains('\0'));
    let text =
        text.ok_or_else(|| Error::invalid("file", "the file is no text in UTF-8: save it as “CSV UTF-8”"))?;
    Ok(text.strip_prefix('\u{FEFF}').unwrap_or(text))
}

fn read<R: Record>(text: &str) -> Result<File, Error> {
    let wrong_file = |sentence: String| Error::invalid("file", sentence);
    // Spreadsheets write semicolons where the comma is in numbers.
    let first = text.lines().next().unwrap_or_default();
    let delimiter = if first.contains(';') && !first.contains(',') { b';' } else { b',' };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .has_headers(false)
        .from_reader(text.as_bytes());
    let mut records = reader.records();
    let unreadable = |error: csv::Error| wrong_file(format!("the file cannot be read as CSV: {error}"));
    let head = records
        .next()
        .transpose()
        .map_err(unreadable)?
        .ok_or_else(|| wrong_file("the file is empty".to_owned()))?;
    let head: Vec<String> =
        head.iter().map(|cell| sheet::unguarded(cell).trim().to_lowercase().replace(' ', "_")).collect();
    let known = columns(R::RECORDS);
    let (used, ignored): (Vec<String>, Vec<String>) =
        head.iter().cloned().partition(|column| known.contains(&column.as_str()));
    if used.is_empty() {
        return Err(wrong_file(format!("its first line must name columns such as {}", known.join(", "))));
    }
    if let Some(twice) =
        used.iter().enumerate().find(|(at, column)| used.iter().skip(at + 1).any(|it| it == *column))
    {
        return Err(wrong_file(format!("it has two columns `{}`", twice.1)));
    }
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    for record in records {
        let record = record.map_err(unreadable)?;
        let line = record.position().map_or(0, csv::Position::line);
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        if rows.len() + wrong.len() >= MOST_ROWS {
            return Err(wrong_file(format!("it has more than {MOST_ROWS} rows: divide it")));
        }
        if record.len() != head.len() {
            let sentence = format!("it has {} cells and the first line {}", record.len(), head.len());
            wrong.push(WrongCell { line, column: String::new(), sentence });
            continue;
        }
        let cells = head.iter().zip(record.iter()).filter(|(column, _)| known.contains(&column.as_str()));
        let given = cells.map(|(column, cell)| (column.clone(), sheet::unguarded(cell).to_owned())).collect();
        rows.push(Row { line, given });
    }
    if rows.is_empty() && wrong.is_empty() {
        return Err(wrong_file("it has no rows below its first line".to_owned()));
    }
    let ignored = ignored.into_iter().filter(|column| !column.is_empty()).collect();
    Ok(File { columns: used, ignored, rows, wrong })
}
