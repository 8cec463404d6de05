//! Signing up, verifying, setting a new password, accepting an invitation: pages that need no session.

use super::routes::Routes;

pub(super) fn routes() -> Routes {
    Routes::new()
}
