//! `doctor`: looks at everything that has to be right before `serve` can do its work, and says of each how it is, one line each.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use control::mail::{self, Outbox};
use control::{Actor, Control, database, modules, tenants, vault};
use http::StatusCode;
use model::catalog::{ModuleKind, ModuleStanding};
use tokio::net::TcpListener;

use crate::config::{Config, Wrong};
use crate::mail::Smtp;
use crate::say::one_line;
use crate::{Failure, ambient, healthcheck, plugs, say};

/// Longer than this nobody waits for one upstream server.
const PATIENCE: Duration = Duration::from_secs(15);
/// A mail that has waited longer than this is not on its way.
const LATE: TimeDelta = TimeDelta::minutes(15);

/// What was found.
#[derive(Default)]
struct Findings {
    ill: AtomicBool,
}

impl Findings {
    /// One line; remembers whether anything was wrong.
    fn tell(&self, what: &str, found: Result<String, Failure>) -> bool {
        let well = found.is_ok();
        let line = match &found {
            Ok(how) => format!("ok    {what:<28} {how}"),
            Err(error) => format!("FAIL  {what:<28} {}", one_line(error.as_ref())),
        };
        // A reader that went away is no reason to report something else.
        let _ = say::answer(line);
        if !well {
            self.ill.store(true, Ordering::Relaxed);
        }
        well
    }
}

/// `workingagents doctor`: 0 when everything is well, else 1.
pub(crate) async fn command(config: Result<Config, Wrong>) -> ExitCode {
    let findings = Findings::default();
    match config {
        Ok(config) => {
            findings.tell("configuration", Ok("every key and value is known".to_owned()));
            examine(&config, &findings).await;
        }
        Err(wrong) => {
            findings.tell("configuration", Err(wrong.into()));
        }
    }
    if findings.ill.load(Ordering::Relaxed) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

async fn examine(config: &Config, findings: &Findings) {
    for (key, address) in [
        ("dashboard.listen", Some(config.dashboard.listen)),
        ("machines.listen", Some(config.machines.listen)),
        ("authorization.listen", Some(config.authorization.listen)),
        ("metrics.listen", config.metrics),
    ] {
        let Some(address) = address else { continue };
        let free = match TcpListener::bind(address).await {
            Ok(_) => Ok(format!("{address} is free")),
            Err(why) => match healthcheck::ask(healthcheck::reachable(address), "/healthz").await {
                Ok(StatusCode::OK) => Ok(format!("a server answers at {address}")),
                _ => Err(format!("{address}: {why}").into()),
            },
        };
        findings.tell(key, free);
    }
    let site = config.site.join("pkg");
    let found = if site.is_dir() {
        Ok(format!("{} is there", config.site.display()))
    } else {
        Err(format!("{} has no pkg folder: build it with `cargo xtask build`", config.site.display()).into())
    };
    findings.tell("site.dir", found);

    mail_server(config, findings).await;
    let keys = config.encryption.master_keys();
    findings.tell(
        "encryption.master_key",
        keys.as_ref().map(|_| "can be read".to_owned()).map_err(|w| w.to_string().into()),
    );
    let pool = async { Ok::<_, Failure>(database::connect(config.database.url()?, 2).await?) }.await;
    let pool = match pool {
        Ok(pool) => pool,
        Err(error) => {
            findings.tell("database.url", Err(error));
            return;
        }
    };
    findings.tell("database.url", Ok("connected".to_owned()));
    let checked = database::check(&pool).await;
    let how = "durable, migrated, and row security binds the login".to_owned();
    if !findings.tell("database", checked.map(|()| how).map_err(Into::into)) {
        return;
    }
    if let Ok(keys) = keys {
        let control = Control::new(pool, ambient::ambient(), keys);
        outbox(&control, config, findings).await;
        if let Err(error) = organizations(&control, config, findings).await {
            findings.tell("organizations", Err(error));
        }
    }
}

/// Whether mails can be sent. An installation without a mail server is not ill, but its operator should know.
async fn mail_server(config: &Config, findings: &Findings) {
    let Some(mail) = &config.mail else {
        let without =
            "not set: no mails are sent, so nobody can sign up, be invited or reset a password by mail";
        findings.tell("mail.smtp_url", Ok(without.to_owned()));
        return;
    };
    let asked = async { Smtp::new(mail)?.test().await };
    let found = tokio::time::timeout(PATIENCE, asked)
        .await
        .unwrap_or_else(|_| Err(format!("the mail server did not answer within {PATIENCE:?}").into()));
    findings.tell(
        "mail.smtp_url",
        found.map(|()| format!("the mail server answers; mails come from {}", mail.from)),
    );
}

/// What waits to be sent, and what could not be.
async fn outbox(control: &Control, config: &Config, findings: &Findings) {
    let outbox = match mail::outbox(control).await {
        Ok(outbox) => outbox,
        Err(error) => {
            findings.tell("outbox", Err(error.into()));
            return;
        }
    };
    let Outbox { waiting, oldest, problem, given_up } = outbox;
    let late = oldest.is_some_and(|at| control.ambient().now() - at > LATE);
    let why = problem.map(|problem| format!("; the last problem: {problem}")).unwrap_or_default();
    let words = format!("{waiting} mails wait, {given_up} were given up in the last seven days{why}");
    let ill = config.mail.is_some() && (late || given_up > 0);
    findings.tell("outbox", if ill { Err(words.into()) } else { Ok(words) });
}

/// Each organization's keys, and each upstream server that it uses.
async fn organizations(control: &Control, config: &Config, findings: &Findings) -> Result<(), Failure> {
    let gateway = plugs::discovering(control, config.gateway.clone())?;
    let way = plugs::way_out(&config.gateway)?;
    let heads = tenants::list(control).await?;
    if heads.is_empty() {
        findings.tell("organizations", Ok("there are none yet".to_owned()));
    }
    for head in heads {
        let opened = vault::opens(control, head.id).await;
        findings.tell(
            &format!("keys of {}", head.slug),
            opened.map(|()| "the master key opens them".to_owned()).map_err(Into::into),
        );
        let actor = Actor::operator(head.id, "doctor");
        for line in modules::list(control, &actor).await? {
            let (ModuleKind::Mcp, ModuleStanding::Live, Some(url)) =
                (line.view.kind, line.view.standing, line.view.url.as_deref())
            else {
                continue;
            };
            let asked = async {
                let secret = match line.connection {
                    Some(connection) => {
                        let had = modules::connections::authorization(control, &way, head.id, connection);
                        Some(had.await?.secret)
                    }
                    None => None,
                };
                let found = gateway.discover(head.id, url, secret).await?;
                Ok(format!(
                    "{} {} offers {} tools",
                    found.server_name,
                    found.server_version,
                    found.tools.len()
                ))
            };
            let found = tokio::time::timeout(PATIENCE, asked)
                .await
                .unwrap_or_else(|_| Err(format!("{url} did not answer within {PATIENCE:?}").into()));
            findings.tell(&format!("module {}/{}", head.slug, line.view.name), found);
        }
    }
    Ok(())
}
