//! Where pages are. Nothing else writes a path, so that a page that moves moves once.

mod activity;
mod agents;
mod catalog;
mod crm;
pub mod grants;
mod home;
mod joining;
mod limits;
mod money;
mod people;
mod settings;

use model::people::Slug;

pub use catalog::named;
pub use joining::{CHOOSE, FORGOT, FORGOT_SENT, SIGN_IN, SIGN_OUT, SIGN_UP, SIGN_UP_SENT, reset, verify};
pub use people::join;

/// The places of one organization.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Links {
    slug: Slug,
}

impl Links {
    /// The places of the organization with this short name.
    pub fn of(slug: Slug) -> Self {
        Self { slug }
    }

    /// The organization's own front page.
    pub fn home(&self) -> String {
        format!("/t/{}", self.slug)
    }

    /// A path inside the organization.
    fn at(&self, path: &str) -> String {
        format!("/t/{}/{path}", self.slug)
    }
}

/// The places of the rail, in its order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// What needs one, what goes on.
    Home,
    /// Calls.
    Activity,
    /// Modules and tools.
    Catalog,
    /// The CRM's records.
    Crm,
    /// Who may use what.
    Grants,
    /// Units, people, agents.
    People,
    /// What calls cost.
    Money,
    /// What one's own calls cost.
    Usage,
    /// The organization's settings.
    Settings,
    /// None of the rail: one's own account, search.
    Elsewhere,
}

impl Place {
    /// What the rail calls it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Home => "Home",
            Self::Activity => "Activity",
            Self::Catalog => "Catalog",
            Self::Crm => "CRM",
            Self::Grants => "Grants",
            Self::People => "People & Agents",
            Self::Money => "Money",
            Self::Usage => "My usage",
            Self::Settings => "Settings",
            Self::Elsewhere => "",
        }
    }

    /// Its icon.
    pub const fn icon(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Activity => "activity",
            Self::Catalog => "catalog",
            Self::Crm => "crm",
            Self::Grants => "grants",
            Self::People => "person",
            Self::Money | Self::Usage => "money",
            Self::Settings => "settings",
            Self::Elsewhere => "none",
        }
    }

    /// The key that goes there, after `g`.
    pub const fn go_key(self) -> Option<&'static str> {
        match self {
            Self::Home => Some("h"),
            Self::Activity => Some("a"),
            Self::Catalog => Some("c"),
            Self::Crm => Some("r"),
            Self::Grants => Some("g"),
            Self::People => Some("p"),
            Self::Money => Some("m"),
            Self::Usage => Some("u"),
            Self::Settings => Some("s"),
            Self::Elsewhere => None,
        }
    }

    /// Where it is.
    pub fn href(self, links: &Links) -> String {
        match self {
            Self::Home | Self::Elsewhere => links.home(),
            Self::Activity => links.activity(),
            Self::Catalog => links.catalog(),
            Self::Crm => links.crm(),
            Self::Grants => links.grants(),
            Self::People => links.people(),
            Self::Money => links.money(),
            Self::Usage => links.usage(),
            Self::Settings => links.settings(),
        }
    }
}
