//! The CRM's records.

use super::routes::Routes;

pub(super) fn routes() -> Routes {
    Routes::new()
}
