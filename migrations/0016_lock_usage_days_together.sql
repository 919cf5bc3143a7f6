-- Two reports that each needed two new days could wait for each other, because every day had a lock of its own;
-- now there is one for all days. And a day of which a record came too early, from an edge whose clock is ahead,
-- had to stay in the default partition for ever; now its rows move when the day's partition is made.
-- Old code can run against it: it replaces a function by one with the same meaning.

CREATE OR REPLACE FUNCTION ensure_usage_partition(wanted date) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    partition_name text := 'usage_record_' || to_char(wanted, 'YYYYMMDD');
    -- Moving must not take longer than a report can wait.
    moved_max constant bigint := 10000;
BEGIN
    IF to_regclass(partition_name) IS NOT NULL THEN
        RETURN;
    END IF;
    -- Two writers may meet new days at once. The second waits here, before it holds any table.
    PERFORM pg_advisory_xact_lock(hashtext('usage_record'), 0);
    -- Full: the day stays where it is.
    IF (SELECT count(*) > moved_max FROM (
            SELECT FROM usage_record_default WHERE day = wanted LIMIT moved_max + 1
        ) AS early) THEN
        RETURN;
    END IF;
    -- From here on no row of the day can come to the default partition, and what another made is seen.
    LOCK TABLE ONLY usage_record IN ACCESS EXCLUSIVE MODE;
    IF to_regclass(partition_name) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE usage_record INCLUDING ALL)', partition_name);
    EXECUTE format(
        'WITH moved AS (DELETE FROM usage_record_default WHERE day = %L RETURNING *)
         INSERT INTO %I SELECT * FROM moved',
        wanted, partition_name
    );
    EXECUTE format(
        'ALTER TABLE usage_record ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        partition_name, wanted, wanted + 1
    );
END
$$;
