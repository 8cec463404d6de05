//! What recurs on pages: the call row, signs, the identity chain, contents of calls, form fields.

pub mod access;
pub mod call_row;
pub mod content;
pub mod field;
pub mod folding;
pub mod form;
pub mod head;
pub mod identity;
pub mod json;
pub mod limits;
pub mod sessions;
pub mod sign;
