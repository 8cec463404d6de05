-- The native CRM module: companies, contacts, deals, interactions.
--
-- `changed_…` is who changed a record last, by the name they had then; of an agent also in which call. `external_id` is
-- a record's id in another system, by which imports find it again. `sort_name` and `search` are columns of their own since
-- row security keeps `lower(…)`, which could tell what it sees, out of index conditions; and a part of one text is looked for
-- faster than a part of any of four. (pg_trgm is not to be had everywhere, and could not be used under row security.)

CREATE TABLE crm_companies (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    id         uuid NOT NULL,
    external_id text CHECK (length(external_id) BETWEEN 1 AND 200),
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    website    text CHECK (length(website) <= 500),
    industry   text CHECK (length(industry) <= 120),
    notes      text CHECK (length(notes) <= 10000),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    changed_kind text NOT NULL CHECK (changed_kind IN ('user', 'agent', 'operator', 'worker')),
    changed_by   uuid,
    changed_name text NOT NULL,
    changed_call uuid,
    -- The host of the website without `www.`, as the server reads it.
    domain     text,
    sort_name  text NOT NULL GENERATED ALWAYS AS (lower(name)) STORED,
    search     text NOT NULL GENERATED ALWAYS AS (lower(
        name || E'\n' || coalesce(website, '') || E'\n' || coalesce(industry, '') || E'\n' || coalesce(external_id, ''))) STORED,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX crm_companies_name ON crm_companies (tenant_id, sort_name, id);
CREATE INDEX crm_companies_changed ON crm_companies (tenant_id, updated_at, id);
CREATE INDEX crm_companies_domain ON crm_companies (tenant_id, domain);
CREATE UNIQUE INDEX crm_companies_external_id ON crm_companies (tenant_id, external_id);
CALL protect('crm_companies');

CREATE TABLE crm_contacts (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    id         uuid NOT NULL,
    external_id text CHECK (length(external_id) BETWEEN 1 AND 200),
    company_id uuid,
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    email      text CHECK (length(email) <= 254),
    phone      text CHECK (length(phone) <= 60),
    job_title  text CHECK (length(job_title) <= 200),
    notes      text CHECK (length(notes) <= 10000),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    changed_kind text NOT NULL CHECK (changed_kind IN ('user', 'agent', 'operator', 'worker')),
    changed_by   uuid,
    changed_name text NOT NULL,
    changed_call uuid,
    mail_key   text GENERATED ALWAYS AS (lower(email)) STORED,
    sort_name  text NOT NULL GENERATED ALWAYS AS (lower(name)) STORED,
    search     text NOT NULL GENERATED ALWAYS AS (lower(
        name || E'\n' || coalesce(email, '') || E'\n' || coalesce(job_title, '') || E'\n' || coalesce(external_id, ''))) STORED,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, company_id) REFERENCES crm_companies (tenant_id, id)
);
CREATE INDEX crm_contacts_of_company ON crm_contacts (tenant_id, company_id);
CREATE INDEX crm_contacts_name ON crm_contacts (tenant_id, sort_name, id);
CREATE INDEX crm_contacts_changed ON crm_contacts (tenant_id, updated_at, id);
CREATE INDEX crm_contacts_mail ON crm_contacts (tenant_id, mail_key);
CREATE UNIQUE INDEX crm_contacts_external_id ON crm_contacts (tenant_id, external_id);
CALL protect('crm_contacts');

CREATE TABLE crm_deals (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    id         uuid NOT NULL,
    external_id text CHECK (length(external_id) BETWEEN 1 AND 200),
    company_id uuid NOT NULL,
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    stage      text NOT NULL CHECK (stage IN ('lead', 'qualified', 'proposal', 'negotiation', 'won', 'lost')),
    amount     numeric(20, 2) CHECK (amount >= 0),
    currency   text CHECK (currency ~ '^[A-Z]{3}$'),
    close_on   date,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    changed_kind text NOT NULL CHECK (changed_kind IN ('user', 'agent', 'operator', 'worker')),
    changed_by   uuid,
    changed_name text NOT NULL,
    changed_call uuid,
    sort_name  text NOT NULL GENERATED ALWAYS AS (lower(name)) STORED,
    search     text NOT NULL GENERATED ALWAYS AS (lower(name || E'\n' || coalesce(external_id, ''))) STORED,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, company_id) REFERENCES crm_companies (tenant_id, id),
    CHECK ((amount IS NULL) = (currency IS NULL))
);
CREATE INDEX crm_deals_of_company ON crm_deals (tenant_id, company_id);
CREATE INDEX crm_deals_name ON crm_deals (tenant_id, sort_name, id);
CREATE INDEX crm_deals_changed ON crm_deals (tenant_id, updated_at, id);
CREATE UNIQUE INDEX crm_deals_external_id ON crm_deals (tenant_id, external_id);
CALL protect('crm_deals');

CREATE TABLE crm_interactions (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    id         uuid NOT NULL,
    external_id text CHECK (length(external_id) BETWEEN 1 AND 200),
    contact_id uuid NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('call', 'mail', 'meeting', 'note')),
    summary    text NOT NULL CHECK (length(summary) BETWEEN 1 AND 10000),
    at         timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    changed_kind text NOT NULL CHECK (changed_kind IN ('user', 'agent', 'operator', 'worker')),
    changed_by   uuid,
    changed_name text NOT NULL,
    changed_call uuid,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, contact_id) REFERENCES crm_contacts (tenant_id, id)
);
CREATE INDEX crm_interactions_of_contact ON crm_interactions (tenant_id, contact_id, at DESC);
CREATE INDEX crm_interactions_at ON crm_interactions (tenant_id, at, id);
CREATE UNIQUE INDEX crm_interactions_external_id ON crm_interactions (tenant_id, external_id);
CALL protect('crm_interactions');

GRANT SELECT, INSERT, UPDATE, DELETE ON crm_companies, crm_contacts, crm_deals, crm_interactions TO workingagents_app;

-- Files that people uploaded, until they are applied or a day has passed.
CREATE TABLE crm_imports (
    tenant_id  uuid NOT NULL REFERENCES tenants,
    id         uuid NOT NULL,
    records    text NOT NULL CHECK (records IN ('companies', 'contacts', 'deals', 'interactions')),
    match_by   text NOT NULL,
    file_name  text NOT NULL CHECK (length(file_name) <= 200),
    content    text NOT NULL CHECK (octet_length(content) <= 5242880),
    user_id    uuid NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CREATE INDEX crm_imports_by_age ON crm_imports (tenant_id, created_at);
CALL protect('crm_imports');
GRANT SELECT, INSERT, DELETE ON crm_imports TO workingagents_app;
