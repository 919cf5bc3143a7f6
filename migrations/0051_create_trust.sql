-- Whose tokens are exchanged for operator keys that end soon, and which were. A key that was made so says for whom.
-- Old code can run against it: it adds tables, and columns that have a default.

CREATE TABLE trust (
    id uuid NOT NULL,
    -- The organization that keeps it; null for one above all.
    organization uuid,
    name text COLLATE "C" NOT NULL,
    display_name text NOT NULL,
    issuer_url text COLLATE "C" NOT NULL,
    -- Empty for where the discovery document says.
    keys_url text NOT NULL,
    audiences text[] NOT NULL,
    -- A pattern; empty for any.
    subject text NOT NULL,
    -- Claims, and the pattern of each at the same place.
    claims text[] NOT NULL,
    patterns text[] NOT NULL,
    lifetime_ms bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT trust_pkey PRIMARY KEY (id),
    CONSTRAINT trust_organization_fkey FOREIGN KEY (organization)
        REFERENCES organization (id) ON DELETE CASCADE
);

-- Two, because nulls are all different to one.
CREATE UNIQUE INDEX trust_name_key ON trust (organization, name) WHERE organization IS NOT NULL;
CREATE UNIQUE INDEX trust_name_above_key ON trust (name) WHERE organization IS NULL;

CREATE TABLE trust_grant (
    trust uuid NOT NULL,
    place smallint NOT NULL,
    role text NOT NULL,
    -- Both null for everywhere; a project stands with its organization.
    organization uuid,
    project uuid,
    claims text[] NOT NULL,
    patterns text[] NOT NULL,
    CONSTRAINT trust_grant_pkey PRIMARY KEY (trust, place),
    CONSTRAINT trust_grant_place CHECK (project IS NULL OR organization IS NOT NULL),
    CONSTRAINT trust_grant_trust_fkey FOREIGN KEY (trust) REFERENCES trust (id) ON DELETE CASCADE,
    CONSTRAINT trust_grant_organization_fkey FOREIGN KEY (organization)
        REFERENCES organization (id) ON DELETE CASCADE,
    CONSTRAINT trust_grant_project_fkey FOREIGN KEY (project) REFERENCES project (id) ON DELETE CASCADE
);

CREATE INDEX trust_grant_organization_idx ON trust_grant (organization);
CREATE INDEX trust_grant_project_idx ON trust_grant (project);

-- Tokens that were exchanged, until they end by themselves.
CREATE TABLE trust_token (
    trust uuid NOT NULL,
    digest bytea NOT NULL,
    expires_at timestamptz NOT NULL,
    CONSTRAINT trust_token_pkey PRIMARY KEY (trust, digest),
    CONSTRAINT trust_token_digest_length CHECK (octet_length(digest) = 32),
    CONSTRAINT trust_token_trust_fkey FOREIGN KEY (trust) REFERENCES trust (id) ON DELETE CASCADE
);

CREATE INDEX trust_token_expires_at_idx ON trust_token (expires_at);

ALTER TABLE operator_key
    -- Null for a key that an operator made, and for one whose trust is gone.
    ADD COLUMN trust uuid,
    -- The name of the trust and whom its token was about; empty for a key that an operator made.
    ADD COLUMN trust_name text NOT NULL DEFAULT '',
    ADD COLUMN subject text NOT NULL DEFAULT '',
    ADD CONSTRAINT operator_key_trust_fkey FOREIGN KEY (trust) REFERENCES trust (id) ON DELETE SET NULL;

CREATE INDEX operator_key_trust_idx ON operator_key (trust, expires_at) WHERE trust IS NOT NULL;
