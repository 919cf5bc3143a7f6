-- What an operator presents to the admin API. The secret has 256 random bits, so its hash gives nothing away.
-- Old code can run against it: it adds a table only.

CREATE TABLE operator_key (
    key_id text COLLATE "C" NOT NULL,
    secret_sha256 bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Null while it is not.
    revoked_at timestamptz,
    CONSTRAINT operator_key_pkey PRIMARY KEY (key_id),
    CONSTRAINT operator_key_secret_length CHECK (octet_length(secret_sha256) = 32)
);
