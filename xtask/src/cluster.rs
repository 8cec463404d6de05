//! A private PostgreSQL for one command: reached by a unix socket alone, durable as in production, gone at the end
//! whatever the end is. What a killed command left behind is cleared away by the next one.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, test_kill_process};

use crate::failure::{Failure, Result, at};
use crate::machine::is_root;
use crate::machine::postgres::{self, Programs};
use crate::progress::{say, step};
use crate::run::{self, Group, answer};
use crate::workspace::target;

/// The longest path that a unix socket may have on Linux, less the name that PostgreSQL appends.
const LONGEST_SOCKET_FOLDER: usize = 107 - "/.s.PGSQL.5432".len();

pub(crate) struct Cluster {
    programs: Programs,
    server: Group,
    folder: PathBuf,
    sockets: PathBuf,
}

impl Cluster {
    /// Makes a fresh cluster under `target/test-pg` and starts it.
    pub(crate) fn start() -> Result<Self> {
        let programs = postgres::programs()?;
        step("starting a private PostgreSQL", || Self::start_with(programs))
    }

    fn start_with(programs: Programs) -> Result<Self> {
        let user = Unprivileged::choose()?;
        let folder = home(&user, &programs)?;
        let data = folder.join("data");
        // Never below the repository: its path may be too long for a socket.
        let sockets = std::env::temp_dir().join(format!("workingagents-{}", std::process::id()));
        if sockets.as_os_str().len() > LONGEST_SOCKET_FOLDER {
            return Err(Failure::Other(format!(
                "{} is too long for a socket; set TMPDIR",
                sockets.display()
            )));
        }
        user.folder(&sockets)?;

        answer(
            user.become_in(&mut programs.command("initdb"))
                .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"])
                .arg("--pgdata")
                .arg(&data),
        )?;
        let log_file = folder.join("log");
        let log = fs::File::create(&log_file).map_err(at("creating", &log_file))?;
        let errors = log.try_clone().map_err(at("opening", &log_file))?;
        let mut command = programs.command("postgres");
        command.arg("-D").arg(&data).args(["-k"]).arg(&sockets);
        for setting in [
            "listen_addresses=",
            "max_connections=400",
            "fsync=on",
            "full_page_writes=on",
            "synchronous_commit=on",
        ] {
            command.args(["-c", setting]);
        }
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let server = Group::start_apart(user.become_in(&mut command))?;
        let mut cluster = Self { programs, server, folder, sockets };
        cluster.wait_until_ready(&data, &log_file)?;
        Ok(cluster)
    }

    /// The superuser's address of a database.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&user=postgres", self.sockets.display())
    }

    /// Makes an empty database with every migration applied, in the order of the files' names.
    pub(crate) fn migrated_database(&self, name: &str, migrations: &Path) -> Result<String> {
        let psql = |database: &str| {
            let mut command = self.programs.command("psql");
            command
                .args(["--no-psqlrc", "--quiet", "--single-transaction", "-v", "ON_ERROR_STOP=1"])
                .arg(self.url(database));
            // Notices and the results of selects are of no interest, errors are.
            command.args(["--output", "/dev/null"]).env("PGOPTIONS", "--client-min-messages=warning");
            command
        };
        let mut create = self.programs.command("psql");
        create
            .args(["--no-psqlrc", "--quiet", "-c", &format!("CREATE DATABASE {name}")])
            .arg(self.url("postgres"));
        run::quietly("creating a database", &mut create)?;
        let mut files: Vec<PathBuf> = fs::read_dir(migrations)
            .map_err(at("reading", migrations))?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension() == Some(OsStr::new("sql")))
            .collect();
        files.sort();
        for file in files {
            let what = format!("migrating by {}", file.display());
            run::quietly(&what, psql(name).arg("-f").arg(&file))?;
        }
        Ok(self.url(name))
    }

    /// PostgreSQL itself says in its pid file when it takes connections.
    fn wait_until_ready(&mut self, data: &Path, log: &Path) -> Result<()> {
        let begin = Instant::now();
        loop {
            run::unless_interrupted()?;
            let status = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
            if status.lines().nth(7).is_some_and(|line| line.trim() == "ready") {
                return Ok(());
            }
            let ended = !matches!(self.server.child.try_wait(), Ok(None));
            if ended || begin.elapsed() > Duration::from_secs(60) {
                let said = fs::read_to_string(log).unwrap_or_default();
                return Err(Failure::Other(format!("PostgreSQL did not start. It said:\n{said}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // Nothing in it is worth a checkpoint.
        self.server.stop(Signal::QUIT, Signal::KILL, Duration::from_secs(10));
        // Nothing to be done about what cannot be removed; the next command tries again.
        let _ = fs::remove_dir_all(&self.folder);
        let _ = fs::remove_dir_all(&self.sockets);
        say("stopped the private PostgreSQL");
    }
}

/// Whom PostgreSQL runs as: it refuses root.
struct Unprivileged {
    ids: Option<(u32, u32)>,
}

impl Unprivileged {
    fn choose() -> Result<Self> {
        if !is_root() {
            return Ok(Self { ids: None });
        }
        let users = Path::new("/etc/passwd");
        let text = fs::read_to_string(users).map_err(at("reading", users))?;
        let ids = ["postgres", "nobody"].iter().find_map(|name| {
            let line = text.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut numbers = line.split(':').skip(2).map_while(|field| field.parse::<u32>().ok());
            Some((numbers.next()?, numbers.next()?))
        });
        match ids {
            Some(ids) => Ok(Self { ids: Some(ids) }),
            None => Err(Failure::Missing {
                what: "a user to run PostgreSQL as (it refuses root)".into(),
                how: "As root: useradd --system postgres".into(),
            }),
        }
    }

    fn become_in<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        // Where we stand may be closed to that user.
        command.current_dir("/");
        match self.ids {
            Some((user, group)) => command.uid(user).gid(group),
            None => command,
        }
    }

    /// Makes a folder that is that user's own.
    fn folder(&self, path: &Path) -> Result<()> {
        fs::create_dir_all(path).map_err(at("creating", path))?;
        if let Some((user, group)) = self.ids {
            chown(path, Some(user), Some(group)).map_err(at("handing over", path))?;
        }
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(at("closing", path))
    }

    fn reaches(&self, path: &Path) -> bool {
        answer(self.become_in(&mut Command::new("test")).arg("-w").arg(path)).is_ok()
    }
}

/// A folder for this command's cluster: in the target folder where the user can get there, else in the system's
/// temporary place.
fn home(user: &Unprivileged, programs: &Programs) -> Result<PathBuf> {
    let name = std::process::id().to_string();
    for parent in [target().join("test-pg"), std::env::temp_dir().join("workingagents-test-pg")] {
        fs::create_dir_all(&parent).map_err(at("creating", &parent))?;
        clear_strays(&parent, user, programs);
        let folder = parent.join(&name);
        user.folder(&folder)?;
        if user.reaches(&folder) {
            return Ok(folder);
        }
        let _ = fs::remove_dir_all(&folder);
        say(format_args!("{} is closed to PostgreSQL's user; using the temporary folder", parent.display()));
    }
    Err(Failure::Other("there is no folder in which PostgreSQL's user may write".into()))
}

/// Stops and removes clusters whose command is no longer there. The folder's name is the command's process id.
fn clear_strays(parent: &Path, user: &Unprivileged, programs: &Programs) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let owner = entry.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        let Some(owner) = owner else { continue };
        if test_kill_process(owner).is_ok() {
            continue;
        }
        let folder = entry.path();
        if folder.join("data/postmaster.pid").exists() {
            say(format_args!("stopping a PostgreSQL that a killed command left in {}", folder.display()));
            let _ = answer(
                user.become_in(&mut programs.command("pg_ctl"))
                    .args(["stop", "--mode=immediate", "--pgdata"])
                    .arg(folder.join("data")),
            );
        }
        let _ = fs::remove_dir_all(&folder);
        let _ = fs::remove_dir_all(
            std::env::temp_dir().join(format!("workingagents-{}", owner.as_raw_nonzero())),
        );
    }
}
