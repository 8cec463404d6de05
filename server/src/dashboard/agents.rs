//! Agents: how to connect them, their keys, what they may do.

use super::routes::Routes;

pub(super) fn routes() -> Routes {
    Routes::new()
}
