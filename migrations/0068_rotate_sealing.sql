-- What rests sealed is brought under another sealing key by one replica at a time, and a pepper is replaced by another one: keys
-- are tagged anew once every edge has it, and the one before goes when no edge needs it any more.
-- Old code can run against it: it adds a table, and columns that it does not write. What it makes while a pepper is replaced is
-- tagged under the newest one.

-- Which replica is at it, until when, and how often another one took over.
CREATE TABLE sealing_turn (
    one boolean NOT NULL DEFAULT true,
    holder uuid NOT NULL,
    held_until timestamptz NOT NULL,
    fence bigint NOT NULL DEFAULT 1,
    CONSTRAINT sealing_turn_pkey PRIMARY KEY (one),
    CONSTRAINT sealing_turn_alone CHECK (one)
);

ALTER TABLE pepper
    -- Since when keys are tagged under it; null until every edge has it.
    ADD COLUMN used_at timestamptz DEFAULT now(),
    -- How long it stays after the last key has left it, milliseconds; of the pepper that replaces it, and null of the first.
    ADD COLUMN overlap_ms bigint,
    -- Since when and up to which revision no key is tagged under it; null while one is.
    ADD COLUMN left_at timestamptz,
    ADD COLUMN left_revision bigint;
