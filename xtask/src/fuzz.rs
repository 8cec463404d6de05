//! `cargo xtask fuzz`: fuzzes what reads bytes from outside, with libFuzzer and the stable toolchain.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::{Args, ValueEnum};

use crate::failure::{Failure, Result, at};
use crate::run;
use crate::workspace::{cargo, root, target};

/// What tells libFuzzer which code was reached, and what was compared with what.
const INSTRUMENTED: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Ccodegen-units=1",
    "--cfg=fuzzing",
];
/// Longest input, in bytes, and how long one may take, in seconds.
const LONGEST: u32 = 4096;
const PATIENCE: u32 = 10;

#[derive(Args)]
pub(crate) struct Arguments {
    /// What is fuzzed; all of it, one after the other, if nothing is named.
    #[arg(value_enum)]
    targets: Vec<Target>,
    /// How long each is.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

#[derive(Clone, Copy, ValueEnum)]
enum Target {
    /// Messages.
    Envelope,
    /// Headers, and whether they say what the body says.
    Headers,
    /// Streams of servers.
    Events,
}

impl Target {
    fn name(self) -> &'static str {
        match self {
            Self::Envelope => "envelope",
            Self::Headers => "headers",
            Self::Events => "events",
        }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let (fuzz, out) = (root().join("crates/gateway/fuzz"), target().join("fuzz"));
    let host = host()?;
    let mut build = cargo();
    build.args(["build", "--release", "--locked", "--bins", "--target", &host]);
    build.arg("--manifest-path").arg(fuzz.join("Cargo.toml")).arg("--target-dir").arg(&out);
    // With a target named, what runs while it is compiled is not instrumented.
    build.env("CARGO_ENCODED_RUSTFLAGS", INSTRUMENTED.join("\u{1f}")).env_remove("CARGO_INCREMENTAL");
    run::run("fuzz: compiling", &mut build)?;
    let all = Target::value_variants();
    let targets = if arguments.targets.is_empty() { all } else { arguments.targets.as_slice() };
    for target in targets {
        let name = target.name();
        let corpus = folder(out.join("corpus").join(name))?;
        let found = folder(out.join("found"))?;
        let mut fuzzer = Command::new(out.join(&host).join("release").join(name));
        fuzzer.arg(&corpus).arg(fuzz.join("seeds").join(name));
        fuzzer.arg(format!("-max_total_time={}", arguments.seconds));
        fuzzer.arg(format!("-max_len={LONGEST}")).arg(format!("-timeout={PATIENCE}"));
        fuzzer.arg(format!("-artifact_prefix={}/{name}-", shown(&found)));
        fuzzer.args(["-rss_limit_mb=1024", "-print_final_stats=1"]);
        run::run(&format!("fuzz: {name}"), &mut fuzzer)?;
    }
    Ok(())
}

fn folder(path: PathBuf) -> Result<PathBuf> {
    fs::create_dir_all(&path).map_err(at("creating", &path))?;
    Ok(path)
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// For which machine rustc compiles by itself.
fn host() -> Result<String> {
    let said = run::answer(Command::new("rustc").arg("-vV"))?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| Failure::Other("rustc does not say which machine it is for".to_owned()))
}
