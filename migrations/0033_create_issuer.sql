-- Issuers of tokens that an organization takes in place of keys. What a token must be for stands in rows of its own, so
-- that no two issuers of one URL, of whatever organization, can claim the same token.
-- Old code can run against it: it adds tables only.

CREATE TABLE issuer (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    display_name text NOT NULL,
    issuer_url text COLLATE "C" NOT NULL,
    -- Empty for where the discovery document says.
    keys_url text NOT NULL,
    algorithms text[] NOT NULL,
    token_types text[] NOT NULL,
    leeway_ms bigint NOT NULL,
    -- Null for what the expression says.
    project uuid,
    -- Expressions over claims; empty for none.
    project_expression text NOT NULL,
    condition text NOT NULL,
    end_user_expression text NOT NULL,
    models_expression text NOT NULL,
    request_tokens_max_expression text NOT NULL,
    -- What its tokens open at most.
    model_patterns text[] NOT NULL,
    endpoints text[] NOT NULL,
    ip_ranges text[] NOT NULL,
    -- Null for any number.
    request_tokens_max bigint,
    disabled boolean NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT issuer_pkey PRIMARY KEY (id),
    CONSTRAINT issuer_name_key UNIQUE (organization, name),
    CONSTRAINT issuer_project_said CHECK (project IS NULL OR project_expression = ''),
    CONSTRAINT issuer_organization_fkey FOREIGN KEY (organization)
        REFERENCES organization (id) ON DELETE RESTRICT,
    CONSTRAINT issuer_project_fkey FOREIGN KEY (project)
        REFERENCES project (id) ON DELETE RESTRICT
);

CREATE INDEX issuer_project_idx ON issuer (project);

CREATE TABLE issuer_audience (
    issuer uuid NOT NULL,
    position smallint NOT NULL,
    -- That of its issuer, which never changes.
    issuer_url text COLLATE "C" NOT NULL,
    audience text COLLATE "C" NOT NULL,
    CONSTRAINT issuer_audience_pkey PRIMARY KEY (issuer, position),
    CONSTRAINT issuer_audience_key UNIQUE (issuer_url, audience),
    CONSTRAINT issuer_audience_issuer_fkey FOREIGN KEY (issuer)
        REFERENCES issuer (id) ON DELETE CASCADE
);

CREATE TABLE issuer_provider (
    issuer uuid NOT NULL,
    provider uuid NOT NULL,
    CONSTRAINT issuer_provider_pkey PRIMARY KEY (issuer, provider),
    CONSTRAINT issuer_provider_issuer_fkey FOREIGN KEY (issuer)
        REFERENCES issuer (id) ON DELETE CASCADE,
    CONSTRAINT issuer_provider_provider_fkey FOREIGN KEY (provider)
        REFERENCES provider (id) ON DELETE RESTRICT
);

CREATE INDEX issuer_provider_provider_idx ON issuer_provider (provider);
