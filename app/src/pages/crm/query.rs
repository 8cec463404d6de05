//! The query of a list: what the address says, read without trusting it and written in one way.

use control::crm::{Filter, Sort};
use form_urlencoded::Serializer;
use model::crm::{InteractionKind, Records, Stage};
use model::{CompanyId, ContactId};

use crate::pieces::field::FieldError;

/// Longest text that is searched for.
const LONGEST: usize = 200;

/// What a list is narrowed to and which of its pages is shown.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Query {
    /// Part of the texts that are searched.
    pub search: Option<String>,
    /// Deals in this stage.
    pub stage: Option<Stage>,
    /// Interactions of this kind.
    pub kind: Option<InteractionKind>,
    /// Those of this company.
    pub company: Option<CompanyId>,
    /// Those of this contact.
    pub contact: Option<ContactId>,
    /// The order, when it is not the usual one.
    pub sort: Option<Sort>,
    /// The page, from 0.
    pub page: u32,
}

impl Query {
    /// Reads the fields of a query. What is none of a list's own is left out.
    pub fn read<'a>(
        records: Records,
        fields: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> (Self, Vec<FieldError>) {
        let (mut query, mut errors) = (Self::default(), Vec::new());
        for (name, value) in fields {
            let value = value.trim();
            if value.is_empty() {
                continue;
            }
            let mut wrong =
                |field: &'static str, sentence: &str| errors.push(FieldError::new(field, sentence));
            match name {
                "q" if value.chars().count() > LONGEST || value.contains('\0') => {
                    wrong("q", "Search for at most 200 characters.");
                }
                "q" => query.search = Some(value.to_owned()),
                "stage" if records == Records::Deals => match value.parse() {
                    Ok(stage) => query.stage = Some(stage),
                    Err(_) => wrong("stage", "Choose one of the stages."),
                },
                "kind" if records == Records::Interactions => match value.parse() {
                    Ok(kind) => query.kind = Some(kind),
                    Err(_) => wrong("kind", "Choose one of the kinds."),
                },
                "company" if records != Records::Companies => match value.parse() {
                    Ok(company) => query.company = Some(company),
                    Err(_) => wrong("q", "The company in the address is none: open it from its page."),
                },
                "contact" if records == Records::Interactions => match value.parse() {
                    Ok(contact) => query.contact = Some(contact),
                    Err(_) => wrong("q", "The contact in the address is none: open it from their page."),
                },
                "sort" => match value.parse().ok().filter(|sort| Sort::of(records).contains(sort)) {
                    Some(sort) => {
                        query.sort = Some(sort).filter(|sort| Some(sort) != Sort::of(records).first())
                    }
                    None => wrong("sort", "Choose one of the orders."),
                },
                "page" => query.page = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        (query, errors)
    }

    /// The query as an address has it, without a mark before it.
    pub fn to_query(&self) -> String {
        let mut query = Serializer::new(String::new());
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                query.append_pair(name, &value);
            }
        };
        add("q", self.search.clone());
        add("stage", self.stage.map(|stage| stage.to_string()));
        add("kind", self.kind.map(|kind| kind.to_string()));
        add("company", self.company.map(|company| company.to_string()));
        add("contact", self.contact.map(|contact| contact.to_string()));
        add("sort", self.sort.map(|sort| sort.to_string()));
        add("page", Some(self.page).filter(|page| *page > 0).map(|page| page.to_string()));
        query.finish()
    }

    /// The same list at another page.
    #[must_use]
    pub fn at(&self, page: u32) -> Self {
        Self { page, ..self.clone() }
    }

    /// Whether anything narrows the list.
    pub fn narrows(&self) -> bool {
        self.search.is_some()
            || self.stage.is_some()
            || self.kind.is_some()
            || self.company.is_some()
            || self.contact.is_some()
    }

    /// As control takes it.
    pub fn filter(&self) -> Filter {
        Filter {
            search: self.search.clone(),
            company: self.company,
            contact: self.contact,
            stage: self.stage,
            kind: self.kind,
            sort: self.sort,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(records: Records, fields: &[(&str, &str)]) -> (String, usize) {
        let (query, errors) = Query::read(records, fields.iter().copied());
        (query.to_query(), errors.len())
    }

    #[test]
    fn an_address_is_read_and_written_in_one_way() {
        let deals = [
            ("page", "2"),
            ("q", " a&b=c "),
            ("stage", "won"),
            ("sort", "amount"),
            ("kind", "call"),
            ("x", "y"),
        ];
        assert_eq!(read(Records::Deals, &deals), ("q=a%26b%3Dc&stage=won&sort=amount&page=2".to_owned(), 0));
        assert_eq!(read(Records::Deals, &[("sort", "newest")]), (String::new(), 0), "the usual order");
        assert_eq!(read(Records::Companies, &[("stage", "won"), ("sort", "name")]), (String::new(), 0));
    }

    #[test]
    fn what_is_not_to_be_had_is_said_and_left_out() {
        for field in
            [("stage", "x"), ("sort", "price"), ("company", "' OR 1=1"), ("q", "\0"), ("q", &"x".repeat(201))]
        {
            assert_eq!(read(Records::Deals, &[field]), (String::new(), 1), "{field:?}");
        }
        assert_eq!(read(Records::Deals, &[("page", "-1")]), (String::new(), 0));
    }
}
