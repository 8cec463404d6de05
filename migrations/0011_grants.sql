-- Grants are looked up by whom they were given to, and by when they end; by key the unique index serves.
CREATE INDEX grants_of_unit ON grants (tenant_id, unit_id) WHERE unit_id IS NOT NULL;
CREATE INDEX grants_of_role ON grants (tenant_id, role) WHERE role IS NOT NULL;
CREATE INDEX grants_of_user ON grants (tenant_id, user_id) WHERE user_id IS NOT NULL;
CREATE INDEX grants_of_agent ON grants (tenant_id, agent_id) WHERE agent_id IS NOT NULL;
CREATE INDEX grants_by_end ON grants (tenant_id, expires_at) WHERE expires_at IS NOT NULL;
