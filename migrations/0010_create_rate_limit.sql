-- A rate over a scope. Without project and key the scope is the organization.
-- Old code can run against it: it adds a table only.

CREATE TABLE rate_limit (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    display_name text NOT NULL,
    scope_project uuid,
    scope_key uuid,
    -- 1 requests, 2 tokens.
    unit integer NOT NULL,
    amount bigint NOT NULL,
    window_ms bigint NOT NULL,
    burst bigint NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT rate_limit_pkey PRIMARY KEY (id),
    CONSTRAINT rate_limit_name_key UNIQUE (organization, name),
    CONSTRAINT rate_limit_one_scope CHECK (scope_project IS NULL OR scope_key IS NULL),
    CONSTRAINT rate_limit_organization_fkey FOREIGN KEY (organization)
        REFERENCES organization (id) ON DELETE RESTRICT,
    CONSTRAINT rate_limit_scope_project_fkey FOREIGN KEY (scope_project)
        REFERENCES project (id) ON DELETE RESTRICT,
    CONSTRAINT rate_limit_scope_key_fkey FOREIGN KEY (scope_key)
        REFERENCES key (id) ON DELETE RESTRICT
);

CREATE INDEX rate_limit_scope_project_idx ON rate_limit (scope_project);
CREATE INDEX rate_limit_scope_key_idx ON rate_limit (scope_key);
