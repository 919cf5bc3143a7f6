-- How much the copies of a shadow may cost in a day, and until when it rests after they have.
-- Old code can run against it: it adds columns that have a default or may be null. It neither has a shadow rest nor counts for a day; bring
-- all control planes up to date before the first shadow is given such a bound, and all edges, which else go on copying.

ALTER TABLE shadow
    -- Null: any amount.
    ADD COLUMN day_cost_max_nano bigint,
    -- The day, by UTC, whose copies are counted: what those cost whose cost is known, and how many there are whose cost is not.
    ADD COLUMN day date,
    ADD COLUMN day_cost_nano bigint NOT NULL DEFAULT 0,
    ADD COLUMN day_unpriced bigint NOT NULL DEFAULT 0,
    -- Until when nothing is copied; null: it has never rested.
    ADD COLUMN rests_until timestamptz;
