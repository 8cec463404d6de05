//! The page of all components, beside the mailbox: for those who work on the dashboard.

use std::path::Path;
use std::sync::Arc;

use app::document::{Assets, Site};
use axum::Router;
use axum::response::Html;
use axum::routing::get;
use model::{Ambient, Zone};

use crate::dashboard::assets::{self, NoSite};

/// `/components`, with the files it loads.
pub(super) fn router(site: &Path, ambient: Ambient) -> Result<Router, NoSite> {
    let files = Arc::new(assets::read(site)?);
    let page = get(move || async move { Html(page(&files, &ambient)) });
    Ok(Router::new().route("/components", page).merge(assets::router(site)))
}

fn page(files: &Arc<Assets>, ambient: &Ambient) -> String {
    app::pages::components::page(&Site {
        assets: Arc::clone(files),
        development: true,
        nonce: String::new(),
        machines: "".into(),
        programs: None,
        now: ambient.now(),
        zone: Zone::UTC,
    })
}
