//! The built-in CRM's records, as people and lists see them.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::{AgentId, CallId, CompanyId, ContactId, Currency, Timestamp, UserId, words};

words! {
    /// The lists of the CRM.
    Records {
        /// Companies.
        Companies = "companies",
        /// People, with or without a company.
        Contacts = "contacts",
        /// Deals with companies.
        Deals = "deals",
        /// What happened with a contact.
        Interactions = "interactions",
    }
}

impl Records {
    /// One of them, in words: `company`.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Companies => "company",
            Self::Contacts => "contact",
            Self::Deals => "deal",
            Self::Interactions => "interaction",
        }
    }
}

words! {
    /// Where a deal stands.
    Stage {
        /// Somebody may be interested.
        Lead = "lead",
        /// Somebody is.
        Qualified = "qualified",
        /// They have a proposal.
        Proposal = "proposal",
        /// It is being negotiated.
        Negotiation = "negotiation",
        /// Made.
        Won = "won",
        /// Not made.
        Lost = "lost",
    }
}

words! {
    /// What an interaction was.
    InteractionKind {
        /// A telephone or video call.
        Call = "call",
        /// A mail.
        Mail = "mail",
        /// A meeting.
        Meeting = "meeting",
        /// A note about the person.
        Note = "note",
    }
}

/// What a company is made of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Company {
    /// Its id in another system, 1 to 200 characters; unique among companies.
    pub external_id: Option<String>,
    /// Its name.
    pub name: String,
    /// Its website, as it was given.
    pub website: Option<String>,
    /// Its line of business.
    pub industry: Option<String>,
    /// Anything worth knowing.
    pub notes: Option<String>,
}

/// What a contact is made of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Contact {
    /// Their id in another system; unique among contacts.
    pub external_id: Option<String>,
    /// Their name.
    pub name: String,
    /// The company they belong to.
    pub company: Option<CompanyId>,
    /// Mail address.
    pub email: Option<String>,
    /// Phone number.
    pub phone: Option<String>,
    /// What they do there.
    pub job_title: Option<String>,
    /// Anything worth knowing.
    pub notes: Option<String>,
}

/// What a deal is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deal {
    /// Its id in another system; unique among deals.
    pub external_id: Option<String>,
    /// What it is about.
    pub name: String,
    /// With which company. Always there once it is stored.
    pub company: Option<CompanyId>,
    /// Where it stands.
    pub stage: Stage,
    /// What it is worth: from 0 up, at most two decimals. There with a currency or not at all.
    pub amount: Option<Decimal>,
    /// Of what.
    pub currency: Option<Currency>,
    /// When it is expected to close.
    pub close_on: Option<NaiveDate>,
}

impl Default for Deal {
    fn default() -> Self {
        Self {
            external_id: None,
            name: String::new(),
            company: None,
            stage: Stage::Lead,
            amount: None,
            currency: None,
            close_on: None,
        }
    }
}

/// What an interaction is made of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Interaction {
    /// Its id in another system; unique among interactions.
    pub external_id: Option<String>,
    /// With whom. Always there once it is stored.
    pub contact: Option<ContactId>,
    /// What it was. Always there once it is stored.
    pub kind: Option<InteractionKind>,
    /// What was said or agreed.
    pub summary: String,
    /// When it was. Always there once it is stored.
    pub at: Option<Timestamp>,
}

/// Who changed a record last.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChangedBy {
    /// A person.
    Person {
        /// Their id.
        id: UserId,
        /// Their name then.
        name: String,
    },
    /// An agent.
    Agent {
        /// Its id.
        id: AgentId,
        /// Its name then.
        name: String,
        /// In which call.
        call: Option<CallId>,
    },
    /// The operator or the installation, by name.
    Other(String),
}

/// A record as lists and its page show it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line<R> {
    /// Its id; each list has a type for its own.
    pub id: Uuid,
    /// What it is made of.
    pub record: R,
    /// The company it belongs to, through its contact if need be, with its name.
    pub company: Option<(CompanyId, String)>,
    /// The contact it belongs to, with their name.
    pub contact: Option<(ContactId, String)>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// By whom.
    pub changed_by: ChangedBy,
}

/// What deals of one stage and currency come to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StageTotal {
    /// The stage.
    pub stage: Stage,
    /// Of what; none: deals without an amount.
    pub currency: Option<Currency>,
    /// How many deals.
    pub deals: u64,
    /// What they are worth together.
    pub amount: Decimal,
}
