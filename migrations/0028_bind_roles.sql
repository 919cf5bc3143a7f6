-- What each operator key may do, and where. Keys that stand already may do everything, as they could before.
-- Old code can run against it, and lets every key do everything; a key that it makes may do nothing here.

ALTER TABLE operator_key
    ADD COLUMN display_name text NOT NULL DEFAULT '',
    -- The organization that keeps it; null for one above all.
    ADD COLUMN organization uuid,
    -- Null for never.
    ADD COLUMN expires_at timestamptz,
    ADD CONSTRAINT operator_key_organization_fkey FOREIGN KEY (organization)
        REFERENCES organization (id) ON DELETE CASCADE;

CREATE INDEX operator_key_organization_idx ON operator_key (organization);

CREATE TABLE role_binding (
    operator_key text COLLATE "C" NOT NULL,
    place smallint NOT NULL,
    role text NOT NULL,
    -- Both null for everywhere; a project stands with its organization.
    organization uuid,
    project uuid,
    CONSTRAINT role_binding_pkey PRIMARY KEY (operator_key, place),
    CONSTRAINT role_binding_place CHECK (project IS NULL OR organization IS NOT NULL),
    CONSTRAINT role_binding_operator_key_fkey FOREIGN KEY (operator_key)
        REFERENCES operator_key (key_id) ON DELETE CASCADE,
    CONSTRAINT role_binding_organization_fkey FOREIGN KEY (organization)
        REFERENCES organization (id) ON DELETE CASCADE,
    CONSTRAINT role_binding_project_fkey FOREIGN KEY (project)
        REFERENCES project (id) ON DELETE CASCADE
);

CREATE INDEX role_binding_organization_idx ON role_binding (organization);
CREATE INDEX role_binding_project_idx ON role_binding (project);

INSERT INTO role_binding (operator_key, place, role) SELECT key_id, 0, 'owner' FROM operator_key;
