-- A team's workspace in an organization.
-- Old code can run against it: it adds a table only.

CREATE TABLE project (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    display_name text NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT project_pkey PRIMARY KEY (id),
    CONSTRAINT project_name_key UNIQUE (organization, name),
    CONSTRAINT project_organization_fkey FOREIGN KEY (organization)
        REFERENCES organization (id) ON DELETE RESTRICT
);
