//! One style sheet out of many: imports inlined, minified, every `url()` turned into the address under which
//! the site serves that file, and refused when there is no such file.

use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, RwLock};

use lightningcss::bundler::{Bundler, FileProvider};
use lightningcss::dependencies::{Dependency, DependencyOptions};
use lightningcss::printer::PrinterOptions;
use lightningcss::stylesheet::{MinifyOptions, ParserOptions};
use lightningcss::targets::{Browsers, Targets};

use crate::Error;

/// The oldest browsers that know `light-dark()`; nothing is rewritten for older ones.
fn browsers() -> Targets {
    let version = |major: u32, minor: u32| Some(major << 16 | minor << 8);
    Targets::from(Browsers {
        chrome: version(123, 0),
        edge: version(123, 0),
        firefox: version(120, 0),
        safari: version(17, 5),
        ios_saf: version(17, 5),
        ..Browsers::default()
    })
}

/// Bundles `main.css` of the style folder.
pub(crate) fn bundle(style: &Path) -> Result<String, Error> {
    let files = FileProvider::new();
    let warnings = Arc::new(RwLock::new(Vec::new()));
    let options = ParserOptions { warnings: Some(Arc::clone(&warnings)), ..ParserOptions::default() };
    let entry = style.join("main.css");
    if !entry.is_file() {
        return Err(Error::Style(format!("{} is missing", entry.display())));
    }
    let mut sheet = Bundler::new(&files, None, options)
        .bundle(&entry)
        .map_err(|error| Error::Style(error.to_string()))?;
    let minify = MinifyOptions { targets: browsers(), ..MinifyOptions::default() };
    sheet.minify(minify).map_err(|error| Error::Style(error.to_string()))?;
    let printed = sheet
        .to_css(PrinterOptions {
            minify: true,
            targets: browsers(),
            analyze_dependencies: Some(DependencyOptions::default()),
            ..PrinterOptions::default()
        })
        .map_err(|error| Error::Style(error.to_string()))?;
    if let Ok(warnings) = warnings.read() {
        for warning in warnings.iter() {
            eprintln!("warning: style: {warning}");
        }
    }

    let mut code = printed.code;
    for dependency in printed.dependencies.into_iter().flatten() {
        match dependency {
            Dependency::Import(import) => {
                return Err(Error::Style(format!("{}: only files of our own are imported", import.url)));
            }
            Dependency::Url(found) => {
                let address = address(&found.url, Path::new(&found.loc.file_path), style).map_err(|why| {
                    Error::Style(format!("{}:{}: {why}", found.loc.file_path, found.loc.start.line))
                })?;
                let quoted = format!("\"{}\"", address.replace('\\', "\\\\").replace('"', "\\\""));
                code = code.replace(&format!("\"{}\"", found.placeholder), &quoted);
            }
        }
    }
    Ok(code)
}

/// The address at which browsers find what a style sheet names by `url`.
fn address(url: &str, sheet: &Path, style: &Path) -> Result<String, String> {
    if url.starts_with("data:") || url.starts_with('#') {
        return Ok(url.to_owned());
    }
    if url.starts_with("//") || url.contains("://") {
        return Err(format!("{url} is on another site; pages load nothing from elsewhere"));
    }
    let end = url.find(['?', '#']).unwrap_or(url.len());
    let (name, rest) = url.split_at_checked(end).unwrap_or((url, ""));
    let file = match name.strip_prefix('/') {
        Some(absolute) => style.join(absolute),
        None => sheet.parent().unwrap_or(style).join(name),
    };
    let file = plain(&file);
    match file.strip_prefix(plain(style)) {
        Ok(inside) if file.is_file() => Ok(format!("/{}{rest}", inside.display())),
        Ok(_) => Err(format!("{url} names {}, which does not exist", file.display())),
        Err(_) => Err(format!("{url} is outside the style folder")),
    }
}

/// The path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
        plain
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn style(name: &str, files: &[(&str, &str)]) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("front-{}-style-{name}", std::process::id()));
        for (file, text) in files {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn imports_are_inlined_and_addresses_follow_the_file() {
        let folder = style(
            "good",
            &[
                (
                    "main.css",
                    "@layer base;\n@import \"parts/type.css\" layer(base);\na { color: light-dark(red, blue) }",
                ),
                ("parts/type.css", "@font-face { font-family: A; src: url(../fonts/a.woff2?v=1) }"),
                ("parts/dots.css", ""),
                ("fonts/a.woff2", "font"),
            ],
        );
        let code = bundle(&folder).unwrap();
        assert!(code.contains("url(\"/fonts/a.woff2?v=1\")"), "{code}");
        assert!(code.contains("light-dark("), "{code}");
        assert!(!code.contains("@import"), "{code}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn quotes_in_a_data_address_survive() {
        let css = r#"a { background: url('data:image/svg+xml,<svg xmlns="x"/>') }"#;
        let folder = style("data", &[("main.css", css)]);
        let code = bundle(&folder).unwrap();
        assert!(code.contains(r#"url("data:image/svg+xml,<svg xmlns=\"x\"/>")"#), "{code}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn missing_files_and_other_sites_are_refused() {
        for (name, css, part) in [
            ("missing", "a { background: url(b.svg) }", "does not exist"),
            ("other", "a { background: url(https://example.com/b.svg) }", "another site"),
            ("outside", "a { background: url(../../b.svg) }", "outside"),
            ("broken", "a { color: }; @@", "main.css"),
        ] {
            let folder = style(name, &[("main.css", css)]);
            let error = bundle(&folder).unwrap_err().to_string();
            assert!(error.contains(part), "{name}: {error}");
            fs::remove_dir_all(folder).unwrap();
        }
    }
}
