-- Agents that have ended.

-- Since when an agent is no more. Its row stays for the record of its calls; its keys are revoked, its grants gone, and
-- its name can be given again.
ALTER TABLE agents ADD COLUMN retired_at timestamptz, ADD CHECK (retired_at IS NULL OR standing = 'suspended');
DROP INDEX agents_name;
CREATE UNIQUE INDEX agents_name ON agents (tenant_id, lower(name)) WHERE retired_at IS NULL;
