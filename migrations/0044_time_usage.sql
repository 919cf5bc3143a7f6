-- A record says how much of its time was the gateway's own, how long it waited for a turn at a provider, in which trace it
-- stands and why its answer ended; and sums hold a sketch of the gateway's own part.
-- Old code can run against it: what it writes has none of that, and sums that it folds lose the sketches of new code.

ALTER TABLE usage_record
    -- Microseconds; zero where it was never ready to be sent.
    ADD COLUMN overhead_us bigint NOT NULL DEFAULT 0,
    ADD COLUMN queue_us bigint NOT NULL DEFAULT 0,
    -- 16 bytes; empty where it was not traced.
    ADD COLUMN trace_id bytea NOT NULL DEFAULT '',
    -- A number of sluice.usage.v1.Finish.
    ADD COLUMN finish smallint NOT NULL DEFAULT 0;

ALTER TABLE usage_delta ADD COLUMN overhead bytea NOT NULL DEFAULT '';

ALTER TABLE usage_sum ADD COLUMN overhead bytea NOT NULL DEFAULT '';
