//! Organizations.

use std::path::PathBuf;

use clap::Subcommand;
use control::Actor;
use control::tenants::{self, NewOwner, NewTenant};
use model::Currency;
use model::people::Slug;
use serde_json::json;

use super::answer::Answer;
use super::{Desk, secret};
use crate::Failure;

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// Found an organization with its owner and first department.
    Create {
        /// Its short name in URLs; never given out again.
        #[arg(long)]
        slug: Slug,
        /// Its name.
        #[arg(long)]
        name: String,
        /// In what its calls are charged (ISO 4217).
        #[arg(long, default_value = "USD")]
        currency: Currency,
        /// The department it begins with, where its owner sits.
        #[arg(long, default_value = "General")]
        first_unit: String,
        /// The owner's mail address.
        #[arg(long)]
        owner_email: String,
        /// The owner's name.
        #[arg(long)]
        owner_name: String,
        /// A file with the owner's password; `-`: standard input. Not given: one is made and shown once.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// All organizations.
    List,
    /// Stop everything in an organization.
    Suspend {
        /// Its short name.
        slug: Slug,
    },
    /// Let a suspended organization go on.
    Resume {
        /// Its short name.
        slug: Slug,
    },
}

pub(super) async fn run(desk: &Desk, verb: Verb) -> Result<Answer, Failure> {
    let control = &desk.control;
    match verb {
        Verb::Create { slug, name, currency, first_unit, owner_email, owner_name, password_file } => {
            let (password, made) = secret::password(password_file.as_deref(), control.ambient())?;
            let owner = NewOwner { email: owner_email, name: owner_name, password };
            let email = owner.email.clone();
            let new = NewTenant { slug: slug.clone(), name: name.clone(), currency, first_unit, owner };
            let created = tenants::create(control, &desk.operator, new).await?;
            let endpoint = format!("/{}/mcp", created.mcp_id);
            let shown = made.as_ref().map(|made| format!("\nThe owner's password, shown this once: {made}"));
            Ok(Answer::said(
                format!(
                    "Organization “{name}” ({slug}) is there. Agents connect to {endpoint} of the machines' origin.{}",
                    shown.unwrap_or_default()
                ),
                json!({
                    "tenant": slug, "id": created.tenant, "mcp_id": created.mcp_id, "mcp_path": endpoint,
                    "owner": { "id": created.owner, "email": email, "password": made },
                }),
            ))
        }
        Verb::List => {
            let heads = tenants::list(control).await?;
            let json = heads
                .iter()
                .map(|head| {
                    json!({
                        "tenant": head.slug, "id": head.id, "name": head.name, "standing": head.standing,
                        "currency": head.currency, "mcp_id": head.mcp_id, "mcp_path": format!("/{}/mcp", head.mcp_id),
                    })
                })
                .collect();
            let rows = heads
                .into_iter()
                .map(|head| {
                    let endpoint = format!("/{}/mcp", head.mcp_id);
                    vec![
                        head.slug.to_string(),
                        head.name,
                        head.standing.to_string(),
                        head.currency.to_string(),
                        endpoint,
                    ]
                })
                .collect();
            Ok(Answer::table(&["slug", "name", "standing", "currency", "endpoint"], rows, json))
        }
        Verb::Suspend { slug } => {
            let (actor, name) = of(desk, &slug).await?;
            tenants::suspend(control, &actor).await?;
            Ok(Answer::said(
                format!(
                    "“{name}” is suspended: the next call of each of its agents is refused, and nobody of it can sign in."
                ),
                json!({ "tenant": slug, "standing": "suspended" }),
            ))
        }
        Verb::Resume { slug } => {
            let (actor, name) = of(desk, &slug).await?;
            tenants::resume(control, &actor).await?;
            Ok(Answer::said(format!("“{name}” goes on."), json!({ "tenant": slug, "standing": "active" })))
        }
    }
}

/// The organization that the verb itself names: stopping one must not depend on there being only one.
async fn of(desk: &Desk, slug: &Slug) -> Result<(Actor, String), Failure> {
    let head = tenants::by_slug(&desk.control, slug)
        .await?
        .ok_or_else(|| format!("there is no organization `{slug}`"))?;
    Ok((Actor::operator(head.id, &desk.operator), head.name))
}
