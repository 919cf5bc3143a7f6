-- When a model or a version is no longer to be used, and what is to be used instead.
-- Old code can run against it: the columns have defaults, and it names the columns that it writes. Where it writes a model, edges hear
-- nothing of what is deprecated until that is written again.

ALTER TABLE model
    -- Null where it is not deprecated.
    ADD COLUMN deprecated_at timestamptz,
    ADD COLUMN sunset_at timestamptz,
    -- The name of a model or of a version of the organization; it may be gone. Empty: none.
    ADD COLUMN successor text NOT NULL DEFAULT '',
    ADD CONSTRAINT model_sunset_check CHECK (sunset_at >= deprecated_at);

ALTER TABLE model_version
    ADD COLUMN deprecated_at timestamptz,
    ADD COLUMN sunset_at timestamptz,
    ADD COLUMN successor text NOT NULL DEFAULT '',
    ADD CONSTRAINT model_version_sunset_check CHECK (sunset_at >= deprecated_at);

CREATE INDEX model_version_deprecated_idx ON model_version (model) WHERE deprecated_at IS NOT NULL;
