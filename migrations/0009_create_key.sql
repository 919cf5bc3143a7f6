-- What a client presents. We keep no text: SHA-256 of the secret, sealed, and the tag that edges compare.
-- The models a key may ask for are rows, so that the database keeps a model that a key names.
-- Old code can run against it: it adds tables only.

CREATE TABLE key (
    id uuid NOT NULL,
    key_id text COLLATE "C" NOT NULL,
    project uuid NOT NULL,
    -- 1 live, 2 test.
    environment smallint NOT NULL,
    display_name text NOT NULL,
    secret_sha256 bytea NOT NULL,
    tag bytea NOT NULL,
    pepper_version integer NOT NULL,
    -- Null for never.
    expires_at timestamptz,
    -- Null while it is not.
    revoked_at timestamptz,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT key_pkey PRIMARY KEY (id),
    CONSTRAINT key_key_id_key UNIQUE (key_id),
    CONSTRAINT key_environment_known CHECK (environment IN (1, 2)),
    CONSTRAINT key_tag_length CHECK (octet_length(tag) = 32),
    CONSTRAINT key_project_fkey FOREIGN KEY (project)
        REFERENCES project (id) ON DELETE RESTRICT,
    CONSTRAINT key_pepper_fkey FOREIGN KEY (pepper_version)
        REFERENCES pepper (version) ON DELETE RESTRICT
);

CREATE INDEX key_project_idx ON key (project, key_id);

CREATE TABLE key_model (
    key uuid NOT NULL,
    model uuid NOT NULL,
    CONSTRAINT key_model_pkey PRIMARY KEY (key, model),
    CONSTRAINT key_model_key_fkey FOREIGN KEY (key)
        REFERENCES key (id) ON DELETE CASCADE,
    CONSTRAINT key_model_model_fkey FOREIGN KEY (model)
        REFERENCES model (id) ON DELETE RESTRICT
);

CREATE INDEX key_model_model_idx ON key_model (model);
