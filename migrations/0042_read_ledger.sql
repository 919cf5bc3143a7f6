-- The ledger is the truth of quotas: what a region's Redis forgot is read back from the sums. So a quota says from when on it
-- counts, and sums tell regions apart: all but the one that reported first have facets of their own, `region:NAME` of all requests
-- and `region:NAME:user` by end user; what is left of all is that of the first.
-- Old code can run against it: what it stores of other regions meanwhile is taken for the first one's.

ALTER TABLE rate_limit
    ADD COLUMN counted_from timestamptz NOT NULL DEFAULT now();

UPDATE rate_limit SET counted_from = created_at;

CREATE TABLE usage_region (
    region text COLLATE "C" NOT NULL,
    -- Whether it is the one without facets.
    first boolean NOT NULL,
    CONSTRAINT usage_region_pkey PRIMARY KEY (region)
);

CREATE UNIQUE INDEX usage_region_first_idx ON usage_region (first) WHERE first;

INSERT INTO usage_region (region, first)
SELECT region, true FROM usage_record ORDER BY day, at LIMIT 1;
