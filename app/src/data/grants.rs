//! Who may use what: what its pages ask of `control`.

use control::actor::Actor;
use control::grants::change::{self, Change, Done, Reviewed};
use control::grants::{listing, matrix as rows, pick, preview};
use control::{Control, Error};
use model::access::{Grantee, PermissionKey};

use crate::document::Visit;
use crate::pages::grants::new::Step;
use crate::pages::grants::query::{Asked, ListQuery, MatrixQuery, NewQuery};
use crate::pages::grants::{cell, list, matrix, new, review};
use crate::pieces::form::Form;

/// The matrix. `typed` is its form when it came back with an error.
pub async fn matrix(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    query: MatrixQuery,
    typed: Option<Form>,
) -> Result<String, Error> {
    let shown = rows::matrix(control, actor, &query.wanted()).await?;
    Ok(matrix::page(visit, query, shown, typed))
}

/// One cell.
pub async fn cell(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    key: &PermissionKey,
    grantee: Grantee,
) -> Result<String, Error> {
    Ok(cell::page(visit, rows::cell(control, actor, key, grantee).await?))
}

/// The list.
pub async fn list(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    query: ListQuery,
) -> Result<String, Error> {
    let found = listing::search(control, actor, &query.wanted()).await?;
    let only = match query.grantee {
        Some(grantee) => Some(pick::grantee(control, actor, grantee).await?.name),
        None => None,
    };
    Ok(list::page(visit, query, found, only))
}

/// Giving a key: the next step.
pub async fn new(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    query: NewQuery,
    back: String,
) -> Result<String, Error> {
    let named = match query.grantee {
        Some(grantee) => Some(pick::grantee(control, actor, grantee).await?),
        None => None,
    };
    let step = match (query.key.clone(), named) {
        (Some(key), Some(named)) => Step::End(key, named),
        (Some(key), None) => {
            let found = pick::grantees(control, actor, query.kind, &query.text, query.page).await?;
            Step::Whom(key, found)
        }
        (None, named) => Step::Key(pick::keys(control, actor, &query.text, query.page).await?, named),
    };
    Ok(new::page(visit, query, step, back))
}

/// What a change would come to. `again`: it was confirmed, and rights had changed meanwhile.
pub async fn review(
    control: &Control,
    actor: &Actor,
    visit: &Visit,
    asked: &Asked,
    again: bool,
) -> Result<String, Error> {
    let preview = preview::preview(control, actor, asked.change.clone()).await?;
    Ok(review::page(visit, asked, preview, again))
}

/// Makes a change that was reviewed.
pub async fn change(
    control: &Control,
    actor: &Actor,
    change: Change,
    reviewed: Reviewed,
) -> Result<Done, Error> {
    change::change(control, actor, change, Some(reviewed)).await
}
