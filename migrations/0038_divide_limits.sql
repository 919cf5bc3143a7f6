-- Regions may hold a limit together: what each may use of it, and what each wants.
-- Old code can run against it: what it makes is held by each region by itself, as before. It publishes a limit that it changes
-- without its regions.

ALTER TABLE rate_limit
    -- Sorted; none: each region by itself.
    ADD COLUMN regions text[] NOT NULL DEFAULT '{}';

-- Written by whoever divides, under a lock, and told to edges only when it is committed.
CREATE TABLE limit_share (
    rate_limit uuid NOT NULL,
    region text COLLATE "C" NOT NULL,
    -- What edges are told.
    millionths integer NOT NULL,
    -- The most that any of them may still believe. Of one limit these are never together more than a million.
    held integer NOT NULL,
    -- Grows when millionths changes.
    serial bigint NOT NULL,
    -- Of a quota the first moment of its period, in milliseconds since 1970, and one more; else zero.
    period bigint NOT NULL,
    CONSTRAINT limit_share_pkey PRIMARY KEY (rate_limit, region),
    CONSTRAINT limit_share_rate_limit_fkey FOREIGN KEY (rate_limit)
        REFERENCES rate_limit (id) ON DELETE CASCADE
);

-- What the edges of a region that are connected with one replica want. Losing it loses nothing but time.
CREATE TABLE limit_want (
    rate_limit uuid NOT NULL,
    region text COLLATE "C" NOT NULL,
    replica bytea NOT NULL,
    -- In the limit's unit, each second.
    asked bigint NOT NULL,
    -- Of a quota, the most that was needed in the period, in millionths.
    needed integer NOT NULL,
    period bigint NOT NULL,
    heard_at timestamptz NOT NULL,
    CONSTRAINT limit_want_pkey PRIMARY KEY (rate_limit, region, replica),
    CONSTRAINT limit_want_rate_limit_fkey FOREIGN KEY (rate_limit)
        REFERENCES rate_limit (id) ON DELETE CASCADE
);
