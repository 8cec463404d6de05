//! Programs that speak MCP over their standard input and output: which there are, as the operator says, and how many of them run. A
//! module names one, as `stdio:git`; nobody but the operator says what that runs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use model::TenantId;
use parking_lot::Mutex;
use secrecy::SecretString;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What a module's address begins with whose server is a program.
pub(crate) const SCHEME: &str = "stdio:";

/// One program.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// The file, with its whole path, and its arguments.
    pub command: Vec<String>,
    /// All that it finds in its environment beside `PATH`, `HOME`, `TMPDIR` and `LANG`.
    pub environment: Vec<(String, SecretString)>,
}

/// Whom programs run as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunAs {
    /// Each that runs as a user of its own, with one of these numbers, from the first to the last. The server must run as root.
    Range(u32, u32),
    /// This user, by name or number. The server must run as root, or as this user.
    Named(String),
}

/// Which programs there are, and what one that runs may use.
#[derive(Clone, Debug)]
pub struct Programs {
    /// By their names. Default: none.
    pub known: BTreeMap<String, Program>,
    /// Whom they run as. Without it none is started.
    pub user: Option<RunAs>,
    /// Most that run at a time; those of one organization, half of that. Default 32.
    pub processes: usize,
    /// After how long without a call one is stopped. Default 5 minutes.
    pub idle: Duration,
    /// Bytes of memory of its own. Default 512 MiB.
    pub memory: usize,
    /// Processor time in all. Default 30 minutes.
    pub processor: Duration,
    /// Open files. Default 512.
    pub open_files: u64,
    /// Processes and threads of its user. Default 256.
    pub tasks: u64,
    /// What is started to become a program: called with a plan and a command, it calls [`crate::become_confined`]. None: the program
    /// that runs, called with the word `child` before those.
    pub launcher: Option<Vec<OsString>>,
    /// What runs. Clones of the settings share it.
    pub running: Running,
}

impl Default for Programs {
    fn default() -> Self {
        Self {
            known: BTreeMap::new(),
            user: None,
            processes: 32,
            idle: Duration::from_secs(300),
            memory: 512 << 20,
            processor: Duration::from_secs(1800),
            open_files: 512,
            tasks: 256,
            launcher: None,
            running: Running::default(),
        }
    }
}

impl Programs {
    /// Their names, in words. None: there are none.
    pub fn names(&self) -> Option<String> {
        let names: Vec<&str> = self.known.keys().map(String::as_str).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// How many one organization may have.
    pub(crate) fn share(&self) -> usize {
        self.processes.div_ceil(2)
    }
}

/// The programs that run in this process of the server.
#[derive(Clone, Default)]
pub struct Running(Arc<Mutex<Runs>>);

#[derive(Default)]
struct Runs {
    last: u64,
    all: Vec<Run>,
}

struct Run {
    number: u64,
    tenant: TenantId,
    user: Option<u32>,
    use_of: Arc<Use>,
}

/// Whether a program is used, for whoever needs its place.
#[derive(Debug)]
pub(crate) struct Use {
    /// Since when it is not called; none: it is.
    pub(crate) idle_since: Mutex<Option<Instant>>,
    pub(crate) stop: CancellationToken,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full {
    /// How many run that count.
    pub(crate) limit: usize,
}

/// A program's place among those that run, free again once this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    running: Running,
    number: u64,
    /// Its own user, where each has one.
    pub(crate) user: Option<u32>,
    pub(crate) use_of: Arc<Use>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Running")
    }
}

impl Running {
    /// A place for a program of `tenant`. Where all are taken, one that nobody uses is told to stop, and it is worth asking again.
    pub(crate) fn place(&self, programs: &Programs, tenant: TenantId) -> Result<Place, Full> {
        let mut runs = self.0.lock();
        let share = programs.share();
        let is_over_share = runs.all.iter().filter(|run| run.tenant == tenant).count() >= share;
        let users = match &programs.user {
            Some(RunAs::Range(first, last)) => Some(*first..=*last),
            _ => None,
        };
        // The one after the last that was taken, so that none is taken again at once.
        let begin = runs.last;
        let user = users.clone().and_then(|range| {
            let count = u64::from(range.end() - range.start()) + 1;
            (0..count)
                .map(|step| range.start() + u32::try_from((begin + step) % count).unwrap_or_default())
                .find(|user| runs.all.iter().all(|run| run.user != Some(*user)))
        });
        if is_over_share || runs.all.len() >= programs.processes || (users.is_some() && user.is_none()) {
            let idle = runs
                .all
                .iter()
                .filter(|run| !is_over_share || run.tenant == tenant)
                .filter(|run| !run.use_of.stop.is_cancelled())
                .filter_map(|run| run.use_of.idle_since.lock().map(|since| (since, run)));
            if let Some((_, run)) = idle.min_by_key(|(since, _)| *since) {
                run.use_of.stop.cancel();
            }
            return Err(Full { limit: if is_over_share { share } else { programs.processes } });
        }
        runs.last += 1;
        let number = runs.last;
        let use_of = Arc::new(Use { idle_since: Mutex::new(None), stop: CancellationToken::new() });
        runs.all.push(Run { number, tenant, user, use_of: use_of.clone() });
        Ok(Place { running: self.clone(), number, user, use_of })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.lock().all.len()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.running.0.lock().all.retain(|run| run.number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn tenant(n: u128) -> TenantId {
        TenantId::from(Uuid::from_u128(n))
    }

    #[test]
    fn each_has_a_user_of_its_own_and_an_organization_no_more_than_half() {
        let programs = Programs { processes: 4, user: Some(RunAs::Range(70, 74)), ..Programs::default() };
        let place = |n| programs.running.place(&programs, tenant(n));
        let (one, two) = (place(1).unwrap(), place(1).unwrap());
        assert_eq!(place(1).unwrap_err(), Full { limit: 2 });
        let (three, four) = (place(2).unwrap(), place(3).unwrap());
        assert_eq!(place(4).unwrap_err(), Full { limit: 4 });
        let mut users: Vec<_> = [&one, &two, &three, &four].iter().map(|place| place.user.unwrap()).collect();
        users.sort_unstable();
        users.dedup();
        assert_eq!(users.len(), 4);
        let gone = one.user;
        drop(one);
        assert_ne!(place(1).unwrap().user, gone, "not the one that was free a moment ago");
        drop((two, three, four));
        assert_eq!(programs.running.count(), 0);
    }

    #[test]
    fn the_one_that_was_used_longest_ago_makes_place() {
        let programs = Programs { processes: 2, ..Programs::default() };
        let (one, two) = (
            programs.running.place(&programs, tenant(1)).unwrap(),
            programs.running.place(&programs, tenant(2)).unwrap(),
        );
        assert!(programs.running.place(&programs, tenant(3)).is_err());
        assert!(!one.use_of.stop.is_cancelled() && !two.use_of.stop.is_cancelled(), "both are used");
        let now = Instant::now();
        *one.use_of.idle_since.lock() = Some(now);
        *two.use_of.idle_since.lock() = Some(now - Duration::from_secs(1));
        assert!(programs.running.place(&programs, tenant(3)).is_err());
        assert!(!one.use_of.stop.is_cancelled() && two.use_of.stop.is_cancelled());
        drop(two);
        assert!(programs.running.place(&programs, tenant(3)).is_ok());
    }
}
