-- What edges are told: the log of edits, the objects that live now, and what their hashes must add up to.
-- All three are written in the transaction of the edit, after its revision is taken.
-- Old code can run against it: it adds tables only.

CREATE TABLE change (
    revision bigint NOT NULL,
    lane smallint NOT NULL,
    kind smallint NOT NULL,
    operation smallint NOT NULL,
    key bytea NOT NULL,
    -- For which regions the object was before, and is after: null when there was or is none, empty for all.
    before text[],
    after text[],
    value bytea NOT NULL,
    actor text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT change_pkey PRIMARY KEY (revision),
    CONSTRAINT change_operation_known CHECK (operation IN (1, 2, 3))
);

-- "The last change of this lane up to that revision", asked by whoever waits for the fleet.
CREATE INDEX change_lane_idx ON change (lane, revision);

-- Live objects, and the tombstones of revoked keys. `value` is empty in a tombstone.
CREATE TABLE object (
    kind smallint NOT NULL,
    key bytea NOT NULL,
    lane smallint NOT NULL,
    revision bigint NOT NULL,
    operation smallint NOT NULL,
    regions text[] NOT NULL,
    value bytea NOT NULL,
    CONSTRAINT object_pkey PRIMARY KEY (kind, key),
    CONSTRAINT object_operation_known CHECK (operation IN (1, 3))
);

-- The sum over the objects of a lane that are for one region only, or, with the region '', for every one.
CREATE TABLE lane_hash (
    lane smallint NOT NULL,
    region text NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT lane_hash_pkey PRIMARY KEY (lane, region),
    CONSTRAINT lane_hash_length CHECK (octet_length(hash) = 32)
);
