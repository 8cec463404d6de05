//! `admin`: what has no page yet, from the operator's shell. One file a noun; every verb is a function of `control`, which
//! authorizes and records it. Things are named, not numbered.

mod agents;
mod answer;
mod bundles;
mod calls;
mod grants;
mod keys;
mod limits;
mod modules;
mod named;
mod secret;
mod tenants;
mod units;
mod users;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use control::tenants::TenantHead;
use control::vault::MasterKeys;
use control::{Actor, Control, database};
use secrecy::SecretString;

use crate::config::{Config, Log};
use crate::{Failure, ambient, log, plugs, say};

/// Options of `admin`, before or after the noun.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The database's address as the application role, instead of `database.url`.
    #[arg(long, global = true, value_name = "URL", value_parser = secret::parse)]
    database_url: Option<SecretString>,
    /// A file with the master keys, one in each line, instead of `encryption.master_key`. Needed only for what is sealed:
    /// `tenant create`, secrets of modules, contents of calls.
    #[arg(long, global = true, value_name = "FILE")]
    master_key_file: Option<PathBuf>,
    /// The organization's short name; not needed while there is only one.
    #[arg(long, global = true, value_name = "NAME")]
    tenant: Option<String>,
    /// Answer with JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    noun: Noun,
}

#[derive(Subcommand, Debug)]
enum Noun {
    /// Organizations.
    #[command(subcommand)]
    Tenant(tenants::Verb),
    /// Departments and teams.
    #[command(subcommand)]
    Unit(units::Verb),
    /// People and their roles.
    #[command(subcommand)]
    User(users::Verb),
    /// Agents.
    #[command(subcommand)]
    Agent(agents::Verb),
    /// What agents present.
    #[command(subcommand)]
    Key(keys::Verb),
    /// Services in the catalog, with their tools and prices.
    #[command(subcommand)]
    Module(modules::Verb),
    /// MCP addresses with a choice of the tools.
    #[command(subcommand)]
    Bundle(bundles::Verb),
    /// Limits on calls.
    #[command(subcommand)]
    Limit(limits::Verb),
    /// Permission keys given to units, roles, people and agents.
    #[command(subcommand)]
    Grant(grants::Verb),
    /// The record of calls.
    #[command(subcommand)]
    Calls(calls::Verb),
}

/// `workingagents admin`.
pub(crate) async fn command(file: Option<&Path>, arguments: Arguments) -> Result<(), Failure> {
    let desk = Desk::open(file, &arguments).await?;
    let answer = match arguments.noun {
        Noun::Tenant(verb) => tenants::run(&desk, verb).await,
        Noun::Unit(verb) => units::run(&desk, verb).await,
        Noun::User(verb) => users::run(&desk, verb).await,
        Noun::Agent(verb) => agents::run(&desk, verb).await,
        Noun::Key(verb) => keys::run(&desk, verb).await,
        Noun::Module(verb) => Box::pin(modules::run(&desk, verb)).await,
        Noun::Bundle(verb) => bundles::run(&desk, verb).await,
        Noun::Limit(verb) => limits::run(&desk, verb).await,
        Noun::Grant(verb) => grants::run(&desk, verb).await,
        Noun::Calls(verb) => calls::run(&desk, verb).await,
    };
    plugs::renewals_end(&desk.control).await;
    Ok(say::answer(answer?.shown(arguments.json))?)
}

/// What the verbs work with.
struct Desk {
    control: Control,
    config: Config,
    /// As named on the command line.
    tenant: Option<String>,
    /// Name of the person at the shell, for the record.
    operator: String,
}

impl Desk {
    async fn open(file: Option<&Path>, arguments: &Arguments) -> Result<Self, Failure> {
        let config = Config::load(file)?;
        log::start(&Log { json: false, filter: "warn".to_owned() });
        let url = match &arguments.database_url {
            Some(url) => url,
            None => config.database.url()?,
        };
        let master_keys = match &arguments.master_key_file {
            Some(path) => secret::master_keys(path)?,
            None if config.encryption.is_set() => config.encryption.master_keys()?,
            None => MasterKeys::none(),
        };
        let pool = database::connect(url, 2).await?;
        database::check(&pool).await?;
        let sends_mail =
            config.mail.is_some() && (arguments.master_key_file.is_some() || config.encryption.is_set());
        let control = Control::new(pool, ambient::ambient(), master_keys);
        // A mail is sealed until it is sent, so without a key there is none.
        let control = if sends_mail { control.sending_mail() } else { control };
        Ok(Self { control, config, tenant: arguments.tenant.clone(), operator: operator() })
    }

    /// The organization that was named, or the only one.
    async fn head(&self) -> Result<TenantHead, Failure> {
        let all = control::tenants::list(&self.control).await?;
        match &self.tenant {
            Some(slug) => all.into_iter().find(|head| head.slug.as_str() == slug).ok_or_else(|| {
                format!("there is no organization `{slug}`; see `workingagents admin tenant list`").into()
            }),
            None => match <[TenantHead; 1]>::try_from(all) {
                Ok([only]) => Ok(only),
                Err(none) if none.is_empty() => {
                    Err("there is no organization yet: make one with `workingagents admin tenant create`"
                        .into())
                }
                Err(several) => {
                    let slugs: Vec<_> = several.iter().map(|head| head.slug.as_str()).collect();
                    Err(format!("say which organization with --tenant: {}", slugs.join(", ")).into())
                }
            },
        }
    }

    /// Ourselves in that organization.
    async fn actor(&self) -> Result<Actor, Failure> {
        Ok(Actor::operator(self.head().await?.id, &self.operator))
    }
}

/// Name of the operating system's user.
fn operator() -> String {
    let uid = rustix::process::geteuid().as_raw();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    users
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find_map(|fields| match fields.as_slice() {
            [name, _, number, ..] if number.parse() == Ok(uid) => Some((*name).to_owned()),
            _ => None,
        })
        .unwrap_or_else(|| format!("user {uid}"))
}
