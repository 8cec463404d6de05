//! Becoming a program that speaks MCP over its standard input and output: what is done in the process that will be that
//! program, before it is. Nothing can be taken back afterwards, by nobody.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::process::{Resource, Rlimit, geteuid, setrlimit};
use serde::{Deserialize, Serialize};

/// How a program is confined. Written down as JSON for the process that becomes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Confinement {
    /// User and group that it runs as; none: whoever starts it, who must not be root.
    pub(crate) user: Option<(u32, u32)>,
    /// Bytes of memory of its own.
    pub(crate) memory: u64,
    /// Seconds of processor time in all.
    pub(crate) processor: u64,
    pub(crate) open_files: u64,
    /// Processes and threads of its user.
    pub(crate) tasks: u64,
}

/// Address space, as a multiple of memory: runtimes reserve much more than they use.
const SPACE: u64 = 32;
/// Largest file that it may write, in bytes.
const LARGEST_FILE: u64 = 1 << 30;

/// Becomes `command`, confined as `plan` says: with limits of its resources, as its user, and without a way to gain rights by
/// running something else. The environment, the folder and the pipes are those that the process was started with. Comes back only with
/// what stood in the way.
pub fn become_confined(plan: &str, command: &[OsString]) -> io::Error {
    match prepared(plan, command) {
        Ok(mut command) => command.exec(),
        Err(error) => error,
    }
}

fn prepared(plan: &str, command: &[OsString]) -> io::Result<Command> {
    let plan: Confinement = serde_json::from_str(plan)?;
    let is_root = match plan.user {
        Some((user, group)) => user == 0 || group == 0,
        None => geteuid().is_root(),
    };
    if is_root {
        return Err(io::Error::other("a program is not run as root"));
    }
    let Some((program, arguments)) = command.split_first() else {
        return Err(io::Error::other("no program is named"));
    };
    for (resource, most) in [
        (Resource::Core, 0),
        (Resource::Cpu, plan.processor),
        (Resource::Data, plan.memory),
        (Resource::As, plan.memory.saturating_mul(SPACE)),
        (Resource::Fsize, LARGEST_FILE),
        (Resource::Nofile, plan.open_files),
        (Resource::Nproc, plan.tasks),
    ] {
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    // Whoever started us may have left something open that was not meant for it.
    close_fds::set_fds_cloexec(3, &[]);
    #[cfg(target_os = "linux")]
    rustix::thread::set_no_new_privs(true)?;
    let mut becoming = Command::new(program);
    becoming.args(arguments);
    if let Some((user, group)) = plan.user {
        // Takes every other group from it as well.
        becoming.uid(user).gid(group);
    }
    Ok(becoming)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_run_as_root_or_by_an_unknown_plan() {
        let run = |plan: &str| become_confined(plan, &["/bin/false".into()]).to_string();
        for user in ["[0,5]", "[5,0]"] {
            let plan = format!(r#"{{"user":{user},"memory":1,"processor":1,"open_files":1,"tasks":1}}"#);
            assert_eq!(run(&plan), "a program is not run as root");
        }
        assert!(run("{}").contains("missing field"));
        assert!(
            run(r#"{"user":null,"memory":1,"processor":1,"open_files":1,"tasks":1,"more":1}"#)
                .contains("unknown")
        );
    }
}
