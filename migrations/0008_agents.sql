-- Agents that have ended.

-- Since when an agent is no more. Its row stays for the record of its calls; its keys are revoked, its grants gone, and
-- its name can be given again.
ALTER TABLE agents ADD COLUMN retired_at timestamptz, ADD CHECK (retired_at IS NULL OR standing = 'suspended');
DROP INDEX agents_name;
CREATE UNIQUE INDEX agents_name ON agents (tenant_id, lower(name)) WHERE retired_at IS NULL;

-- What was given to an agent, which goes with it.
CREATE INDEX grants_of_agent ON grants (tenant_id, agent_id) WHERE agent_id IS NOT NULL;
