//! The folder that the server hands to browsers. Only what changed is written, each file in one step, so that
//! a running server never serves half a file; what is no longer part of the site is removed.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::{Error, at};

/// What shrinks; fonts and pictures are compressed already.
const COMPRESSIBLE: &[&str] =
    &["css", "html", "js", "json", "map", "svg", "txt", "wasm", "webmanifest", "xml"];

pub(crate) struct Site {
    root: PathBuf,
    files: BTreeSet<PathBuf>,
    written: usize,
}

impl Site {
    pub(crate) fn open(root: &Path) -> Result<Self, Error> {
        fs::create_dir_all(root).map_err(at("creating", root))?;
        Ok(Self { root: root.to_owned(), files: BTreeSet::new(), written: 0 })
    }

    /// Puts every file below `from` that is `wanted` under the same name below `under`. Names that begin with a
    /// dot stay out.
    pub(crate) fn copy(&mut self, from: &Path, under: &str, wanted: fn(&Path) -> bool) -> Result<(), Error> {
        for path in files_below(from)? {
            let Ok(name) = path.strip_prefix(from) else { continue };
            let hidden = name.components().any(|part| part.as_os_str().to_string_lossy().starts_with('.'));
            if !hidden && wanted(&path) {
                let bytes = fs::read(&path).map_err(at("reading", &path))?;
                self.put(Path::new(under).join(name), &bytes)?;
            }
        }
        Ok(())
    }

    /// Makes `name` hold exactly `bytes`, with a brotli twin beside it where that pays.
    pub(crate) fn put(&mut self, name: impl AsRef<Path>, bytes: &[u8]) -> Result<(), Error> {
        let path = self.root.join(name);
        let twin = path.with_added_extension("br");
        let changed = fs::read(&path).ok().as_deref() != Some(bytes);
        if changed {
            self.write(&path, bytes)?;
        }
        let compressible =
            path.extension().is_some_and(|extension| COMPRESSIBLE.iter().any(|e| extension == *e));
        if compressible {
            if changed || !twin.exists() {
                let packed = compressed(bytes).map_err(at("compressing", &path))?;
                self.write(&twin, &packed)?;
            }
            self.files.insert(twin);
        }
        self.files.insert(path);
        Ok(())
    }

    /// Removes what no longer belongs to the site; says how many files were written.
    pub(crate) fn finish(self) -> Result<usize, Error> {
        for path in files_below(&self.root)? {
            if !self.files.contains(&path) {
                fs::remove_file(&path).map_err(at("removing", &path))?;
            }
        }
        Ok(self.written)
    }

    fn write(&mut self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(at("creating", folder))?;
        }
        let draft = path.with_added_extension("draft");
        fs::write(&draft, bytes).map_err(at("writing", &draft))?;
        fs::rename(&draft, path).map_err(at("renaming", &draft))?;
        self.written += 1;
        Ok(())
    }
}

/// The size of a file in bytes.
pub(crate) fn length(path: &Path) -> Result<u64, Error> {
    fs::metadata(path).map(|about| about.len()).map_err(at("reading", path))
}

fn compressed(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packed = Vec::new();
    let mut writer = brotli::CompressorWriter::new(&mut packed, 64 * 1024, 11, 22);
    writer.write_all(bytes)?;
    writer.flush()?;
    drop(writer);
    Ok(packed)
}

/// All files below a folder, in the order of their names.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(at("reading", &folder))? {
            let path = entry.map_err(at("reading", &folder))?.path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("front-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn only_what_changed_is_written_and_strays_go() {
        let root = scratch("site");
        let mut site = Site::open(&root).unwrap();
        site.put("pkg/app.js", b"let a = 1;").unwrap();
        site.put("old.svg", b"<svg/>").unwrap();
        assert_eq!(site.finish().unwrap(), 4, "two files and their twins");

        let mut site = Site::open(&root).unwrap();
        site.put("pkg/app.js", b"let a = 1;").unwrap();
        assert_eq!(site.finish().unwrap(), 0);
        assert!(!root.join("old.svg").exists() && !root.join("old.svg.br").exists());

        let mut site = Site::open(&root).unwrap();
        site.put("pkg/app.js", b"let a = 2;").unwrap();
        assert_eq!(site.finish().unwrap(), 2);
        let mut plain = Vec::new();
        let twin = fs::read(root.join("pkg/app.js.br")).unwrap();
        brotli::BrotliDecompress(&mut twin.as_slice(), &mut plain).unwrap();
        assert_eq!(plain, b"let a = 2;", "the twin follows the file");
        fs::remove_dir_all(root).unwrap();
    }
}
