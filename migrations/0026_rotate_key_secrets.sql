-- A key has a second secret while a rotation lets both work, and a project says how often that is to be. When a key
-- was last used is beside the keys and not in them, so that usage never waits for an operator's write.
-- Old code can run against it: the columns that it does not write have defaults, and it ignores the second secret.

ALTER TABLE key
    ADD COLUMN secret_created_at timestamptz NOT NULL DEFAULT now(),
    -- All null, or all of the secret that was replaced.
    ADD COLUMN previous_secret_sha256 bytea,
    ADD COLUMN previous_tag bytea,
    ADD COLUMN previous_pepper_version integer,
    ADD COLUMN previous_created_at timestamptz,
    ADD COLUMN previous_expires_at timestamptz,
    ADD CONSTRAINT key_previous_whole CHECK (
        num_nulls(previous_secret_sha256, previous_tag, previous_pepper_version, previous_created_at,
                  previous_expires_at) IN (0, 5)
    ),
    ADD CONSTRAINT key_previous_tag_length CHECK (octet_length(previous_tag) = 32),
    ADD CONSTRAINT key_previous_pepper_fkey FOREIGN KEY (previous_pepper_version)
        REFERENCES pepper (version) ON DELETE RESTRICT;

UPDATE key SET secret_created_at = created_at;

ALTER TABLE project
    -- Milliseconds. Null where the project says nothing.
    ADD COLUMN rotation_period_ms bigint,
    ADD COLUMN rotation_overlap_ms bigint,
    ADD COLUMN rotation_warn_before_ms bigint,
    ADD COLUMN rotation_age_max_ms bigint;

-- Written from usage, to the minute. Refers to nothing, as usage does.
CREATE TABLE key_use (
    key_id text COLLATE "C" NOT NULL,
    used_at timestamptz NOT NULL,
    -- With the secret that a rotation replaced; null while none was.
    previous_used_at timestamptz,
    CONSTRAINT key_use_pkey PRIMARY KEY (key_id)
);
