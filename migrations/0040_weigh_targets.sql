-- Targets of a version may share its requests by weight.
-- Old code can run against it: it adds a column with a default, and what it writes has no weight.

ALTER TABLE target
    -- Zero means: none.
    ADD COLUMN weight smallint NOT NULL DEFAULT 0,
    ADD CONSTRAINT target_weight_range CHECK (weight BETWEEN 0 AND 1000);
