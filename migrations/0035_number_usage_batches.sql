-- A record says in which batch it was counted, for whom its client asked and which attempts gave no answer. A batch gets
-- its number after it was committed, by one writer at a time, so that whoever reads batches in the order of their numbers
-- misses none.
-- Old code can run against it: what it writes belongs to no batch until the roll-up finds it. It must not price usage anew
-- meanwhile: sums would not hear of it.

ALTER TABLE usage_record
    -- Null until it stands in the sums.
    ADD COLUMN batch bigint,
    -- Empty where the client did not say.
    ADD COLUMN end_user text NOT NULL DEFAULT '',
    -- The message sluice.usage.v1.Attempts; empty where each attempt was answered.
    ADD COLUMN attempts bytea NOT NULL DEFAULT '';

CREATE INDEX usage_record_batch_idx ON usage_record (batch);

CREATE SEQUENCE usage_batch_seq;
CREATE SEQUENCE usage_batch_number_seq;

CREATE TABLE usage_batch (
    organization uuid NOT NULL,
    batch bigint NOT NULL,
    -- Null until it may be read.
    number bigint,
    records integer NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    CONSTRAINT usage_batch_pkey PRIMARY KEY (batch, organization)
);

CREATE INDEX usage_batch_number_idx ON usage_batch (organization, number);
CREATE INDEX usage_batch_new_idx ON usage_batch (batch) WHERE number IS NULL;
