//! Permission keys given to units, roles, people and agents.

use std::time::Duration;

use clap::Subcommand;
use control::grants;
use model::access::PermissionKey;
use serde_json::json;

use super::Desk;
use super::answer::Answer;
use super::named::{Whom, key, time, until};
use crate::Failure;

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// Give a permission key.
    Give {
        /// The key, such as crm or crm:read.
        #[arg(long, value_parser = key)]
        key: PermissionKey,
        #[command(flatten)]
        whom: Whom,
        /// For how long, such as 30d; not given: until it is revoked.
        #[arg(long, value_name = "TIME", value_parser = time)]
        expires_in: Option<Duration>,
    },
    /// Take a permission key back: the next call that needs it is refused.
    Revoke {
        /// The key, such as crm or crm:read.
        #[arg(long, value_parser = key)]
        key: PermissionKey,
        #[command(flatten)]
        whom: Whom,
    },
    /// Who has what.
    List,
}

pub(super) async fn run(desk: &Desk, verb: Verb) -> Result<Answer, Failure> {
    let (control, actor) = (&desk.control, desk.actor().await?);
    match verb {
        Verb::Give { key, whom, expires_in } => {
            let (grantee, name) = whom.find(control, &actor).await?;
            let end = desk.after(expires_in);
            let id = grants::give(control, &actor, &key, grantee, end).await?;
            Ok(Answer::said(
                format!("`{key}` is given to {name}, {}.", until(end)),
                json!({ "id": id, "key": key, "grantee": grantee, "expires_at": end }),
            ))
        }
        Verb::Revoke { key, whom } => {
            let (grantee, name) = whom.find(control, &actor).await?;
            grants::revoke_key(control, &actor, &key, grantee).await?;
            Ok(Answer::said(
                format!("`{key}` is taken from {name}: the next call that rests on it is refused."),
                json!({ "key": key, "grantee": grantee, "revoked": true }),
            ))
        }
        Verb::List => {
            let lines = grants::list(control, &actor).await?;
            let json = lines
                .iter()
                .map(|line| {
                    json!({
                        "id": line.view.id, "key": line.view.key, "grantee": line.view.grantee,
                        "grantee_name": line.grantee_name, "expires_at": line.view.expires_at, "given_by": line.given_by,
                        "given_at": line.given_at,
                    })
                })
                .collect();
            let rows = lines
                .into_iter()
                .map(|line| {
                    let until = until(line.view.expires_at);
                    vec![line.view.key.to_string(), line.grantee_name, until, line.given_by]
                })
                .collect();
            Ok(Answer::table(&["key", "given to", "valid", "given by"], rows, json))
        }
    }
}
