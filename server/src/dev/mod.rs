//! `dev`: a whole installation on this machine from nothing: a private PostgreSQL, a demo organization, ready keys.
//! `serve` has none of this.

mod cluster;
mod database;
mod demo;
mod folder;
mod programs;
mod ready;
mod unprivileged;

use control::Control;

use crate::cli::DevArguments;
use crate::config::{Config, Place};
use crate::serve::{self, Listeners, Mode};
use crate::{Failure, ambient, log, say};
use database::Database;
use folder::Folder;
use ready::Ready;

/// `workingagents dev`.
pub(crate) async fn command(arguments: DevArguments) -> Result<(), Failure> {
    let folder = Folder::open(&arguments.data)?;
    let listeners = bind(arguments.port).await?;
    // From here on there is something to be stopped.
    let stop = serve::stop_on_signals()?;

    let ambient = ambient::ambient();
    let database = Database::open(&folder, &ambient).await?;
    let file = folder.configuration(&database, &ambient, &arguments.site, listeners.addresses())?;
    let config = Config::load(Some(&file))?;
    log::start(&config.log);

    let control = serve::open(&config, ambient.clone()).await?;
    let hasty = control::database::connect(&database.hasty_url()?, 4).await?;
    let hasty = Control::new(hasty, ambient, config.encryption.master_keys()?);
    let demo = Box::pin(demo::load(&control, &hasty, &database, &folder)).await?;
    drop(hasty);
    let outcome = Box::pin(serve::run(&config, Mode::Development, control, listeners, stop, |origins| {
        let ready = Ready { origins, demo: &demo, database: &database, config_file: &file };
        let told = if arguments.json { say::answer(ready.json()) } else { say::answer(ready.words()) };
        if let Err(error) = told {
            tracing::warn!(%error, "nobody reads our stdout");
        }
    }))
    .await;
    database.close().await;
    outcome
}

/// Three ports in a row of the loopback address, or any three.
async fn bind(port: u16) -> Result<Listeners, Failure> {
    let next = |further: u16| match port {
        0 => Ok(Place::loopback(0)),
        _ => port
            .checked_add(further)
            .map(Place::loopback)
            .ok_or_else(|| format!("--port {port}: the two ports after it are needed too")),
    };
    let mut config = Config::load(None)?;
    (config.dashboard, config.machines, config.authorization) = (next(0)?, next(1)?, next(2)?);
    Ok(Listeners::bind(&config).await?)
}
