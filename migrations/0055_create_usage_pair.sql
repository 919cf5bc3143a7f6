-- Sums of usage by two tags at once, for pairs of tags that an organization names. They stand among the other sums, under `pair:` and
-- the pair's number, and are made of the records that are kept when the pair is named.
-- Old code can run against it: what it stores is of batches that know of no pair, and is added by new code. It must not price usage
-- anew meanwhile: sums by two tags would not hear of it.

CREATE TABLE usage_pair (
    -- Rises, and is never used again: a pair that is named anew begins anew.
    id bigint GENERATED ALWAYS AS IDENTITY,
    organization uuid NOT NULL,
    -- The keys of both tags, the lesser first.
    first text COLLATE "C" NOT NULL,
    second text COLLATE "C" NOT NULL,
    -- The first day of which records were kept when it was named; null where none had been dropped.
    since date,
    -- Nobody names it any more, and what was summed by it is to go.
    gone boolean NOT NULL DEFAULT false,
    CONSTRAINT usage_pair_pkey PRIMARY KEY (id),
    CONSTRAINT usage_pair_sorted CHECK (first < second)
);

CREATE UNIQUE INDEX usage_pair_named_idx ON usage_pair (organization, first, second) WHERE NOT gone;

ALTER TABLE usage_batch
    -- The newest pair by which it was summed; zero where there was none.
    ADD COLUMN pairs_to bigint NOT NULL DEFAULT 0;

CREATE INDEX usage_batch_pairs_idx ON usage_batch (organization, pairs_to);
