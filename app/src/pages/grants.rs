//! The matrix of grants.
