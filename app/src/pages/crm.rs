//! The CRM's records.
