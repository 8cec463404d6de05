//! Turns compiled islands and style sheets into the folder that the server hands to browsers. Called by
//! `cargo xtask build`; a crate of its own because the two libraries in it are heavy and xtask must start fast.
#![allow(clippy::print_stderr, reason = "a command line tool speaks to its terminal")]

mod glue;
mod site;
mod styles;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::site::Site;

#[derive(Parser)]
#[command(about = "Builds the site folder from the islands' WebAssembly and the style folder")]
struct Arguments {
    /// The islands as cargo compiled them.
    #[arg(long)]
    wasm: PathBuf,
    /// The folder with main.css, fonts and every other static file.
    #[arg(long)]
    style: PathBuf,
    /// Where the generated glue is kept between runs.
    #[arg(long)]
    glue: PathBuf,
    /// The folder to fill.
    #[arg(long)]
    site: PathBuf,
    /// The workspace's Cargo.lock, for comparing wasm-bindgen's versions.
    #[arg(long)]
    lock: PathBuf,
    /// The most bytes that the compressed WebAssembly may have.
    #[arg(long)]
    limit: u64,
}

/// What can go wrong on the way from sources to the site folder.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{what} {path}: {source}")]
    File { what: &'static str, path: PathBuf, source: std::io::Error },
    #[error(
        "Cargo.lock has wasm-bindgen {locked} but this builder makes glue for {ours}: set wasm-bindgen-cli-support \
         and wasm-bindgen-shared to \"={locked}\" in xtask/front/Cargo.toml"
    )]
    Versions { locked: String, ours: String },
    #[error("Cargo.lock cannot be read: {0}")]
    Lock(String),
    #[error("wasm-bindgen: {0}")]
    Glue(String),
    #[error("style: {0}")]
    Style(String),
    #[error(
        "pkg/app_bg.wasm is {size} bytes after brotli, {over} more than the limit of {limit}: make islands \
         smaller, or keep code that only the server needs behind the `ssr` feature"
    )]
    TooBig { size: u64, over: u64, limit: u64 },
}

/// Puts the path and the deed into an I/O error.
fn at(what: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::File { what, path, source }
}

fn main() -> ExitCode {
    match build(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn build(arguments: &Arguments) -> Result<(), Error> {
    glue::versions_agree(&arguments.lock)?;
    glue::generate(&arguments.wasm, &arguments.glue)?;

    let mut site = Site::open(&arguments.site)?;
    site.copy(&arguments.glue.join("pkg"), "pkg", |_| true)?;
    site.copy(&arguments.style, "", |path| path.extension().is_none_or(|extension| extension != "css"))?;
    site.put("pkg/app.css", styles::bundle(&arguments.style)?.as_bytes())?;
    let written = site.finish()?;

    let size = |name: &str| site::length(&arguments.site.join(name));
    let wasm = size("pkg/app_bg.wasm.br")?;
    eprintln!(
        "islands {} kB ({} kB brotli), glue {} kB, style {} kB; {written} files written",
        kilobytes(size("pkg/app_bg.wasm")?),
        kilobytes(wasm),
        kilobytes(size("pkg/app.js")?),
        kilobytes(size("pkg/app.css")?),
    );
    match wasm.checked_sub(arguments.limit) {
        None | Some(0) => Ok(()),
        Some(over) => Err(Error::TooBig { size: wasm, over, limit: arguments.limit }),
    }
}

/// Thousands of bytes with one decimal.
fn kilobytes(bytes: u64) -> String {
    format!("{}.{}", bytes / 1000, bytes % 1000 / 100)
}
