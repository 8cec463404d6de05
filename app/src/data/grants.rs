//! Who may use what.
