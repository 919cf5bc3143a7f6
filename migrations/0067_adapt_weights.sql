-- Weights of a version's targets that follow how those do, within bounds. Old code can run against it, and leaves weights as they are.

ALTER TABLE model_version
    -- What they follow: 0 nothing, 1 how soon answers begin, 2 how many attempts fail.
    ADD COLUMN adapt_by smallint NOT NULL DEFAULT 0,
    -- The least and the most that a weight becomes, percents of itself.
    ADD COLUMN adapt_low smallint NOT NULL DEFAULT 0,
    ADD COLUMN adapt_high smallint NOT NULL DEFAULT 0;
