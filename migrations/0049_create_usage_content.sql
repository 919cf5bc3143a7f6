-- What requests and their answers say, sealed, where a project keeps that: a partition for each day after which it is dropped, so
-- that each project keeps it for as long as it likes, and all of it goes by dropping a table.
-- Old code can run against it: the columns have defaults, and it names the columns that it writes.

ALTER TABLE project
    ADD COLUMN content_keeping smallint NOT NULL DEFAULT 1
        CONSTRAINT project_content_keeping_check CHECK (content_keeping BETWEEN 1 AND 3),
    ADD COLUMN content_days smallint NOT NULL DEFAULT 7
        CONSTRAINT project_content_days_check CHECK (content_days BETWEEN 1 AND 90);

CREATE TABLE usage_content (
    -- The last day on which it is kept.
    until date NOT NULL,
    id uuid NOT NULL,
    organization uuid NOT NULL,
    project uuid NOT NULL,
    -- As the record says it.
    end_user text NOT NULL,
    -- The message sluice.usage.v1.Content, sealed for its organization, project and id; null once it was erased.
    sealed bytea,
    CONSTRAINT usage_content_pkey PRIMARY KEY (until, id)
) PARTITION BY RANGE (until);

-- Sealed bytes do not become shorter, and are read whole.
ALTER TABLE usage_content ALTER COLUMN sealed SET STORAGE EXTERNAL;

-- To forget an end user.
CREATE INDEX usage_content_end_user_idx ON usage_content (organization, end_user) WHERE end_user <> '';

-- Makes the partition of a day, unless it stands.
CREATE FUNCTION ensure_content_partition(wanted date) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    partition_name text := 'usage_content_' || to_char(wanted, 'YYYYMMDD');
BEGIN
    IF to_regclass(partition_name) IS NOT NULL THEN
        RETURN;
    END IF;
    -- Two writers may meet the new day at once; the second waits here and then finds the partition.
    PERFORM pg_advisory_xact_lock(hashtext('usage_content'), hashtext(partition_name));
    IF to_regclass(partition_name) IS NULL THEN
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF usage_content FOR VALUES FROM (%L) TO (%L)',
            partition_name, wanted, wanted + 1
        );
    END IF;
END
$$;

-- Drops the partitions of the days before this one, and says how many went.
CREATE FUNCTION drop_content_partitions(before date) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
    partition_name text;
    gone bigint := 0;
BEGIN
    FOR partition_name IN
        SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'usage_content'::regclass AND relname ~ '^usage_content_\d{8}$'
          AND to_date(substr(relname, 15), 'YYYYMMDD') < before
    LOOP
        EXECUTE format('DROP TABLE IF EXISTS %I', partition_name);
        gone := gone + 1;
    END LOOP;
    RETURN gone;
END
$$;
