//! The native CRM: companies, contacts, deals and interactions, so that the product is useful with nothing else.

use crate::native::Native;

/// What the CRM offers.
pub const MODULE: Native = Native {
    name: "crm",
    title: "CRM",
    keys: &[
        ("crm", "use all of the CRM"),
        ("crm:read", "read in the CRM"),
        ("crm:write", "add and change things in the CRM"),
        ("crm:delete", "delete things in the CRM"),
    ],
    tools: include_str!("definitions.json"),
};
