//! Whom PostgreSQL runs as. It refuses root, so for root somebody unprivileged is found, and folders they can reach.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// A user by numbers, or ourselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Unprivileged {
    ids: Option<(u32, u32)>,
}

/// There is nobody.
#[derive(Debug, thiserror::Error)]
#[error(
    "PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody here: useradd --system postgres"
)]
pub(crate) struct Nobody;

impl Unprivileged {
    /// Ourselves, or for root the user `postgres` or else `nobody`.
    pub(super) fn choose() -> Result<Self, Nobody> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self { ids: None });
        }
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let ids = ["postgres", "nobody"].iter().find_map(|name| ids_of(&users, name)).ok_or(Nobody)?;
        Ok(Self { ids: Some(ids) })
    }

    /// Makes a command run as that user.
    pub(super) fn run(self, command: &mut Command) -> &mut Command {
        // Where we stand may be closed to that user.
        command.current_dir("/");
        if let Some((user, group)) = self.ids {
            command.uid(user).gid(group);
        }
        command
    }

    /// Makes a folder that is that user's alone. Refuses one that somebody else has put there.
    pub(super) fn own(self, folder: &Path) -> io::Result<()> {
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let found = fs::symlink_metadata(folder)?;
        let ours = [rustix::process::geteuid().as_raw(), self.user()];
        if !found.is_dir() || !ours.contains(&found.uid()) {
            return Err(io::Error::other("it belongs to somebody else"));
        }
        if let Some((user, group)) = self.ids {
            chown(folder, Some(user), Some(group))?;
        }
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
    }

    fn user(self) -> u32 {
        self.ids.map_or_else(|| rustix::process::geteuid().as_raw(), |(user, _)| user)
    }

    /// Whether that user can get to what lies in `folder`: every folder above can be passed through.
    pub(super) fn reaches(self, folder: &Path) -> bool {
        let Some((user, group)) = self.ids else { return true };
        folder.ancestors().all(|parent| {
            fs::metadata(parent).is_ok_and(|found| {
                let mode = found.mode();
                let bit = if found.uid() == user {
                    0o100
                } else if found.gid() == group {
                    0o010
                } else {
                    0o001
                };
                mode & bit != 0
            })
        })
    }
}

/// The numbers of a user in the text of `/etc/passwd`.
fn ids_of(users: &str, name: &str) -> Option<(u32, u32)> {
    let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_their_whole_name() {
        let users = "root:x:0:0:root:/root:/bin/bash\npostgres2:x:7:8::/:/bin/sh\npostgres:x:101:103:,,,:/var/lib/postgresql:/bin/bash\n";
        assert_eq!(ids_of(users, "postgres"), Some((101, 103)));
        assert_eq!(ids_of(users, "nobody"), None);
    }
}
