//! `dev`: a whole installation on this machine from nothing: a private PostgreSQL, a demo organization, ready keys.
//! `serve` has none of this.

mod cluster;
mod components;
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

    let beside = Listener::bind("--port", next_port(arguments.port, 3)?.listen).await?;
    let beside_url = format!("http://{}", beside.address());
    // What would go by SMTP ends in a mailbox here, unless a mail server is set.
    let mailbox = config.mail.is_none().then(Mailbox::default);
    let carrier: Option<Arc<dyn Carrier>> = match &mailbox {
        Some(mailbox) => Some(Arc::new(mailbox.clone())),
        None => serve::carrier(&config)?,
    };
    let has_mailbox = mailbox.is_some();
    // Without the site folder there is nothing to show pieces with; the dashboard says so.
    let pages = components::router(&config.site, ambient.clone()).unwrap_or_default();
    let pages = mailbox.into_iter().fold(pages, |pages, mailbox| pages.merge(mailbox.router()));
    let control = serve::open(&config, ambient.clone()).await?.sending_mail();
    let hasty = control::database::connect(&database.hasty_url()?, 4).await?;
    let pool = control::database::connect(config.database.url()?, 2).await?;
    let ago = |by| {
        let keys = config.encryption.master_keys()?;
        Ok::<_, Failure>(Control::new(pool.clone(), demo::ago(&ambient, by), keys))
    };
    let controls = demo::Controls {
        now: control.clone(),
        hasty: Control::new(hasty, ambient.clone(), config.encryption.master_keys()?),
        founding: ago(demo::FOUNDED)?,
        stopping: ago(demo::STOPPED)?,
    };
    let demo = Box::pin(demo::load(&controls, &database, &folder)).await?;
    drop((controls, pool));
    let reading = {
        let (most, drain) = (config.network.max_connections, config.network.drain);
        tokio::spawn(beside.serve(pages, most, drain, stop.clone()))
    };
    let outcome =
        Box::pin(serve::run(&config, Mode::Development, control, carrier, listeners, stop, |origins| {
            let mailbox_url = has_mailbox.then_some(beside_url.as_str());
            let components_url = &format!("{beside_url}/components");
            let (demo, database, config_file) = (&demo, &database, file.as_path());
            let ready = Ready { origins, mailbox_url, components_url, demo, database, config_file };
            let told = if arguments.json { say::answer(ready.json()) } else { say::answer(ready.words()) };
            if let Err(error) = told {
                tracing::warn!(%error, "nobody reads our stdout");
            }
        }))
        .await;
    reading.abort();
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
