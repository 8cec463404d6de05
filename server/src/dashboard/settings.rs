//! The organization's settings.

use super::routes::Routes;

pub(super) fn routes() -> Routes {
    Routes::new()
}
