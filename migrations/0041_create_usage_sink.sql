-- Records leave for buckets and databases of others. How far each way out has come is remembered here, and what is under way:
-- whoever goes on after a failure sends the same batches again, under the same name.
-- Old code can run against it: it adds a table and an index only. While the index is made, usage waits at edges.

CREATE TABLE usage_sink (
    -- As the settings call it.
    name text COLLATE "C" NOT NULL,
    -- The number of the last batch of which it is known that it is there.
    number bigint NOT NULL DEFAULT 0,
    -- The number of the last batch of those that are being sent; null where none are.
    planned bigint,
    -- The replica that sends, until when, and how often another one took over.
    holder uuid NOT NULL,
    held_until timestamptz NOT NULL,
    fence bigint NOT NULL DEFAULT 1,
    -- When everything was there for the last time.
    caught_up_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT usage_sink_pkey PRIMARY KEY (name)
);

-- Batches of all organizations are read in the order of their numbers.
CREATE INDEX usage_batch_all_idx ON usage_batch (number);
