//! Static files, from the folder that `cargo xtask build` fills. Addresses carry a hash of the content, so that a
//! browser may keep a file for a year and never shows an old one.

use std::path::{Path, PathBuf};

use app::document::Assets;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use sha2::{Digest as _, Sha256};
use tower_http::services::{ServeDir, ServeFile};

const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const FOR_AN_HOUR: HeaderValue = HeaderValue::from_static("public, max-age=3600");

/// The site folder lacks a file that every page needs.
#[derive(Debug, thiserror::Error)]
#[error(
    "`site.dir`: {file} cannot be read ({why}): run `cargo xtask build`, or name the folder that it filled"
)]
pub(crate) struct NoSite {
    file: PathBuf,
    why: std::io::Error,
}

/// Reads what pages refer to once, for the hashes in its addresses.
pub(crate) fn read(site: &Path) -> Result<Assets, NoSite> {
    let address = |name: &str| {
        let file = site.join("pkg").join(name);
        match std::fs::read(&file) {
            Ok(bytes) => Ok(format!("/pkg/{name}?v={}", hex::encode(Sha256::digest(bytes)).split_at(16).0)),
            Err(why) => Err(NoSite { file, why }),
        }
    };
    Ok(Assets { css: address("app.css")?, js: address("app.js")?, wasm: address("app_bg.wasm")? })
}

/// Serves the folder, with the brotli twins that lie beside the files.
pub(crate) fn router(site: &Path) -> Router {
    let folder =
        |name| ServeDir::new(site.join(name)).precompressed_br().append_index_html_on_directories(false);
    Router::new()
        .nest_service("/pkg", folder("pkg"))
        .nest_service("/fonts", folder("fonts"))
        .route_service("/favicon.svg", ServeFile::new(site.join("favicon.svg")).precompressed_br())
        .layer(from_fn(kept))
}

/// Says how long a file may be kept: for ever under an address that changes with it. Fonts have their version in
/// their name.
async fn kept(request: Request, next: Next) -> Response {
    let fixed = request.uri().path().starts_with("/fonts/")
        || request.uri().query().is_some_and(|query| query.starts_with("v="));
    let mut response = next.run(request).await;
    if response.status().is_success() {
        response.headers_mut().insert(CACHE_CONTROL, if fixed { FOR_EVER } else { FOR_AN_HOUR });
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_changes_with_the_content_and_a_missing_file_is_named() {
        let site = std::env::temp_dir().join(format!("wa-site-{}", std::process::id()));
        std::fs::create_dir_all(site.join("pkg")).unwrap();
        let put = |name: &str, text: &str| std::fs::write(site.join("pkg").join(name), text).unwrap();
        put("app.css", "a{}");
        put("app.js", "1");
        let missing = read(&site).unwrap_err().to_string();
        assert!(missing.contains("app_bg.wasm") && missing.contains("cargo xtask build"), "{missing}");
        put("app_bg.wasm", "x");
        let first = read(&site).unwrap();
        put("app.css", "b{}");
        let second = read(&site).unwrap();
        assert_ne!(first.css, second.css);
        assert_eq!(first.js, second.js);
        assert_eq!(first.css.len(), "/pkg/app.css?v=".len() + 16);
        std::fs::remove_dir_all(site).unwrap();
    }
}
