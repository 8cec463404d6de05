//! How a program that is a server is started: as whom, where, with what, and how soon again after it has ended by itself.

use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use model::TenantId;
use parking_lot::Mutex;
use rustix::process::Pid;
use secrecy::ExposeSecret as _;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::child::{LINES, Process, Stdout, Writing, log, write};
use super::pipe::{Out, Pipe};
use super::trouble::Trouble;
use crate::confine::Confinement;
use crate::programs::{Full, Place, Program, Programs, RunAs};

/// What a program that has ended by itself is left alone for: nothing the first time, then this, and twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Who has lived for so long has begun well.
const WELL: Duration = Duration::from_secs(60);
/// For how long is asked again for a place that somebody leaves, and how often. Shorter than a call may wait to be sent, so that it learns
/// why it was not.
const PLACE: Duration = Duration::from_millis(1500);
const AGAIN: Duration = Duration::from_millis(50);
/// What it finds in its environment, beside where its folder is.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A program for one module: how it is started, and how that went.
#[derive(Debug)]
pub(crate) struct Launch {
    pub(super) programs: Arc<Programs>,
    pub(super) name: String,
    pub(super) tenant: TenantId,
    ends: Mutex<Ends>,
}

/// How often it has ended by itself, one time after the other.
#[derive(Debug, Default)]
struct Ends {
    in_a_row: u32,
    rests_until: Option<Instant>,
}

impl Launch {
    pub(super) fn new(programs: Arc<Programs>, name: &str, tenant: TenantId) -> Self {
        Self { programs, name: name.to_owned(), tenant, ends: Mutex::default() }
    }

    /// Starts one. It takes no line that is longer than `limit`.
    pub(super) async fn start(self: &Arc<Self>, url: &Arc<str>, limit: usize) -> Result<Arc<Pipe>, Trouble> {
        let now = Instant::now();
        if let Some(until) = self.ends.lock().rests_until.filter(|until| *until > now) {
            let seconds = (until - now).as_secs_f64().ceil() as u64;
            return Err(Trouble::Resting { url: url.to_string(), seconds });
        }
        let failed = |why: String| Trouble::ProgramFailed { url: url.to_string(), why };
        let program = self.programs.known.get(&self.name);
        let program = program.ok_or_else(|| failed("is not there any more".to_owned()))?;
        let place = self.place().await?;
        let cannot = |why: std::io::Error| failed(format!("cannot be started: {why}"));
        let user = user(&self.programs, place.user).map_err(cannot)?;
        let folder = folder(user).map_err(cannot)?;
        let mut child = self.spawn(program, user, folder.path()).map_err(cannot)?;
        let (Some(stdin), Some(stdout), Some(stderr)) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(failed("has no pipes".to_owned()));
        };
        let Some(group) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) else {
            return Err(failed("ended at once".to_owned()));
        };
        tracing::info!(program = self.name, tenant = %self.tenant, pid = %group, "a program was started");
        tokio::spawn(log(self.name.clone(), self.tenant, stderr));
        let (lines, to_write) = mpsc::channel(LINES);
        let deaf = CancellationToken::new();
        let writing = tokio::spawn(write(stdin, to_write, deaf.clone()));
        let use_of = place.use_of.clone();
        let source = Stdout {
            launch: self.clone(),
            url: url.clone(),
            begun: now,
            stdout,
            read: BytesMut::new(),
            looked_at: 0,
            limit,
            deaf,
            writing: Writing(writing),
            process: Process { child, group },
            folder,
            place,
        };
        Ok(Pipe::new(url.clone(), Out::Child(lines), source, use_of, self.programs.idle))
    }

    async fn place(&self) -> Result<Place, Trouble> {
        let until = Instant::now() + PLACE;
        loop {
            match self.programs.running.place(&self.programs, self.tenant) {
                Ok(place) => return Ok(place),
                Err(_) if Instant::now() < until => tokio::time::sleep(AGAIN).await,
                Err(Full { limit }) => return Err(Trouble::TooManyPrograms { limit }),
            }
        }
    }

    fn spawn(&self, program: &Program, user: Option<(u32, u32)>, folder: &Path) -> std::io::Result<Child> {
        let plan = Confinement {
            user,
            memory: self.programs.memory as u64,
            processor: self.programs.processor.as_secs().max(1),
            open_files: self.programs.open_files,
            tasks: self.programs.tasks,
        };
        let mut command = match self.programs.launcher.as_deref().and_then(<[_]>::split_first) {
            Some((file, arguments)) => {
                let mut command = Command::new(file);
                command.args(arguments);
                command
            }
            None => {
                let mut command = Command::new(this_program()?);
                command.arg("child");
                command
            }
        };
        command
            .arg(serde_json::to_string(&plan)?)
            .args(&program.command)
            .env_clear()
            .env("PATH", PATH)
            .env("LANG", "C.UTF-8")
            .env("HOME", folder)
            .env("TMPDIR", folder)
            .envs(program.environment.iter().map(|(name, value)| (name, value.expose_secret())))
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command.spawn()
    }

    /// It ended, and nobody had told it to.
    pub(super) fn ended(&self, begun: Instant) {
        let mut ends = self.ends.lock();
        ends.in_a_row = if begun.elapsed() >= WELL { 0 } else { ends.in_a_row.saturating_add(1) };
        let pause = ends.in_a_row.checked_sub(2).map(|doubled| FIRST_PAUSE * (1 << doubled.min(6)));
        ends.rests_until = pause.map(|pause| Instant::now() + pause.min(LONGEST_PAUSE));
    }
}

/// The file of the program that runs, also when another has taken its place meanwhile.
fn this_program() -> std::io::Result<std::path::PathBuf> {
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}

/// Whom a program runs as; none: as we do.
fn user(programs: &Programs, own: Option<u32>) -> std::io::Result<Option<(u32, u32)>> {
    let we = rustix::process::geteuid();
    let wrong = |why: &str| Err(std::io::Error::other(format!("{why} (setting programs.user)")));
    let (user, group) = match (&programs.user, own) {
        (None, _) => return wrong("it is not said whom programs run as"),
        (Some(RunAs::Range(..)), Some(number)) => (number, number),
        (Some(RunAs::Range(..)), None) => return wrong("there is no user for it"),
        (Some(RunAs::Named(name)), _) => match ids_of(name) {
            Some(ids) => ids,
            None => return wrong(&format!("there is no user {name}")),
        },
    };
    if user == 0 || group == 0 {
        return wrong("programs do not run as root");
    }
    match (we.is_root(), we.as_raw() == user) {
        (true, _) => Ok(Some((user, group))),
        (false, true) => Ok(None),
        (false, false) => wrong("only a server that runs as root can run programs as somebody else"),
    }
}

/// A user's number and main group, by name or number.
fn ids_of(name: &str) -> Option<(u32, u32)> {
    let users = std::fs::read_to_string("/etc/passwd").ok()?;
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (known, user, group) = (fields.next()?, fields.nth(1)?, fields.next()?);
        (known == name || user == name).then(|| Some((user.parse().ok()?, group.parse().ok()?)))?
    })
}

/// An empty folder that is the program's alone.
fn folder(user: Option<(u32, u32)>) -> std::io::Result<TempDir> {
    let mode = std::fs::Permissions::from_mode(0o700);
    let folder = tempfile::Builder::new().prefix("workingagents-").permissions(mode).tempdir()?;
    if let Some((user, group)) = user {
        chown(folder.path(), Some(user), Some(group))?;
    }
    Ok(folder)
}
