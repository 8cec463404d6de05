//! A compiler for WebAssembly. rustup's target where it can be had; otherwise the compiler that Debian ships with its
//! library source, which then builds the standard library too.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Result};
use crate::machine::{install, version};
use crate::progress::say;
use crate::run::{self, answer};
use crate::workspace::{cargo, on_path, root, target};

/// `rustup` or `distribution`: which compiler to use, whatever is there.
const FORCED: &str = "WORKINGAGENTS_WASM";
const TARGET: &str = "wasm32-unknown-unknown";
const DISTRIBUTION: &str = "/usr/bin";
const PACKAGES: &[&str] = &["rustc-web", "cargo-web", "rust-web-src"];

enum Compiler {
    Rustup,
    Distribution { linkers: PathBuf },
}

/// Compiles the islands and returns the file.
pub(crate) fn islands() -> Result<PathBuf> {
    let compiler = choose()?;
    let mut command = command(&compiler, "build");
    let what = match compiler {
        Compiler::Rustup => "islands: compiling to WebAssembly",
        Compiler::Distribution { .. } => "islands: compiling to WebAssembly with the distribution's compiler",
    };
    run::run(what, &mut command)?;
    Ok(target().join("front").join(TARGET).join("wasm-release/app.wasm"))
}

/// Lints the islands as the browser gets them. The distribution's compiler has no clippy of the same version.
pub(crate) fn lint_islands() -> Result<()> {
    let compiler = choose()?;
    if matches!(compiler, Compiler::Distribution { .. }) {
        say(
            "islands: not linted, because rustup has no WebAssembly target here; compiling them is the check",
        );
        return islands().map(|_| ());
    }
    let mut command = command(&compiler, "clippy");
    run::run("clippy: islands", command.args(["--", "-D", "warnings"]))
}

fn command(compiler: &Compiler, verb: &str) -> Command {
    let mut command = match compiler {
        Compiler::Rustup => {
            let mut command = cargo();
            command.arg(verb);
            command
        }
        Compiler::Distribution { linkers } => {
            let mut command = Command::new(Path::new(DISTRIBUTION).join("cargo"));
            command.current_dir(root()).arg(verb).args(["-Z", "build-std=std,panic_abort"]);
            // -Z on a released compiler, and nothing that rustup's cargo has set for its own children.
            command.env("RUSTC_BOOTSTRAP", "1").env("RUSTC", Path::new(DISTRIBUTION).join("rustc"));
            for name in ["CARGO", "RUSTDOC", "RUSTUP_TOOLCHAIN", "RUSTUP_HOME", "RUSTC_WRAPPER"] {
                command.env_remove(name);
            }
            command.env("PATH", with_front(linkers));
            command
        }
    };
    command
        .args(["--package", "app", "--lib", "--target", TARGET, "--profile", "wasm-release"])
        .args(["--no-default-features", "--features", "hydrate", "--target-dir"])
        .arg(target().join("front"));
    command
}

fn choose() -> Result<Compiler> {
    match env::var(FORCED).ok().as_deref() {
        None | Some("") => rustup().or_else(|why| {
            say(format_args!("{why}; turning to the distribution's compiler"));
            distribution()
        }),
        Some("rustup") => rustup(),
        Some("distribution") => distribution(),
        Some(other) => {
            Err(Failure::Other(format!("{FORCED} is \"{other}\", but may be \"rustup\" or \"distribution\"")))
        }
    }
}

fn rustup() -> Result<Compiler> {
    let library = sysroot("rustc")?.join("lib/rustlib").join(TARGET).join("lib");
    if library.is_dir() {
        return Ok(Compiler::Rustup);
    }
    if on_path(&["rustup"]).is_none() {
        return Err(Failure::Missing {
            what: format!("Rust's target {TARGET}"),
            how: "There is no rustup to get it with".into(),
        });
    }
    run::run(
        "islands: getting the target",
        Command::new("rustup").args(["target", "add", TARGET]).current_dir(root()),
    )?;
    if library.is_dir() {
        Ok(Compiler::Rustup)
    } else {
        Err(Failure::Missing {
            what: format!("Rust's target {TARGET}"),
            how: format!("rustup target add {TARGET}"),
        })
    }
}

fn distribution() -> Result<Compiler> {
    if !distribution_suffices() {
        install(&format!("a compiler for {TARGET}"), PACKAGES)?;
    }
    if !distribution_suffices() {
        return Err(Failure::Missing {
            what: format!("a compiler for {TARGET}"),
            how: format!(
                "Get it by rustup target add {TARGET}, or Debian's {} of 1.94 or newer",
                PACKAGES.join(", ")
            ),
        });
    }
    // The distribution leaves the linker out; rustup's compiler brings one.
    let host = answer(Command::new("rustc").args(["--print", "host-tuple"]))?;
    let linkers = sysroot("rustc")?.join("lib/rustlib").join(host).join("bin");
    if linkers.join("rust-lld").is_file() || on_path(&["rust-lld"]).is_some() {
        return Ok(Compiler::Distribution { linkers });
    }
    Err(Failure::Missing {
        what: "the linker rust-lld".into(),
        how: format!("It comes with a compiler from rustup, in {}", linkers.display()),
    })
}

/// New enough for this workspace, with its library source.
fn distribution_suffices() -> bool {
    let rustc = Path::new(DISTRIBUTION).join("rustc");
    let new_enough = answer(Command::new(&rustc).arg("--version"))
        .is_ok_and(|said| version(&said).is_some_and(|found| found >= (1, 94)));
    let source = sysroot(&rustc).is_ok_and(|root| root.join("lib/rustlib/src/rust/library/std").is_dir());
    new_enough && source && Path::new(DISTRIBUTION).join("cargo").is_file()
}

fn sysroot(rustc: impl AsRef<Path>) -> Result<PathBuf> {
    answer(Command::new(rustc.as_ref()).args(["--print", "sysroot"]).current_dir(root())).map(PathBuf::from)
}

fn with_front(folder: &Path) -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_owned()).chain(env::split_paths(&path));
    env::join_paths(folders).unwrap_or(path)
}
