-- Records of old days can be dropped, a partition at a time; sums stay. From which day on records are kept is remembered, so
-- that what comes again from before is not counted again.
-- Old code can run against it: it adds a table and a function only. Set no retention while old code runs.

CREATE TABLE usage_horizon (
    -- The first day of which records are kept.
    day date NOT NULL,
    CONSTRAINT usage_horizon_pkey PRIMARY KEY (day)
);

-- Drops the partition of a day. Waits for nobody longer than the session's lock_timeout.
CREATE FUNCTION drop_usage_partition(unwanted date) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    EXECUTE format('DROP TABLE IF EXISTS %I', 'usage_record_' || to_char(unwanted, 'YYYYMMDD'));
END
$$;
