//! What the machine must have besides Rust: found where it is, installed where Debian's package manager can.

pub(crate) mod browser;
pub(crate) mod node;
pub(crate) mod postgres;
pub(crate) mod python;

use std::fs;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::failure::{Failure, Result};
use crate::progress::say;
use crate::run;
use crate::workspace::{self, on_path};

/// Installs Debian packages because `what` is missing, or says exactly what would get it.
pub(crate) fn install(what: &str, packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    let by_hand = format!("apt-get update && apt-get install -y --no-install-recommends {names}");
    let Some(apt) = on_path(&["apt-get"]) else {
        return Err(Failure::Missing {
            what: what.into(),
            how: format!(
                "This system has no apt-get: install it by the means of your system (Debian's packages: {names})."
            ),
        });
    };
    let Some(become_root) = rights() else {
        return Err(Failure::Missing { what: what.into(), how: format!("As root: {by_hand}") });
    };
    say(format_args!("{what} is missing; installing {names}"));
    let apt_get = |arguments: &[&str]| {
        let mut command = match become_root {
            Rights::Root => Command::new("env"),
            Rights::Sudo => {
                let mut sudo = Command::new("sudo");
                sudo.arg("env");
                sudo
            }
        };
        command.args(["DEBIAN_FRONTEND=noninteractive"]).arg(&apt).args([
            "-y",
            "-o",
            "DPkg::Lock::Timeout=300",
        ]);
        command.args(arguments);
        match become_root {
            Rights::Root => run::run(&format!("apt-get {}", arguments.join(" ")), &mut command),
            Rights::Sudo => {
                run::interactively(&format!("sudo apt-get {}", arguments.join(" ")), &mut command)
            }
        }
    };
    let mut fresh = false;
    if !lists_are_there() {
        apt_get(&["update"])?;
        fresh = true;
    }
    let install: Vec<&str> = ["install", "--no-install-recommends"].iter().chain(packages).copied().collect();
    let outcome = match apt_get(&install) {
        Err(Failure::Command { .. }) if !fresh => {
            // Old lists name files that the mirror no longer has.
            apt_get(&["update"])?;
            apt_get(&install)
        }
        other => other,
    };
    outcome.map_err(|failure| match failure {
        Failure::Command { .. } => Failure::Missing {
            what: what.into(),
            how: format!("apt-get could not install it. As root: {by_hand}"),
        },
        other => other,
    })
}

#[derive(Clone, Copy)]
enum Rights {
    Root,
    Sudo,
}

/// How packages can be installed here, if at all.
fn rights() -> Option<Rights> {
    if is_root() {
        return Some(Rights::Root);
    }
    on_path(&["sudo"])?;
    let without_password = Command::new("sudo")
        .args(["-n", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    (without_password || io::stdin().is_terminal()).then_some(Rights::Sudo)
}

/// What a build with all tests takes from nothing, in GiB.
const ROOM_FOR_TESTS: u64 = 10;

/// Says so where the disk may fill up half-way: compilers and linkers report that in a hundred ways, few of them clear.
pub(crate) fn warn_if_disk_is_short() {
    let folder = workspace::target();
    let there = folder.ancestors().find(|folder| folder.exists());
    let Some(Ok(disk)) = there.map(rustix::fs::statvfs) else { return };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize) >> 30;
    if free < ROOM_FOR_TESTS {
        say(format_args!(
            "{free} GiB are free where {} is; building everything from nothing takes up to {ROOM_FOR_TESTS} GiB",
            folder.display()
        ));
    }
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Fresh containers come without package lists.
fn lists_are_there() -> bool {
    fs::read_dir(Path::new("/var/lib/apt/lists")).is_ok_and(|entries| {
        entries.flatten().any(|entry| entry.file_name().to_string_lossy().contains("_Packages"))
    })
}

/// The first number of a version like `v20.11.0`, `15.18 (Debian …)` or `rustc 1.96.0`, and the second.
pub(crate) fn version(text: &str) -> Option<(u32, u32)> {
    let start = text.find(|character: char| character.is_ascii_digit())?;
    let mut numbers = text.get(start..)?.split(|character: char| !character.is_ascii_digit());
    let major = numbers.next()?.parse().ok()?;
    Some((major, numbers.next().and_then(|number| number.parse().ok()).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_are_read_from_what_programs_say() {
        assert_eq!(version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some((15, 18)));
        assert_eq!(version("v22.23.3"), Some((22, 23)));
        assert_eq!(version("rustc 1.96.0 (abc 2026-05-25)"), Some((1, 96)));
        assert_eq!(version("postgres (PostgreSQL) 18beta1"), Some((18, 0)));
        assert_eq!(version("none"), None);
    }
}
