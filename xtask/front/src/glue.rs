//! The JavaScript glue: wasm-bindgen as a library, so that nobody has to install its command line tool.
//! Skipped when the very same WebAssembly was processed by this very same builder before.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use wasm_bindgen_cli_support::Bindgen;

use crate::{Error, at};

/// Fails unless the glue generator and the `wasm-bindgen` that the islands were compiled against are one version.
pub(crate) fn versions_agree(lock: &Path) -> Result<(), Error> {
    let text = fs::read_to_string(lock).map_err(at("reading", lock))?;
    let lock: toml::Table = text.parse().map_err(|error: toml::de::Error| Error::Lock(error.to_string()))?;
    let packages = lock.get("package").and_then(toml::Value::as_array);
    let locked = packages
        .into_iter()
        .flatten()
        .find(|package| package.get("name").and_then(toml::Value::as_str) == Some("wasm-bindgen"))
        .and_then(|package| package.get("version")?.as_str())
        .ok_or_else(|| Error::Lock("it has no package wasm-bindgen".into()))?;
    let ours = wasm_bindgen_shared::version();
    if locked == ours { Ok(()) } else { Err(Error::Versions { locked: locked.into(), ours }) }
}

/// Writes `app.js`, `app_bg.wasm` and possibly `snippets/` into `folder/pkg`.
pub(crate) fn generate(wasm: &Path, folder: &Path) -> Result<(), Error> {
    let bytes = fs::read(wasm).map_err(at("reading", wasm))?;
    let stamp = stamp(&bytes)?;
    let stamp_file = folder.join("stamp");
    let out = folder.join("pkg");
    if fs::read_to_string(&stamp_file).is_ok_and(|before| before == stamp) && out.is_dir() {
        return Ok(());
    }
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(at("clearing", folder)(error));
        }
        _ => {}
    }
    fs::create_dir_all(&out).map_err(at("creating", &out))?;
    let mut generator = Bindgen::new();
    generator
        .input_bytes("app", bytes)
        .typescript(false)
        // The page's module script finds the WebAssembly beside the glue by itself.
        .omit_default_module_path(false)
        .remove_name_section(true)
        .remove_producers_section(true);
    generator
        .web(true)
        .and_then(|web| web.generate(&out))
        .map_err(|error| Error::Glue(format!("{error:#}")))?;
    fs::write(&stamp_file, stamp).map_err(at("writing", &stamp_file))
}

/// Changes with the WebAssembly and with this builder.
fn stamp(wasm: &[u8]) -> Result<String, Error> {
    let mut hasher = DefaultHasher::new();
    wasm.hash(&mut hasher);
    let this = std::env::current_exe().map_err(at("finding", Path::new("this program")))?;
    let about = fs::metadata(&this).map_err(at("reading", &this))?;
    about.len().hash(&mut hasher);
    about.modified().map_err(at("reading", &this))?.hash(&mut hasher);
    Ok(format!("{:016x}", hasher.finish()))
}
