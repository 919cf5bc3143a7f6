-- A second target that is asked for embeddings beside the first, which is slow. Old code can run against it, and asks one at a time.

ALTER TABLE model_version
    -- After how many milliseconds; 0: that is not said.
    ADD COLUMN hedge_after_ms integer NOT NULL DEFAULT 0,
    -- Or when the first has taken longer than so many of a hundred answers there did lately; 0: that is not said.
    ADD COLUMN hedge_percentile smallint NOT NULL DEFAULT 0;
