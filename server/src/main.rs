//! What runs: one binary that serves, works in the background, migrates, starts a whole installation for development,
//! and is the operator's tool.

mod admin;
mod ambient;
mod cli;
mod config;
mod dashboard;
mod dev;
mod discovery;
mod doctor;
#[cfg(test)]
mod drift;
mod health;
mod healthcheck;
mod lease;
mod log;
mod mail;
mod metrics;
mod net;
mod plugs;
mod say;
mod serve;
mod traces;
#[cfg(test)]
mod two_nodes;
mod worker;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use config::Config;

/// Whatever a command ends with when it does not end well: told in one line.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Before anything is started that would be taken along.
    if let Command::Child { plan, command } = &cli.command {
        return failed(&gateway::become_confined(plan, command));
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    match runtime.block_on(run(cli)) {
        Ok(code) => code,
        Err(error) => failed(error.as_ref()),
    }
}

fn failed(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    say::progress(say::one_line(error));
    ExitCode::FAILURE
}

async fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let config = || Config::load(cli.config.as_deref());
    match cli.command {
        Command::Serve { without_worker } => {
            let mut config = config()?;
            config.worker &= !without_worker;
            log::start(&config.log);
            Box::pin(serve::command(&config)).await?;
        }
        Command::Worker => {
            let config = config()?;
            log::start(&config.log);
            Box::pin(serve::work(&config)).await?;
        }
        Command::Migrate => {
            let config = config()?;
            log::start(&config.log);
            control::database::migrate(config.database.migrate_url()?).await?;
            say::progress("the database is at this version");
        }
        Command::Dev(arguments) => Box::pin(dev::command(arguments)).await?,
        Command::Doctor => return Ok(Box::pin(doctor::command(config())).await),
        // Never comes here: see `main`.
        Command::Child { .. } => return Ok(ExitCode::FAILURE),
        Command::Healthcheck => healthcheck::command(&config()?).await?,
        Command::Admin(arguments) => Box::pin(admin::command(cli.config.as_deref(), arguments)).await?,
    }
    Ok(ExitCode::SUCCESS)
}
