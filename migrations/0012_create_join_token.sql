-- With which edges of one region join. The region is what the token proves.
-- Old code can run against it: it adds a table only.

CREATE TABLE join_token (
    key_id text COLLATE "C" NOT NULL,
    region text NOT NULL,
    display_name text NOT NULL,
    secret_sha256 bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Null for never.
    expires_at timestamptz,
    -- Null while it is not.
    revoked_at timestamptz,
    CONSTRAINT join_token_pkey PRIMARY KEY (key_id),
    CONSTRAINT join_token_secret_length CHECK (octet_length(secret_sha256) = 32)
);
