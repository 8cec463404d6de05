//! Units, people, invitations, one's own account.

use super::routes::Routes;

pub(super) fn routes() -> Routes {
    Routes::new()
}
