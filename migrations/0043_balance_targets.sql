-- A version says how its targets are chosen, and after which failures the next one is asked.
-- Old code can run against it: it adds columns with defaults, and what it writes chooses by weight and falls back as usual.

ALTER TABLE model_version
    -- The number of `policy::routing::Balance`.
    ADD COLUMN balance smallint NOT NULL DEFAULT 0,
    -- Bits of `policy::routing::FailureClasses`.
    ADD COLUMN fallback_on smallint NOT NULL DEFAULT 0,
    ADD COLUMN no_fallback_on smallint NOT NULL DEFAULT 0,
    ADD CONSTRAINT model_version_balance_known CHECK (balance BETWEEN 0 AND 7),
    ADD CONSTRAINT model_version_fallback_known CHECK (fallback_on BETWEEN 0 AND 255 AND no_fallback_on BETWEEN 0 AND 255),
    ADD CONSTRAINT model_version_fallback_once CHECK (fallback_on & no_fallback_on = 0);
