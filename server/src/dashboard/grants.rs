//! Who may use what.

use super::routes::Routes;

pub(super) fn routes() -> Routes {
    Routes::new()
}
