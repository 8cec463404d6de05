//! What is understood, and the one line that each mistake is told in.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::*;
use source::{DEFAULTS, SECRETS};

/// Reads a file's text and an environment, as a start would.
fn read(file: &str, environment: &[(&str, &str)]) -> Result<Config, Wrong> {
    read_from(&temporary(), file, environment)
}

fn temporary() -> PathBuf {
    let thread = std::thread::current().id();
    std::env::temp_dir().join(format!("workingagents-config-{}-{thread:?}.toml", std::process::id()))
}

fn read_from(path: &Path, file: &str, environment: &[(&str, &str)]) -> Result<Config, Wrong> {
    std::fs::write(path, file).unwrap();
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let config = Source::gather(Some(path), environment).and_then(|mut source| Config::read(&mut source));
    std::fs::remove_file(path).unwrap();
    config
}

/// The line, without where the temporary file lies.
fn mistake(file: &str, environment: &[(&str, &str)]) -> String {
    let path = temporary();
    let line = read_from(&path, file, environment).unwrap_err().to_string();
    line.replace(&*path.to_string_lossy(), "FILE")
}

#[test]
fn every_default_is_right_and_every_key_is_read() {
    let mut source = Source::gather(None, []).unwrap();
    let config = Config::read(&mut source).unwrap();
    assert_eq!(source.unread(), Vec::<&str>::new(), "keys of the defaults that nothing reads");
    // What the defaults say is what the crates say.
    assert_eq!(format!("{:?}", config.ledger), format!("{:?}", LedgerSettings::default()));
    assert_eq!(format!("{:?}", config.gateway), format!("{:?}", gateway::Settings::default()));
    assert_eq!(config.dashboard.public_url(([127, 0, 0, 1], 8080).into()), "http://127.0.0.1:8080");
}

#[test]
fn the_environment_wins_over_the_file_and_a_secret_can_lie_in_its_own() {
    let file = "[database]\nurl = \"postgres://file/x\"\nconnections = 5\n[network]\ntrusted_proxies = [\"10.0.0.0/8\"]\n";
    let secrets = std::env::temp_dir().join(format!("workingagents-secret-{}", std::process::id()));
    std::fs::write(&secrets, "bmV3\n\nb2xk\n").unwrap();
    let path = secrets.to_string_lossy();
    let config = read(
        file,
        &[
            ("WORKINGAGENTS_DATABASE__URL", "postgres://environment/x"),
            ("WORKINGAGENTS_ENCRYPTION__MASTER_KEY_FILE", &path),
            ("WORKINGAGENTS_NETWORK__TRUSTED_PROXIES", "192.0.2.1, fd00::/8"),
            ("WORKINGAGENTS_MACHINES__PUBLIC_URL", "https://mcp.example.com/"),
            ("WORKINGAGENTS_CONFIG", "is no key"),
            ("PATH", "/bin"),
        ],
    )
    .unwrap();
    std::fs::remove_file(&secrets).unwrap();
    assert_eq!(config.database.url().unwrap().expose_secret(), "postgres://environment/x");
    assert_eq!(config.database.connections, 5);
    assert_eq!(
        config.encryption.keys.iter().map(|key| key.expose_secret()).collect::<Vec<_>>(),
        ["bmV3", "b2xk"]
    );
    assert_eq!(config.gateway.trusted_proxies.len(), 2);
    assert_eq!(config.machines.public_url(([127, 0, 0, 1], 1).into()), "https://mcp.example.com");
    assert!(!format!("{config:?}").contains("environment/x"), "secrets do not show");
}

#[test]
fn mistakes_are_told_in_one_line() {
    let lines = [
        mistake("[dashbord]\nlisten = \"127.0.0.1:1\"", &[]),
        mistake("listen = 3", &[]),
        mistake("[dashboard", &[]),
        mistake("[database]\nconnections = \"16\"", &[]),
        mistake("[database]\nconnections = 1", &[]),
        mistake("[database]\nurl = \"mysql://user:secret@host/x\"", &[]),
        mistake("[database]\nurl = 5", &[]),
        mistake("[encryption]\nmaster_key_file = \"/nowhere/at all\"", &[]),
        mistake("[network]\ntrusted_proxies = [\"10.0.0.0/99\"]", &[]),
        mistake("", &[("WORKINGAGENTS_DASHBOARD__LISTEN", "8080")]),
        mistake("", &[("WORKINGAGENTS_DASHBOARD__PUBLIC_URL", "https://x.example.com/app")]),
        mistake("", &[("WORKINGAGENTS_GATEWAY__MAX_BODY", "4MB")]),
        mistake("", &[("WORKINGAGENTS_GATEWAY__UPSTREAM_TIMEOUT", "60")]),
        mistake("", &[("WORKINGAGENTS_GATEWAY__CURRENCY", "euro")]),
        mistake("", &[("WORKINGAGENTS_NETWORK__CLIENT_ADDRESS", "x-real-ip")]),
        mistake("", &[("WORKINGAGENTS_NETWORK__ALLOWED_UPSTREAM_NETWORKS", "127.0.0.0/8,localhost")]),
        mistake("", &[("WORKINGAGENTS_LOG__LEVEL", "info,,=")]),
        mistake("", &[("WORKINGAGENTS_LOG__FORMAT", "xml")]),
        mistake("", &[("WORKINGAGENTS_WORKER__ENABLED", "yes")]),
        mistake("[mail]\nsmtp_url = \"imap://user:secret@host\"", &[]),
        mistake("[mail]\nsmtp_url = \"smtp://user:secret@host?tls=perhaps\"", &[]),
        mistake("[mail]\nsmtp_url = \"smtps://user:secret@host\"", &[]),
        mistake("[mail]\nfrom = \"nobody\"", &[]),
        mistake("", &[("WORKINGAGENTS_SIGN_UP__OPEN", "never")]),
        mistake("[programs]\nknown = [\"git = mcp-server-git\"]", &[]),
        mistake("[programs]\nknown = [\"Git = /usr/bin/git\"]", &[]),
        mistake("[programs]\nknown = [\"git = /bin/a\", \"git = /bin/b\"]", &[]),
        mistake("[programs]\nknown = [\"git = /bin/a\"]", &[]),
        mistake("[programs]\nknown = [\"git = /bin/a\"]\nuser = \"61184-61190\"", &[]),
        mistake("[programs]\nuser = \"root\"", &[]),
        mistake("[programs]\nenvironment = [\"git: TOKEN=secret@host\"]", &[]),
        mistake("", &[("WORKINGAGENTS_LEDGER__FLUSH", "8")]),
        mistake("", &[("WORKINGAGENTS_DATABASE__URL_FILE", "/nowhere")]),
        mistake("", &[("WORKINGAGENTS_DASHBOARD__LISTEN_FILE", "/nowhere")]),
        read("", &[]).unwrap().database.url().unwrap_err().to_string(),
        read("", &[]).unwrap().encryption.master_keys().unwrap_err().to_string(),
        read("", &[("WORKINGAGENTS_ENCRYPTION__MASTER_KEY", "c2hvcnQ=")])
            .unwrap()
            .encryption
            .master_keys()
            .unwrap_err()
            .to_string(),
    ];
    for line in &lines {
        assert!(!line.contains('\n'), "{line}");
        assert!(!line.contains("secret@"), "{line}");
    }
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn programs_have_words_and_an_environment() {
    let config = read(
        "[programs]\nknown = [\"git = /usr/bin/mcp-server-git --repository '/srv/the handbook'\"]\nuser = \"agents\"",
        &[("WORKINGAGENTS_PROGRAMS__ENVIRONMENT", "git: A=b=c, git: D=")],
    );
    let programs = config.unwrap().gateway.programs;
    let git = &programs.known["git"];
    assert_eq!(git.command, ["/usr/bin/mcp-server-git", "--repository", "/srv/the handbook"]);
    let environment: Vec<_> =
        git.environment.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
    assert_eq!(environment, [("A", "b=c"), ("D", "")]);
    assert_eq!(programs.user, Some(gateway::RunAs::Named("agents".to_owned())));
    let range = read("[programs]\nuser = \"61184-61247\"", &[]).unwrap().gateway.programs.user;
    assert_eq!(range, Some(gateway::RunAs::Range(61184, 61247)));
}

/// Nodes of two versions serve beside each other while one is replaced: what one has sealed the other opens.
#[test]
fn the_key_of_states_is_always_made_in_the_same_way() {
    let master = |byte| SecretString::from(STANDARD.encode([byte; 32]));
    let made = |byte| STANDARD.encode(state_key(&master(byte)).unwrap());
    assert_eq!(made(1), "RJGWjGHzpoYdeHaDVPABsfm/eAPS0lg7RiyJtBFLryI=");
    assert_ne!(made(1), made(2));
    let padded = SecretString::from(format!(" {}\n", master(1).expose_secret()));
    assert_eq!(state_key(&padded), state_key(&master(1)));
    let set = read("", &[("WORKINGAGENTS_ENCRYPTION__MASTER_KEY", master(1).expose_secret())]).unwrap();
    assert!(set.encryption.state_key().is_ok());
    assert!(read("", &[]).unwrap().encryption.state_key().is_err());
}

/// `docs/CONFIGURATION.md` says what the defaults say. `UPDATE_DOCS=1 cargo test -p server` writes it.
#[test]
fn the_page_about_configuration_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/CONFIGURATION.md");
    let wanted = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == wanted,
        "docs/CONFIGURATION.md is not what server/config.default.toml says: run the test with UPDATE_DOCS=1"
    );
}

/// The page, from the comments and values of the defaults.
fn page() -> String {
    let mut page = String::from("# Configuration\n\n");
    let mut comment: Vec<&str> = Vec::new();
    let mut section = String::new();
    for line in DEFAULTS.lines() {
        if let Some(text) = line.strip_prefix('#') {
            comment.push(text.trim());
        } else if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
            writeln!(page, "## `[{section}]`\n\n| key | default | |\n|---|---|---|").unwrap();
        } else if let Some((key, value)) = line.split_once(" = ") {
            let name = format!("{section}.{key}");
            let words = comment.join(" ").replace('|', "\\|");
            assert!(!words.is_empty(), "{name} has no comment");
            assert_eq!(
                words.starts_with("Secret. "),
                SECRETS.contains(&name.as_str()),
                "{name}: say when it is a secret"
            );
            let variable = source::variable(&name);
            writeln!(page, "| `{key}` | `{value}` | {words} (`{variable}`) |").unwrap();
            comment.clear();
        } else {
            if section.is_empty() && !comment.is_empty() {
                writeln!(page, "{}\n", comment.join(" ")).unwrap();
            } else if !section.is_empty() {
                page.push('\n');
            }
            comment.clear();
        }
    }
    let intro = "This page is made from `server/config.default.toml` by a test of the server.\n";
    format!("{page}\n{intro}")
}

#[test]
fn paths_are_taken_as_they_are() {
    let config = read("", &[("WORKINGAGENTS_SITE__DIR", "/usr/share/workingagents/site")]).unwrap();
    assert_eq!(config.site, PathBuf::from("/usr/share/workingagents/site"));
}
