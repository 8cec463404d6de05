//! The configuration: one documented TOML, overridden by the environment. A wrong value stops the start with one line.

mod parse;
mod programs;
mod source;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use control::ledger::LedgerSettings;
use control::vault::MasterKeys;
use gateway::seams::StateKey;
use lettre::message::Mailbox;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest as _, Sha256};
use url::Url;

pub(crate) use source::Wrong;
use source::{Origin, Source};

/// Everything that can be set.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) database: Database,
    pub(crate) ledger: LedgerSettings,
    pub(crate) encryption: Encryption,
    pub(crate) dashboard: Place,
    pub(crate) machines: Place,
    pub(crate) authorization: Place,
    /// Where Prometheus fetches, if anywhere.
    pub(crate) metrics: Option<SocketAddr>,
    /// The folder of what browsers load.
    pub(crate) site: PathBuf,
    pub(crate) network: Network,
    pub(crate) gateway: gateway::Settings,
    /// How mails are sent, if they are.
    pub(crate) mail: Option<Mail>,
    /// Whether anybody may found an organization.
    pub(crate) sign_up_open: bool,
    pub(crate) log: Log,
    /// None: traces of calls are not gathered.
    pub(crate) traces: Option<Traces>,
    /// Whether `serve` works in the background too.
    pub(crate) worker: bool,
}

/// The database.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    url: Option<SecretString>,
    migrate_url: Option<SecretString>,
    /// Beside those of the ledger.
    pub(crate) connections: u32,
}

impl Database {
    /// The address as the application role.
    pub(crate) fn url(&self) -> Result<&SecretString, Wrong> {
        self.url.as_ref().ok_or(Wrong::Missing {
            key: "database.url",
            wanted: "give the database's address as the login workingagents_app",
        })
    }

    /// The address as the owner of the tables.
    pub(crate) fn migrate_url(&self) -> Result<&SecretString, Wrong> {
        self.migrate_url.as_ref().ok_or(Wrong::Missing {
            key: "database.migrate_url",
            wanted: "give the database's address as the owner of the tables",
        })
    }
}

const NO_KEY: Wrong = Wrong::Missing {
    key: "encryption.master_key",
    wanted: "give 32 random bytes in base64, such as `head -c 32 /dev/urandom | base64` makes",
};
/// What the key for the states of calls is made for, so that it is made for nothing else.
const STATE_KEY: &[u8] = b"workingagents: sealing requestState, 1\0";

/// The keys that seal organizations' keys.
#[derive(Clone, Debug)]
pub(crate) struct Encryption {
    keys: Vec<SecretString>,
    origin: Origin,
}

impl Encryption {
    /// Whether any key is given.
    pub(crate) fn is_set(&self) -> bool {
        !self.keys.is_empty()
    }

    /// The keys, newest first.
    pub(crate) fn master_keys(&self) -> Result<MasterKeys, Wrong> {
        if self.keys.is_empty() {
            return Err(NO_KEY);
        }
        MasterKeys::from_base64(self.keys.iter().map(|key| key.expose_secret())).map_err(|wrong| {
            Wrong::Value {
                key: "encryption.master_key".to_owned(),
                value: "…".to_owned(),
                origin: self.origin.clone(),
                wanted: wrong.to_string().replace("a master key is ", ""),
            }
        })
    }

    /// The key that seals what clients carry between the rounds of a call: made from the master keys, so that every node has
    /// the same, and by itself no way to them.
    pub(crate) fn state_key(&self) -> Result<StateKey, Wrong> {
        self.master_keys()?;
        let mut keys = self.keys.iter().filter_map(state_key);
        let first = keys.next().ok_or(NO_KEY)?;
        Ok(StateKey::new(first, keys))
    }
}

fn state_key(master: &SecretString) -> Option<[u8; 32]> {
    let master = STANDARD.decode(master.expose_secret().trim()).ok()?;
    Some(Sha256::new().chain_update(STATE_KEY).chain_update(master).finalize().into())
}

/// One of the three places on the network.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) listen: SocketAddr,
    public_url: Option<Url>,
}

impl Place {
    /// A place on this machine, at any free port when `port` is 0.
    pub(crate) fn loopback(port: u16) -> Self {
        Self { listen: SocketAddr::from(([127, 0, 0, 1], port)), public_url: None }
    }

    /// The origin that others see: as configured, or else where we listen.
    pub(crate) fn public_url(&self, listening: SocketAddr) -> String {
        match &self.public_url {
            Some(url) => url.origin().ascii_serialization(),
            None => format!("http://{listening}"),
        }
    }
}

/// Connections from outside.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    /// For each listener.
    pub(crate) max_connections: usize,
    /// For requests in flight when we are told to stop.
    pub(crate) drain: Duration,
}

/// Sending mails.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    /// The mail server, with its password.
    pub(crate) smtp_url: SecretString,
    /// Who they come from.
    pub(crate) from: Mailbox,
}

/// What is logged, and how.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    pub(crate) json: bool,
    pub(crate) filter: String,
}

/// Where traces of calls are sent.
#[derive(Clone, Debug)]
pub(crate) struct Traces {
    pub(crate) endpoint: Url,
    /// Headers that it wants.
    pub(crate) headers: Vec<(String, SecretString)>,
    /// Which part of all is sent, from 0 to 1.
    pub(crate) sample: f64,
}

impl Config {
    /// Reads the defaults, a file and the environment of this process.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self, Wrong> {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self::read(&mut Source::gather(file, environment)?)
    }

    fn read(source: &mut Source) -> Result<Self, Wrong> {
        let secret = |text: &str| parse::database(text).map(SecretString::from);
        Ok(Self {
            database: Database {
                url: source.maybe("database.url", secret)?,
                migrate_url: source.maybe("database.migrate_url", secret)?,
                connections: source.one("database.connections", parse::number(2, 1000))?,
            },
            ledger: LedgerSettings {
                flush_connections: source.one("ledger.flush_connections", parse::number(1, 64))?,
                settle_connections: source.one("ledger.settle_connections", parse::number(1, 64))?,
                group: source.one("ledger.group", parse::number(1, 1000))?,
                waiting: source.one("ledger.waiting", parse::number(1, 1_000_000))?,
                unsettled: source.one("ledger.unsettled", parse::number(1, 10_000_000))?,
            },
            encryption: Encryption {
                keys: source.list("encryption.master_key", |text| Ok(SecretString::from(text.to_owned())))?,
                origin: source.origin("encryption.master_key"),
            },
            dashboard: Place {
                listen: source.one("dashboard.listen", parse::address)?,
                public_url: source.maybe("dashboard.public_url", parse::origin)?,
            },
            machines: Place {
                listen: source.one("machines.listen", parse::address)?,
                public_url: source.maybe("machines.public_url", parse::origin)?,
            },
            authorization: Place {
                listen: source.one("authorization.listen", parse::address)?,
                public_url: source.maybe("authorization.public_url", parse::origin)?,
            },
            metrics: source.maybe("metrics.listen", parse::address)?,
            site: source.one("site.dir", parse::text)?.into(),
            network: Network {
                max_connections: source.one("network.max_connections", parse::number(1, 1_000_000))?,
                drain: source.one("network.drain", parse::duration)?,
            },
            gateway: Self::gateway(source)?,
            mail: Self::mail(source)?,
            sign_up_open: source.one("sign_up.open", parse::truth)?,
            log: Log {
                json: source.one("log.format", |text| match text {
                    "json" => Ok(true),
                    "text" => Ok(false),
                    _ => Err("json or text".to_owned()),
                })?,
                filter: source.one("log.level", crate::log::filter)?,
            },
            traces: Self::traces(source)?,
            worker: source.one("worker.enabled", parse::truth)?,
        })
    }

    fn traces(source: &mut Source) -> Result<Option<Traces>, Wrong> {
        let endpoint = source.maybe("traces.endpoint", parse::address_of_collector)?;
        let headers = source.list("traces.headers", parse::header)?;
        let sample = source.one("traces.sample", parse::share)?;
        Ok(endpoint.map(|endpoint| Traces { endpoint, headers, sample }))
    }

    fn mail(source: &mut Source) -> Result<Option<Mail>, Wrong> {
        let smtp_url = source.maybe("mail.smtp_url", |text| parse::smtp(text).map(SecretString::from))?;
        let from = source.maybe("mail.from", parse::mailbox)?;
        match (smtp_url, from) {
            (None, _) => Ok(None),
            (Some(smtp_url), Some(from)) => Ok(Some(Mail { smtp_url, from })),
            (Some(_), None) => Err(Wrong::Missing {
                key: "mail.from",
                wanted: "say who mails come from, such as WorkingAgents <no-reply@example.com>",
            }),
        }
    }

    fn gateway(source: &mut Source) -> Result<gateway::Settings, Wrong> {
        Ok(gateway::Settings {
            max_body_bytes: source.one("gateway.max_body", parse::size)?,
            max_depth: source.one("gateway.max_depth", parse::number(1, 1000))?,
            body_timeout: source.one("gateway.body_timeout", parse::duration)?,
            request_timeout: source.one("gateway.request_timeout", parse::duration)?,
            allowed_origins: source.list("gateway.allowed_origins", parse::origin_header)?,
            trusted_proxies: source.list("network.trusted_proxies", parse::network)?,
            client_address: source.one("network.client_address", parse::address_header)?,
            list_page: source.one("gateway.list_page", parse::number(1, 10_000))?,
            list_ttl: source.one("gateway.list_ttl", parse::duration)?,
            allowed_upstream_networks: source.list("network.allowed_upstream_networks", parse::network)?,
            names: Arc::new(gateway::seams::SystemNames),
            connect_timeout: source.one("gateway.connect_timeout", parse::duration)?,
            upstream_timeout: source.one("gateway.upstream_timeout", parse::duration)?,
            max_upstream_bytes: source.one("gateway.max_upstream", parse::size)?,
            upstream_concurrency: source.one("gateway.upstream_concurrency", parse::number(1, 100_000))?,
            upstream_wait: source.one("gateway.upstream_wait", parse::duration)?,
            upstream_faults: source.one("gateway.upstream_faults", parse::number(0, 1_000))?,
            upstream_rest: source.one("gateway.upstream_rest", parse::duration)?,
            programs: programs::read(source)?,
            input_timeout: source.one("gateway.input_timeout", parse::duration)?,
            stream_lifetime: source.one("gateway.stream_lifetime", parse::duration)?,
            kept_result_bytes: source.one("gateway.kept_result", parse::size)?,
            redecide_for: source.one("gateway.redecide_for", parse::duration)?,
            currency: source.one("gateway.currency", parse::currency)?,
        })
    }
}

#[cfg(test)]
mod tests;
