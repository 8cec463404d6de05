//! What calls cost.

use super::routes::Routes;

pub(super) fn routes() -> Routes {
    Routes::new()
}
