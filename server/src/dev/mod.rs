//! `dev`: a whole installation on this machine from nothing: a private PostgreSQL, a demo organization, ready keys.
//! `serve` has none of this.

mod cluster;
mod database;
mod demo;
mod folder;
mod mailbox;
mod programs;
mod ready;
mod unprivileged;

use std::sync::Arc;

use control::Control;

use crate::cli::DevArguments;
use crate::config::{Config, Place};
use crate::mail::Carrier;
use crate::net::Listener;
use crate::serve::{self, Listeners, Mode};
use crate::{Failure, ambient, log, say};
use database::Database;
use folder::Folder;
use mailbox::Mailbox;
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

    // What would go by SMTP ends in a mailbox here, unless a mail server is set.
    let mailbox = match &config.mail {
        Some(_) => None,
        None => Some(Listener::bind("--port", next_port(arguments.port, 3)?.listen).await?),
    };
    let mailbox_url = mailbox.as_ref().map(|listener| format!("http://{}", listener.address()));
    let inside = Mailbox::default();
    let carrier: Option<Arc<dyn Carrier>> = match &mailbox {
        Some(_) => Some(Arc::new(inside.clone())),
        None => serve::carrier(&config)?,
    };
    let control = serve::open(&config, ambient.clone()).await?.sending_mail();
    let hasty = control::database::connect(&database.hasty_url()?, 4).await?;
    let hasty = Control::new(hasty, ambient, config.encryption.master_keys()?);
    let demo = Box::pin(demo::load(&control, &hasty, &database, &folder)).await?;
    drop(hasty);
    let reading = mailbox.map(|listener| {
        let (most, drain) = (config.network.max_connections, config.network.drain);
        tokio::spawn(listener.serve(inside.router(), most, drain, stop.clone()))
    });
    let outcome =
        Box::pin(serve::run(&config, Mode::Development, control, carrier, listeners, stop, |origins| {
            let mailbox_url = mailbox_url.as_deref();
            let ready = Ready { origins, mailbox_url, demo: &demo, database: &database, config_file: &file };
            let told = if arguments.json { say::answer(ready.json()) } else { say::answer(ready.words()) };
            if let Err(error) = told {
                tracing::warn!(%error, "nobody reads our stdout");
            }
        }))
        .await;
    if let Some(reading) = reading {
        reading.abort();
    }
    database.close().await;
    outcome
}

/// Ports in a row of the loopback address, or any.
async fn bind(port: u16) -> Result<Listeners, Failure> {
    let mut config = Config::load(None)?;
    (config.dashboard, config.machines, config.authorization) =
        (next_port(port, 0)?, next_port(port, 1)?, next_port(port, 2)?);
    Ok(Listeners::bind(&config).await?)
}

fn next_port(port: u16, further: u16) -> Result<Place, Failure> {
    match port {
        0 => Ok(Place::loopback(0)),
        _ => port
            .checked_add(further)
            .map(Place::loopback)
            .ok_or_else(|| format!("--port {port}: the three ports after it are needed too").into()),
    }
}
