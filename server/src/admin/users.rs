//! People and their roles.

use std::path::PathBuf;

use clap::Subcommand;
use control::users::{self, NewUser};
use model::people::Role;
use serde_json::json;

use super::answer::Answer;
use super::{Desk, secret};
use crate::Failure;

#[derive(Subcommand, Debug)]
pub(super) enum Verb {
    /// Add a person.
    Create {
        /// Their mail address, by which they sign in.
        #[arg(long)]
        email: String,
        /// Their name.
        #[arg(long)]
        name: String,
        /// Path of the unit they sit in, such as Sales/EMEA.
        #[arg(long, value_name = "PATH")]
        unit: String,
        /// A role to begin with: owner, admin, auditor, finance, approver or member.
        #[arg(long, default_value = "member")]
        role: Role,
        /// A file with their password; `-`: standard input. Not given: one is made and shown once.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Everybody, with their roles.
    List,
    /// Stop a person, every agent they own and every agent that acts for them.
    Suspend {
        /// Their mail address.
        #[arg(long)]
        email: String,
    },
    /// Let a suspended person act again.
    Resume {
        /// Their mail address.
        #[arg(long)]
        email: String,
    },
    /// Set another password.
    Password {
        /// Their mail address.
        #[arg(long)]
        email: String,
        /// A file with the password; `-`: standard input. Not given: one is made and shown once.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// What a person may do in the dashboard.
    #[command(subcommand)]
    Role(RoleVerb),
}

#[derive(Subcommand, Debug)]
pub(super) enum RoleVerb {
    /// Give a role.
    Give(RoleArguments),
    /// Take a role away.
    Take(RoleArguments),
}

#[derive(clap::Args, Debug)]
pub(super) struct RoleArguments {
    /// The person's mail address.
    #[arg(long)]
    email: String,
    /// owner, admin, auditor, finance, approver or member.
    #[arg(long)]
    role: Role,
    /// Path of the unit where (and below which) the role holds; not given: everywhere.
    #[arg(long, value_name = "PATH")]
    unit: Option<String>,
}

pub(super) async fn run(desk: &Desk, verb: Verb) -> Result<Answer, Failure> {
    let (control, actor) = (&desk.control, desk.actor().await?);
    match verb {
        Verb::Create { email, name, unit, role, password_file } => {
            let unit = desk.unit(&actor, &unit).await?;
            let (password, made) = secret::password(password_file.as_deref(), control.ambient())?;
            let new = NewUser {
                email: email.clone(),
                name: name.clone(),
                home_unit: unit.id,
                password: Some(password),
                role: Some(role),
            };
            let id = users::create(control, &actor, new).await?;
            let shown = made.as_ref().map(|made| format!("\nTheir password, shown this once: {made}"));
            Ok(Answer::said(
                format!("{name} ({role}, {}) is there.{}", unit.name, shown.unwrap_or_default()),
                json!({ "id": id, "email": email, "name": name, "role": role, "password": made }),
            ))
        }
        Verb::List => list(desk, &actor).await,
        Verb::Suspend { email } => {
            let user = desk.user(&actor, &email).await?;
            users::suspend(control, &actor, user.id).await?;
            Ok(Answer::said(
                format!(
                    "{} is suspended: the next call of every agent that they own or that acts for them is refused.",
                    user.name
                ),
                json!({ "id": user.id, "email": user.email, "standing": "suspended" }),
            ))
        }
        Verb::Resume { email } => {
            let user = desk.user(&actor, &email).await?;
            users::resume(control, &actor, user.id).await?;
            let json = json!({ "id": user.id, "email": user.email, "standing": "active" });
            Ok(Answer::said(format!("{} may act again.", user.name), json))
        }
        Verb::Password { email, password_file } => {
            let user = desk.user(&actor, &email).await?;
            let (password, made) = secret::password(password_file.as_deref(), control.ambient())?;
            users::set_password(control, &actor, user.id, &password).await?;
            let shown = made.as_ref().map(|made| format!(" Shown this once: {made}"));
            Ok(Answer::said(
                format!(
                    "{} has another password; the former one no longer works.{}",
                    user.name,
                    shown.unwrap_or_default()
                ),
                json!({ "id": user.id, "email": user.email, "password": made }),
            ))
        }
        Verb::Role(verb) => {
            let (RoleVerb::Give(arguments) | RoleVerb::Take(arguments)) = &verb;
            let user = desk.user(&actor, &arguments.email).await?;
            let unit = match &arguments.unit {
                Some(path) => Some(desk.unit(&actor, path).await?),
                None => None,
            };
            let (role, at) = (arguments.role, unit.as_ref().map(|unit| unit.id));
            let place =
                unit.as_ref().map_or("everywhere".to_owned(), |unit| format!("in {} and below", unit.name));
            let words = match verb {
                RoleVerb::Give(_) => {
                    users::give_role(control, &actor, user.id, role, at).await?;
                    format!("{} is {role} {place}.", user.name)
                }
                RoleVerb::Take(_) => {
                    users::take_role(control, &actor, user.id, role, at).await?;
                    format!(
                        "{} is no longer {role} {place}; what came from it ends with their next request.",
                        user.name
                    )
                }
            };
            Ok(Answer::said(
                words,
                json!({ "id": user.id, "email": user.email, "role": role, "unit": arguments.unit }),
            ))
        }
    }
}

async fn list(desk: &Desk, actor: &control::Actor) -> Result<Answer, Failure> {
    let (lines, names) = (users::list(&desk.control, actor).await?, desk.names(actor).await?);
    let roles = |line: &users::UserLine| -> Vec<String> {
        line.roles
            .iter()
            .map(|held| match held.unit {
                Some(unit) => format!("{} in {}", held.role, names.unit(unit)),
                None => held.role.to_string(),
            })
            .collect()
    };
    let json = lines
        .iter()
        .map(|line| {
            json!({
                "id": line.view.id, "email": line.view.email, "name": line.view.name,
                "unit": names.unit(line.view.home_unit), "standing": line.view.standing, "roles": roles(line),
                "has_password": line.has_password,
            })
        })
        .collect();
    let rows = lines
        .iter()
        .map(|line| {
            vec![
                line.view.email.clone(),
                line.view.name.clone(),
                names.unit(line.view.home_unit),
                roles(line).join(", "),
                line.view.standing.to_string(),
            ]
        })
        .collect();
    Ok(Answer::table(&["email", "name", "unit", "roles", "standing"], rows, json))
}
