//! The command line: subcommands and their options. What they do is in the modules of the same names.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::admin;

/// The layer between AI agents and the services they use: permission, policy, record and cost of every tool call.
#[derive(Parser, Debug)]
#[command(name = "workingagents", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// A TOML file with settings; see docs/CONFIGURATION.md. Each can be overridden by WORKINGAGENTS_SECTION__KEY.
    #[arg(long, global = true, value_name = "FILE", env = "WORKINGAGENTS_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Serve the dashboard, the agents' endpoint and the authorization server.
    Serve {
        /// Leave the background work to others.
        #[arg(long)]
        without_worker: bool,
    },
    /// Do the background work alone.
    Worker,
    /// Bring the database to this version, as its owner (database.migrate_url).
    Migrate,
    /// A whole installation for trying out: private PostgreSQL, demo organization, ready agent keys.
    Dev(DevArguments),
    /// Check configuration, database, keys, ports and upstream servers; one line each.
    Doctor,
    /// Ask the server on this machine whether it is ready. For container health checks.
    Healthcheck,
    /// Become a program that is an MCP server, confined. The server calls this for itself.
    #[command(hide = true)]
    Child {
        /// How it is confined.
        plan: String,
        /// The program and its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// The operator's tool: organizations, people, agents, keys, modules, grants.
    Admin(admin::Arguments),
}

/// Options of `dev`.
#[derive(Args, Debug)]
pub(crate) struct DevArguments {
    /// The dashboard's port; agents connect at the next one, OAuth clients at the one after. 0: any free ports.
    #[arg(long, default_value_t = 8080)]
    pub(crate) port: u16,
    /// Where the private PostgreSQL and the demo's keys are kept; made if it is not there.
    #[arg(long, value_name = "DIR", default_value = ".dev")]
    pub(crate) data: PathBuf,
    /// Say "ready" as one JSON object on stdout, and nothing else there.
    #[arg(long)]
    pub(crate) json: bool,
    /// The folder of stylesheets and islands.
    #[arg(long, value_name = "DIR", default_value = "target/site")]
    pub(crate) site: PathBuf,
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    /// Scripts rely on these words.
    #[test]
    fn the_words_of_the_command_line_stay() {
        let mut lines = Vec::new();
        describe(&Cli::command(), "", &mut lines);
        insta::assert_snapshot!(lines.join("\n"));
    }

    /// One line a command: its path, then its own options, those that must be given without brackets.
    fn describe(command: &Command, above: &str, lines: &mut Vec<String>) {
        let path = format!("{above}{}", command.get_name());
        let options = command.get_arguments().map(|argument| {
            let name = match argument.get_long() {
                Some(long) => format!("--{long}"),
                None => format!("<{}>", argument.get_id()),
            };
            if argument.is_required_set() { name } else { format!("[{name}]") }
        });
        lines.push(std::iter::once(path.clone()).chain(options).collect::<Vec<_>>().join(" "));
        for below in command.get_subcommands() {
            describe(below, &format!("{path} "), lines);
        }
    }
}
