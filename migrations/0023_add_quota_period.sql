-- A limit may be a quota of a day, a week, a month or for ever; days begin where the organization is.
-- Old code can run against it: what it writes is a rate, as before. It refuses to read a quota, whose window is zero.

ALTER TABLE rate_limit
    -- 0 a rate, 1 each day, 2 each week, 3 each month, 4 for ever.
    ADD COLUMN period integer NOT NULL DEFAULT 0;

ALTER TABLE organization
    -- A name of the IANA database.
    ADD COLUMN time_zone text NOT NULL DEFAULT 'UTC';
