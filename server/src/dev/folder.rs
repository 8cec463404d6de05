//! The data folder of `dev`: one process at a time has it. Keeps the master key, the demo's keys in plain text (the database
//! has only their hashes), and a configuration with which further processes can join.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::Ambient;
use rustix::fs::FlockOperation;

use super::database::Database;
use super::demo::Kept;

/// How long a former process that was just killed may take to be gone.
const HANDOVER: Duration = Duration::from_secs(2);

/// Something about the folder that stops `dev`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    #[error("{doing} {path}: {why}")]
    File { doing: &'static str, path: PathBuf, why: io::Error },
    #[error("another `workingagents dev` runs with {0}: stop it, or give this one another --data")]
    Taken(PathBuf),
    #[error("{path} is not what an earlier `dev` wrote: {why}; remove the folder to begin anew")]
    Unreadable { path: PathBuf, why: serde_json::Error },
}

fn at<'a>(doing: &'static str, path: &'a Path) -> impl Fn(io::Error) -> FolderError + 'a {
    move |why| FolderError::File { doing, path: path.to_owned(), why }
}

/// The folder, locked until dropped.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: fs::File,
}

impl Folder {
    /// Opens the folder, making it if it is not there.
    pub(super) fn open(path: &Path) -> Result<Self, FolderError> {
        // PostgreSQL may run as another user, who has to pass through; what is secret in here is closed to others.
        fs::DirBuilder::new().recursive(true).mode(0o711).create(path).map_err(at("making", path))?;
        let path = path.canonicalize().map_err(at("finding", path))?;
        let lock_file = path.join("lock");
        let lock = private()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_file)
            .map_err(at("opening", &lock_file))?;
        let patience = Instant::now() + HANDOVER;
        loop {
            match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self { path, _lock: lock }),
                Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < patience => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(rustix::io::Errno::WOULDBLOCK) => return Err(FolderError::Taken(path)),
                Err(error) => return Err(at("locking", &lock_file)(error.into())),
            }
        }
    }

    /// Where it is, in full.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// A secret of the installation by its file's name, made once.
    pub(super) fn secret(&self, name: &str, ambient: &Ambient) -> Result<(PathBuf, String), FolderError> {
        let path = self.path.join(name);
        match fs::read_to_string(&path) {
            Ok(text) => Ok((path, text.trim().to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let text = STANDARD.encode(ambient.bytes::<32>());
                self.write(name, &text)?;
                Ok((path, text))
            }
            Err(error) => Err(at("reading", &path)(error)),
        }
    }

    /// What was kept of the demo, if it was loaded before.
    pub(super) fn kept(&self) -> Result<Option<Kept>, FolderError> {
        let path = self.path.join("demo.json");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at("reading", &path)(error)),
        };
        serde_json::from_str(&text).map(Some).map_err(|why| FolderError::Unreadable { path, why })
    }

    /// Keeps what cannot be read from the database again.
    pub(super) fn keep(&self, kept: &Kept) -> Result<(), FolderError> {
        let text = serde_json::to_string_pretty(kept)
            .map_err(|why| FolderError::Unreadable { path: self.path.join("demo.json"), why })?;
        self.write("demo.json", &text)
    }

    /// Writes the configuration that this process and others that join it use.
    pub(super) fn configuration(
        &self,
        database: &Database,
        ambient: &Ambient,
        site: &Path,
        addresses: [(&'static str, SocketAddr); 3],
    ) -> Result<PathBuf, FolderError> {
        let (master_key, _) = self.secret("master.key", ambient)?;
        let site = std::path::absolute(site).map_err(at("finding", site))?;
        let text = |text: &str| toml::Value::from(text);
        let mut sections = toml::Table::new();
        let mut set = |section: &str, key: &str, value: toml::Value| {
            let entry = sections.entry(section).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            if let toml::Value::Table(keys) = entry {
                keys.insert(key.to_owned(), value);
            }
        };
        set("database", "url", text(database.url()));
        set("database", "migrate_url", text(database.owner_url()));
        set("encryption", "master_key_file", text(&master_key.to_string_lossy()));
        set("site", "dir", text(&site.to_string_lossy()));
        set("log", "format", text("text"));
        // Used only when WORKINGAGENTS_MAIL__SMTP_URL is set too.
        set("mail", "from", text("WorkingAgents <no-reply@workingagents.example>"));
        // Upstream servers on this machine may be tried out.
        let own = ["127.0.0.0/8", "::1/128"].map(toml::Value::from).to_vec();
        set("network", "allowed_upstream_networks", toml::Value::Array(own));
        for (place, address) in addresses {
            set(place, "listen", text(&address.to_string()));
        }
        let name = "workingagents.toml";
        self.write(
            name,
            &format!(
                "# Written by `workingagents dev` at each start. A further server on the same database:\n\
                 # WORKINGAGENTS_DASHBOARD__LISTEN=127.0.0.1:9080 WORKINGAGENTS_MACHINES__LISTEN=127.0.0.1:9081 \\\n\
                 # WORKINGAGENTS_AUTHORIZATION__LISTEN=127.0.0.1:9082 workingagents serve --config THIS_FILE\n\n{sections}"
            ),
        )?;
        Ok(self.path.join(name))
    }

    /// Replaces a file in one step, readable by nobody else.
    fn write(&self, name: &str, text: &str) -> Result<(), FolderError> {
        let (path, fresh) = (self.path.join(name), self.path.join(format!("{name}.new")));
        let write = || {
            let mut file = private().create(true).truncate(true).write(true).open(&fresh)?;
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            fs::rename(&fresh, &path)
        };
        write().map_err(at("writing", &path))
    }
}

fn private() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.mode(0o600);
    options
}
