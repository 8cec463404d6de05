//! A private PostgreSQL for `dev`: reached by a unix socket alone, as durable as in production, and gone when we are, also
//! when we are killed.

use std::fs;
use std::io;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::programs::{self, NotInstalled, Programs};
use super::unprivileged::{Nobody, Unprivileged};
use crate::say;

/// The longest path that a unix socket may have on every system, less the name that PostgreSQL appends.
const LONGEST: usize = 103 - "/.s.PGSQL.5432".len();
/// The database in it.
pub(super) const DATABASE: &str = "workingagents";

/// Runs PostgreSQL and, when our end of its stdin closes, for whatever reason, tells it to stop: SIGINT is its fast
/// shutdown.
const GUARD: &str = r#"
exec 3<&0
"$@" 3<&- &
server=$!
{ read -r _ <&3; kill -INT "$server"; } 2>/dev/null &
guard=$!
wait "$server"
status=$?
kill "$guard" 2>/dev/null
exit "$status"
"#;

/// Why there is no private PostgreSQL.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterError {
    #[error(transparent)]
    NotInstalled(#[from] NotInstalled),
    #[error(transparent)]
    Nobody(#[from] Nobody),
    #[error("{doing} {path}: {why}")]
    File { doing: &'static str, path: PathBuf, why: io::Error },
    #[error("initdb failed: {0}")]
    Initdb(String),
    #[error("PostgreSQL did not start; it said (in {log}): {said}")]
    DidNotStart { log: PathBuf, said: String },
    #[error("an earlier PostgreSQL (process {0}) still has the data and does not stop")]
    StillRuns(String),
}

fn at<'a>(doing: &'static str, path: &'a Path) -> impl Fn(io::Error) -> ClusterError + 'a {
    move |why| ClusterError::File { doing, path: path.to_owned(), why }
}

/// A running cluster. Stopped when dropped.
#[derive(Debug)]
pub(crate) struct Cluster {
    programs: Programs,
    user: Unprivileged,
    data: PathBuf,
    sockets: PathBuf,
    log: PathBuf,
    guard: Mutex<Option<Child>>,
}

impl Cluster {
    /// Starts the cluster whose data belong to a `dev` data folder, made first if it is not there.
    pub(crate) fn start(folder: &Path) -> Result<Self, ClusterError> {
        let user = Unprivileged::choose()?;
        let home = home(folder, user)?;
        let data = home.join("data");
        let programs = programs::find(&data)?;
        let sockets = sockets(&home, user)?;
        let log = home.join("postgres.log");
        let cluster = Self { programs, user, data, sockets, log, guard: Mutex::new(None) };
        if !cluster.data.join("PG_VERSION").exists() {
            say::progress(format_args!(
                "making a private PostgreSQL {} in {}",
                cluster.programs.major,
                home.display()
            ));
            cluster.initdb(&home)?;
        }
        cluster.stop_former()?;
        cluster.launch_patiently()?;
        Ok(cluster)
    }

    /// What is left of an earlier server may take a moment to let go of the data.
    fn launch_patiently(&self) -> Result<(), ClusterError> {
        let patience = Instant::now() + Duration::from_secs(15);
        loop {
            match self.launch() {
                Err(ClusterError::DidNotStart { said, .. })
                    if Instant::now() < patience
                        && ["lock file", "shared memory"].iter().any(|held| said.contains(held)) =>
                {
                    std::thread::sleep(Duration::from_millis(300));
                }
                launched => return launched,
            }
        }
    }

    /// The address of a database in it for a role.
    pub(crate) fn url(&self, role: &str, database: &str) -> String {
        address(role, database, &self.sockets)
    }

    /// Starts it again whenever it ends by itself (or is killed), until `stop`.
    pub(crate) async fn watch(&self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(200)) => {}
                () = stop.cancelled() => return,
            }
            let ended = self.guard.lock().as_mut().is_some_and(|guard| !matches!(guard.try_wait(), Ok(None)));
            if ended {
                tracing::warn!("the private PostgreSQL has ended by itself; starting it again");
                if let Err(error) = tokio::task::block_in_place(|| self.launch_patiently()) {
                    tracing::error!(%error, "the private PostgreSQL could not be started again; trying again");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    fn initdb(&self, home: &Path) -> Result<(), ClusterError> {
        // What a killed initdb left is no cluster; a finished one takes its place in one step.
        let fresh = home.join("data.new");
        if fresh.exists() {
            fs::remove_dir_all(&fresh).map_err(at("clearing away", &fresh))?;
        }
        let program = self.programs.path("initdb");
        let mut command = Command::new(&program);
        command
            .args([
                "--username=postgres",
                "--auth-local=trust",
                "--auth-host=reject",
                "--encoding=UTF8",
                "--locale=C",
            ])
            .arg("--pgdata")
            .arg(&fresh)
            .stdin(Stdio::null());
        let output = self.user.run(&mut command).output().map_err(at("starting", &program))?;
        if !output.status.success() {
            return Err(ClusterError::Initdb(last_line(&String::from_utf8_lossy(&output.stderr))));
        }
        fs::rename(&fresh, &self.data).map_err(at("renaming", &fresh))
    }

    /// Stops a server that outlived whoever started it. A stale pid file is PostgreSQL's own business.
    fn stop_former(&self) -> Result<(), ClusterError> {
        let socket = self.sockets.join(".s.PGSQL.5432");
        let pid_file = self.data.join("postmaster.pid");
        let patience = Instant::now() + Duration::from_secs(30);
        let mut told = false;
        while UnixStream::connect(&socket).is_ok() {
            let status = fs::read_to_string(&pid_file).unwrap_or_default();
            let former = status.lines().next().unwrap_or_default().trim().to_owned();
            if Instant::now() > patience {
                return Err(ClusterError::StillRuns(former));
            }
            if !told && let Some(pid) = former.parse().ok().and_then(Pid::from_raw) {
                say::progress("stopping the private PostgreSQL that an earlier `dev` left running");
                // It may just have gone by itself.
                let _ = kill_process(pid, Signal::INT);
                told = true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn launch(&self) -> Result<(), ClusterError> {
        let log = fs::File::create(&self.log).map_err(at("writing", &self.log))?;
        let errors = log.try_clone().map_err(at("writing", &self.log))?;
        let mut command = Command::new("/bin/sh");
        command.args(["-c", GUARD, "workingagents-postgres"]).arg(self.programs.path("postgres"));
        command.arg("-D").arg(&self.data).arg("-k").arg(&self.sockets);
        for setting in [
            "listen_addresses=",
            "port=5432",
            "max_connections=200",
            "fsync=on",
            "full_page_writes=on",
            "synchronous_commit=on",
        ] {
            command.args(["-c", setting]);
        }
        // A group of its own: Ctrl-C is for us, and we stop it once the last call is written down.
        self.user.run(&mut command).process_group(0);
        command.stdin(Stdio::piped()).stdout(log).stderr(errors);
        let guard = command.spawn().map_err(at("starting", Path::new("/bin/sh")))?;
        let mut held = self.guard.lock();
        let guard = held.insert(guard);
        let patience = Instant::now() + Duration::from_secs(60);
        loop {
            let status = fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
            let ended = !matches!(guard.try_wait(), Ok(None));
            // PostgreSQL itself says in the eighth line of its pid file when it takes connections.
            if !ended && status.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
                return Ok(());
            }
            if ended || Instant::now() > patience {
                let said = fs::read_to_string(&self.log).unwrap_or_default();
                return Err(ClusterError::DidNotStart { log: self.log.clone(), said: last_line(&said) });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops it and waits until it has.
    fn stop(&self) {
        let Some(mut guard) = self.guard.lock().take() else { return };
        drop(guard.stdin.take());
        let patience = Instant::now() + Duration::from_secs(20);
        while matches!(guard.try_wait(), Ok(None)) {
            if Instant::now() > patience {
                // Its own pid file is the only one who knows; as a last resort it recovers at the next start.
                let status = fs::read_to_string(self.data.join("postmaster.pid")).unwrap_or_default();
                if let Some(pid) =
                    status.lines().next().and_then(|pid| pid.trim().parse().ok()).and_then(Pid::from_raw)
                {
                    let _ = kill_process(pid, Signal::QUIT);
                }
                let _ = guard.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The address of a database behind a socket, for libpq and for us.
fn address(role: &str, database: &str, sockets: &Path) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("host", &sockets.to_string_lossy());
    let query = query.finish().replace("%2F", "/").replace('+', "%20");
    format!("postgres://{role}@localhost/{database}?{query}")
}

/// Where the cluster of a `dev` data folder lies: inside, or where its user can get to.
fn home(folder: &Path, user: Unprivileged) -> Result<PathBuf, ClusterError> {
    let inside = folder.join("postgres");
    if user.reaches(folder) {
        user.own(&inside).map_err(at("making", &inside))?;
        return Ok(inside);
    }
    let outside = std::env::temp_dir().join(format!("workingagents-postgres-{}", name_for(folder)));
    say::progress(format_args!(
        "PostgreSQL runs as another user, who cannot get into {}: its data lie in {}",
        folder.display(),
        outside.display()
    ));
    user.own(&outside).map_err(at("making", &outside))?;
    Ok(outside)
}

/// A folder for the socket: beside the data, unless that path is too long for a socket.
fn sockets(home: &Path, user: Unprivileged) -> Result<PathBuf, ClusterError> {
    let beside = home.join("run");
    let folder = if beside.as_os_str().len() <= LONGEST {
        beside
    } else {
        std::env::temp_dir().join(format!("workingagents-{}", name_for(home)))
    };
    user.own(&folder).map_err(at("making", &folder))?;
    Ok(folder)
}

/// Always the same for one path, so that the next start finds what this one made.
fn name_for(path: &Path) -> String {
    hex::encode(Sha256::digest(path.as_os_str().as_encoded_bytes())).chars().take(12).collect()
}

/// The last fatal line if there is one, for hints may follow it.
fn last_line(said: &str) -> String {
    let lines = || said.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    lines().find(|line| line.contains("FATAL")).or_else(|| lines().next()).unwrap_or("nothing").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_role_database_and_socket() {
        let url = address("workingagents_app", "workingagents", Path::new("/tmp/a b/run"));
        assert_eq!(url, "postgres://workingagents_app@localhost/workingagents?host=/tmp/a%20b/run");
        let read: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
        assert_eq!(read.get_username(), "workingagents_app");
        assert_eq!(read.get_database(), Some("workingagents"));
        assert_eq!(read.get_socket().map(PathBuf::as_path), Some(Path::new("/tmp/a b/run")));
    }
}
