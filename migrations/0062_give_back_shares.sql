-- Parts of a quota that a region has and does not use come back in its period: the region charges them to its own count first,
-- and what it charged is its own no more.
--
-- Old code can run against it: it asks nothing back, and what was given back stays charged where it is. It tells edges of no part
-- that was, so that they show it as used; and where it begins a period it leaves what was given in the one before, which is read
-- only with the period that it is of.

ALTER TABLE limit_share
    -- Which period the others are of.
    ADD COLUMN given_period bigint NOT NULL DEFAULT 0,
    -- How much of what the region counts in this period was given back, in the limit's unit.
    ADD COLUMN given bigint NOT NULL DEFAULT 0,
    -- What the region is asked to give back and has not answered: in millionths and in the limit's unit, and which question it is;
    -- zeros where nothing is asked.
    ADD COLUMN back integer NOT NULL DEFAULT 0,
    ADD COLUMN back_units bigint NOT NULL DEFAULT 0,
    ADD COLUMN back_serial bigint NOT NULL DEFAULT 0,
    -- The most that the region is known to have used, in millionths, by what it said when it was asked last.
    ADD COLUMN used integer NOT NULL DEFAULT 0;
