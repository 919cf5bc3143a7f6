-- A record says what its request cost, and by which counters and prices, so that it can be priced again; and what its
-- client said of it.
-- Old code can run against it: what it writes has no known cost and no tags.

ALTER TABLE usage_record
    -- Nano-dollars; zero where it is not known.
    ADD COLUMN cost_nano bigint NOT NULL DEFAULT 0,
    ADD COLUMN cost_known boolean NOT NULL DEFAULT false,
    -- The message sluice.usage.v1.Charges; empty where nothing was billed or the edge knew no prices.
    ADD COLUMN charges bytea NOT NULL DEFAULT '',
    -- A JSON object of texts; empty where there are none.
    ADD COLUMN tags text NOT NULL DEFAULT '';
