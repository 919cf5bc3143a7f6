-- Service accounts: whose a key is that no person holds, with a switch for all of its keys.
-- Old code can run against it: it adds a table and a column. It must not write keys of an account that is switched off: edges would
-- take them again.

CREATE TABLE service_account (
    id uuid NOT NULL,
    project uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    display_name text NOT NULL,
    disabled boolean NOT NULL DEFAULT false,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT service_account_pkey PRIMARY KEY (id),
    CONSTRAINT service_account_name_key UNIQUE (project, name),
    -- Its keys are of its project.
    CONSTRAINT service_account_place_key UNIQUE (id, project),
    CONSTRAINT service_account_project_fkey FOREIGN KEY (project)
        REFERENCES project (id) ON DELETE CASCADE
);

ALTER TABLE key
    -- Null for a key of no account.
    ADD COLUMN service_account uuid,
    ADD CONSTRAINT key_service_account_fkey FOREIGN KEY (service_account, project)
        REFERENCES service_account (id, project);

CREATE INDEX key_service_account_idx ON key (service_account) WHERE service_account IS NOT NULL;
