//! The catalog: modules, tools, the wizard, trying a tool.

use super::routes::Routes;

pub(super) fn routes() -> Routes {
    Routes::new()
}
