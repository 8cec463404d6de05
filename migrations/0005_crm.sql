-- The native CRM module: companies, contacts, deals, interactions.

CREATE TABLE crm_companies (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    id         uuid NOT NULL,
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    website    text CHECK (length(website) <= 500),
    industry   text CHECK (length(industry) <= 120),
    notes      text CHECK (length(notes) <= 10000),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX crm_companies_name ON crm_companies (tenant_id, lower(name));
CALL protect('crm_companies');

CREATE TABLE crm_contacts (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    id         uuid NOT NULL,
    company_id uuid,
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    email      text CHECK (length(email) <= 254),
    phone      text CHECK (length(phone) <= 60),
    job_title  text CHECK (length(job_title) <= 200),
    notes      text CHECK (length(notes) <= 10000),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, company_id) REFERENCES crm_companies (tenant_id, id)
);
CREATE INDEX crm_contacts_of_company ON crm_contacts (tenant_id, company_id);
CREATE INDEX crm_contacts_name ON crm_contacts (tenant_id, lower(name));
CALL protect('crm_contacts');

CREATE TABLE crm_deals (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    id         uuid NOT NULL,
    company_id uuid NOT NULL,
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    stage      text NOT NULL CHECK (stage IN ('lead', 'qualified', 'proposal', 'negotiation', 'won', 'lost')),
    amount     numeric(20, 2) CHECK (amount >= 0),
    currency   text CHECK (currency ~ '^[A-Z]{3}$'),
    close_on   date,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, company_id) REFERENCES crm_companies (tenant_id, id),
    CHECK ((amount IS NULL) = (currency IS NULL))
);
CREATE INDEX crm_deals_of_company ON crm_deals (tenant_id, company_id);
CALL protect('crm_deals');

CREATE TABLE crm_interactions (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    id         uuid NOT NULL,
    contact_id uuid NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('call', 'mail', 'meeting', 'note')),
    summary    text NOT NULL CHECK (length(summary) BETWEEN 1 AND 10000),
    at         timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, contact_id) REFERENCES crm_contacts (tenant_id, id)
);
CREATE INDEX crm_interactions_of_contact ON crm_interactions (tenant_id, contact_id, at DESC);
CALL protect('crm_interactions');

GRANT SELECT, INSERT, UPDATE, DELETE ON crm_companies, crm_contacts, crm_deals, crm_interactions TO workingagents_app;
