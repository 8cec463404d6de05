//! The catalog: modules, tools, the wizard, trying a tool.
