//! Adding, changing and deleting records of any kind, for whoever does it. Who may was settled before.

use model::CallId;
use model::crm::Records;
use serde_json::json;

use super::record::{Consequence, Given, Key, Mark, Record, fill};
use super::refer;
use crate::Error;
use crate::actor::Who;
use crate::tx::TenantTx;

/// Adds a record.
pub(super) async fn create<R: Record>(
    tx: &mut TenantTx,
    given: Given,
    call: Option<CallId>,
) -> Result<R::Id, Error> {
    let record = read::<R>(tx, R::default(), given).await?;
    let id: R::Id = tx.id();
    let row = [(id.into(), record)];
    let mark = Mark::of(tx, call).await?;
    R::insert(tx, &row, &mark).await.map_err(conflict::<R>)?;
    let [(_, record)] = row;
    audit(tx, "create", R::RECORDS, id, &record.name(), json!({})).await?;
    Ok(id)
}

/// Changes a record in the fields that were given.
pub(super) async fn update<R: Record>(
    tx: &mut TenantTx,
    id: R::Id,
    given: Given,
    call: Option<CallId>,
) -> Result<(), Error> {
    let found = R::matching(tx, Key::Id, &[id.into().to_string()]).await?;
    let (_, was) = found.into_iter().next().ok_or_else(|| missing::<R>(id))?;
    let record = read::<R>(tx, was.clone(), given).await?;
    let changed = differences(&was, &record);
    if changed.is_empty() {
        return Ok(());
    }
    let mark = Mark::of(tx, call).await?;
    let row = [(id.into(), record)];
    R::update(tx, &row, &mark).await.map_err(conflict::<R>)?;
    let [(_, record)] = row;
    audit(tx, "update", R::RECORDS, id, &record.name(), json!({ "fields": changed })).await
}

/// Deletes a record. One that others belong to stays.
pub(super) async fn delete<R: Record>(tx: &mut TenantTx, id: R::Id) -> Result<Consequence, Error> {
    let follows = R::consequence(tx, id.into()).await?.ok_or_else(|| missing::<R>(id))?;
    if follows.hinders() {
        return Err(Error::refused(
            "still_in_use",
            format!(
                "“{}” has {} contacts and {} deals and was not deleted: delete those first, or move the contacts to another company",
                follows.name, follows.contacts, follows.deals
            ),
        ));
    }
    R::delete(tx, id.into()).await?;
    let detail = json!({ "interactions": follows.interactions });
    audit(tx, "delete", R::RECORDS, id, &follows.name, detail).await?;
    Ok(follows)
}

/// What was given, over what was there: whole, and belonging to something that is there.
async fn read<R: Record>(tx: &mut TenantTx, mut record: R, given: Given) -> Result<R, Error> {
    let mut rows = [given];
    // An id of nothing is left to `hold` below: it is not there, for whoever gives it.
    let wrong = refer::resolve::<R>(tx, &mut rows)
        .await?
        .into_iter()
        .flatten()
        .find(|(field, _)| !field.ends_with("_id"));
    if let Some((field, sentence)) = wrong {
        return Err(Error::invalid(field, sentence));
    }
    let [given] = rows;
    if let Some((field, sentence)) = fill(&mut record, &given).into_iter().next() {
        return Err(Error::invalid(field, sentence));
    }
    record.check(tx.now()).map_err(|(field, sentence)| Error::invalid(field, sentence))?;
    if let Some(parent) = record.parent() {
        refer::hold(tx, &[parent]).await?;
    }
    Ok(record)
}

/// Names of the fields in which two records differ.
pub(super) fn differences<R: Record>(was: &R, is: &R) -> Vec<&'static str> {
    R::FIELDS.iter().copied().filter(|field| was.get(field) != is.get(field)).collect()
}

/// What a person or the operator did is in the record of changes; what an agent did is a call of its own.
pub(super) async fn audit(
    tx: &mut TenantTx,
    what: &str,
    records: Records,
    id: impl std::fmt::Display,
    name: &str,
    detail: serde_json::Value,
) -> Result<(), Error> {
    if matches!(tx.actor().who(), Who::Agent(_)) {
        return Ok(());
    }
    tx.audit(&format!("{}.{what}", records.noun()), records.noun(), id, name, detail).await
}

pub(super) fn missing<R: Record>(id: R::Id) -> Error {
    Error::not_found(format!("{} {id}", R::RECORDS.noun()))
}

/// An id in another system that is another record's already, as what it is.
pub(super) fn conflict<R: Record>(error: Error) -> Error {
    let Error::Database(database) = &error else { return error };
    let constraint = database.as_database_error().and_then(|error| error.constraint());
    if constraint == Some(&format!("crm_{}_external_id", R::RECORDS)) {
        return Error::invalid("external_id", format!("another {} has this id already", R::RECORDS.noun()));
    }
    error
}
