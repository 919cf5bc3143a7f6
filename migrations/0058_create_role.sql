-- Roles of an organization's own, which operator keys and trusts hold beside those that are built in.
-- Old code can run against it: what holds such a role has no word in `role`, so it allows nothing there. It must not change an operator
-- key that holds one meanwhile: it would write the key without it.

CREATE TABLE role (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    display_name text NOT NULL,
    permissions text[] NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT role_pkey PRIMARY KEY (id),
    CONSTRAINT role_name_key UNIQUE (organization, name),
    -- What holds it is in its organization.
    CONSTRAINT role_place_key UNIQUE (id, organization),
    CONSTRAINT role_organization_fkey FOREIGN KEY (organization)
        REFERENCES organization (id) ON DELETE CASCADE
);

ALTER TABLE role_binding
    -- Null for a role that is built in; `role` is empty where it is not.
    ADD COLUMN own_role uuid,
    ADD CONSTRAINT role_binding_own_role CHECK (own_role IS NULL OR (organization IS NOT NULL AND role = '')),
    ADD CONSTRAINT role_binding_own_role_fkey FOREIGN KEY (own_role, organization)
        REFERENCES role (id, organization);

ALTER TABLE trust_grant
    ADD COLUMN own_role uuid,
    ADD CONSTRAINT trust_grant_own_role CHECK (own_role IS NULL OR (organization IS NOT NULL AND role = '')),
    ADD CONSTRAINT trust_grant_own_role_fkey FOREIGN KEY (own_role, organization)
        REFERENCES role (id, organization);

CREATE INDEX role_binding_own_role_idx ON role_binding (own_role) WHERE own_role IS NOT NULL;
CREATE INDEX trust_grant_own_role_idx ON trust_grant (own_role) WHERE own_role IS NOT NULL;
