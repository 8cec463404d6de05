//! The section `programs`: MCP servers that are programs on this machine.

use std::collections::BTreeMap;

use gateway::{Program, Programs, RunAs};
use model::access::is_key_word;
use secrecy::SecretString;

use super::parse::{self, Parsed};
use super::source::{Source, Wrong};

const USER: &str = "programs.user";

pub(super) fn read(source: &mut Source) -> Result<Programs, Wrong> {
    let mut known: BTreeMap<String, Program> = BTreeMap::new();
    for (name, command) in source.list("programs.known", program)? {
        if known.contains_key(&name) {
            return Err(wrong(
                source,
                "programs.known",
                format!("{name:?}"),
                "a list in which each name stands once",
            ));
        }
        known.insert(name, Program { command, environment: Vec::new() });
    }
    for (name, variable, value) in source.list("programs.environment", variable)? {
        let Some(program) = known.get_mut(&name) else {
            let wanted = "a list, each for a program that programs.known names";
            return Err(wrong(source, "programs.environment", "…".to_owned(), wanted));
        };
        program.environment.push((variable, value));
    }
    let user = source.maybe(USER, run_as)?;
    let processes: u32 = source.one("programs.processes", parse::number(1, 10_000))?;
    match user {
        None if !known.is_empty() => {
            return Err(Wrong::Missing {
                key: USER,
                wanted: "say whom programs run as, such as 61184-61247",
            });
        }
        Some(RunAs::Range(first, last)) if last - first < processes - 1 => {
            let wanted = format!("at least as many numbers as programs.processes, which is {processes}");
            return Err(wrong(source, USER, format!("\"{first}-{last}\""), &wanted));
        }
        _ => {}
    }
    Ok(Programs {
        known,
        user,
        processes: processes as usize,
        idle: source.one("programs.idle", parse::duration)?,
        memory: source.one("programs.memory", parse::size)?,
        processor: source.one("programs.processor", parse::duration)?,
        open_files: source.one("programs.open_files", parse::number(16, 1_000_000))?,
        tasks: source.one("programs.tasks", parse::number(1, 1_000_000))?,
        ..Programs::default()
    })
}

fn wrong(source: &Source, key: &str, value: String, wanted: &str) -> Wrong {
    Wrong::Value { key: key.to_owned(), value, origin: source.origin(key), wanted: wanted.to_owned() }
}

/// `name = /path/to/command and its arguments`.
fn program(text: &str) -> Parsed<(String, Vec<String>)> {
    let read = text.split_once('=').and_then(|(name, command)| {
        let name = Some(name.trim()).filter(|name| is_key_word(name))?;
        let command = shlex::split(command)?;
        command.first().is_some_and(|file| file.starts_with('/')).then(|| (name.to_owned(), command))
    });
    parse::wanted(read, "a program such as git = /usr/local/bin/mcp-server-git --repository /srv/handbook")
}

/// `name: VARIABLE=value`.
fn variable(text: &str) -> Parsed<(String, String, SecretString)> {
    let read = text.split_once(':').and_then(|(name, rest)| {
        let (variable, value) = rest.trim().split_once('=')?;
        let is_sound = !variable.is_empty()
            && variable.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !value.contains('\0');
        is_sound.then(|| (name.trim().to_owned(), variable.to_owned(), SecretString::from(value)))
    });
    parse::wanted(read, "a variable such as git: GIT_AUTHOR_NAME=Agents")
}

/// Numbers of users, or one user.
fn run_as(text: &str) -> Parsed<RunAs> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let read = match text.split_once('-') {
        Some((first, last)) if is_number(first) && is_number(last) => {
            let (first, last) = (first.parse::<u32>().ok(), last.parse::<u32>().ok());
            // The last number is nobody's (POSIX).
            let range =
                first.zip(last).filter(|(first, last)| *first > 0 && first <= last && *last < u32::MAX);
            range.map(|(first, last)| RunAs::Range(first, last))
        }
        _ if matches!(text, "root" | "0") || text.contains([':', ' ']) => None,
        _ => Some(RunAs::Named(text.to_owned())),
    };
    parse::wanted(read, "numbers of users such as 61184-61247, or the name of one user, not of root")
}
