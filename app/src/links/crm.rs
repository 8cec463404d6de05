//! The CRM's records.

use model::crm::Records;
use model::{CompanyId, ContactId, Id};
use uuid::Uuid;

use super::Links;

impl Links {
    /// The CRM's front page: its companies.
    pub fn crm(&self) -> String {
        self.records(Records::Companies)
    }

    /// A list of the CRM.
    pub fn records(&self, records: Records) -> String {
        self.at(&format!("crm/{records}"))
    }

    /// A list with filters: `query` as [`crate::pages::crm::Query`] writes it.
    pub fn records_with(&self, records: Records, query: &str) -> String {
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}{mark}{query}", self.records(records))
    }

    /// One record, by its id as text.
    pub fn record(&self, records: Records, id: &str) -> String {
        format!("{}/{id}", self.records(records))
    }

    /// One company.
    pub fn company(&self, id: CompanyId) -> String {
        self.record(Records::Companies, &id.to_string())
    }

    /// One contact.
    pub fn contact(&self, id: ContactId) -> String {
        self.record(Records::Contacts, &id.to_string())
    }

    /// The form that changes a record.
    pub fn edit_record(&self, records: Records, id: &str) -> String {
        format!("{}/edit", self.record(records, id))
    }

    /// What deleting a record would mean.
    pub fn delete_record(&self, records: Records, id: &str) -> String {
        format!("{}/delete", self.record(records, id))
    }

    /// The form for a new record.
    pub fn new_record(&self, records: Records) -> String {
        format!("{}/new", self.records(records))
    }

    /// The form for a record that belongs to another: `company` or `contact`, and its id.
    pub fn new_record_of(&self, records: Records, of: &str, id: impl Id) -> String {
        format!("{}?{of}={id}", self.new_record(records))
    }

    /// A list as a sheet, with filters.
    pub fn export_records(&self, records: Records, query: &str) -> String {
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}/export{mark}{query}", self.records(records))
    }

    /// The form for a sheet to be imported.
    pub fn import_records(&self, records: Records) -> String {
        format!("{}/import", self.records(records))
    }

    /// What would come of an uploaded sheet.
    pub fn import(&self, records: Records, import: Uuid) -> String {
        format!("{}/{import}", self.import_records(records))
    }

    /// An empty sheet to be filled in.
    pub fn template(&self, records: Records) -> String {
        format!("{}/template", self.records(records))
    }
}
