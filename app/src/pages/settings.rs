//! The organization's settings.
