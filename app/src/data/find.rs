//! Search.

use control::actor::Actor;
use control::{Control, Error};

use crate::document::Visit;
use crate::pages::find;

/// The page of results; without a question, what there is to go to.
pub async fn page(control: &Control, actor: &Actor, visit: &Visit, asked: &str) -> Result<String, Error> {
    let found = control::find::find(control, actor, asked, find::PAGE).await?;
    Ok(find::page(visit, asked, found))
}

/// The results as the palette shows them.
pub async fn fragment(control: &Control, actor: &Actor, visit: &Visit, asked: &str) -> Result<String, Error> {
    let found = control::find::find(control, actor, asked, find::PALETTE).await?;
    Ok(find::fragment(visit, asked, found))
}
