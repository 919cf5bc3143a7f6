-- Settled requests, a partition for each day, so that old days go by dropping a table. The key holds the day,
-- as it must in a partitioned table; an id always comes with the same time, so it is still stored once.
-- Nothing refers to other tables: usage outlives what was used.
-- Old code can run against it: it adds a table and a function only.

CREATE TABLE usage_record (
    day date NOT NULL,
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    edge_id text NOT NULL,
    region text NOT NULL,
    organization uuid NOT NULL,
    project uuid NOT NULL,
    key_id text NOT NULL,
    model uuid NOT NULL,
    model_version uuid NOT NULL,
    -- Null when none was reached.
    provider uuid,
    provider_model text NOT NULL,
    endpoint text NOT NULL,
    outcome smallint NOT NULL,
    status integer NOT NULL,
    streamed boolean NOT NULL,
    usage_source smallint NOT NULL,
    input_tokens bigint NOT NULL,
    cached_input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    revision bigint NOT NULL,
    duration_us bigint NOT NULL,
    first_byte_us bigint NOT NULL,
    CONSTRAINT usage_record_pkey PRIMARY KEY (day, id)
) PARTITION BY RANGE (day);

CREATE INDEX usage_record_organization_idx ON usage_record (organization, at);

-- Holds what no day's partition takes. Usage is never refused because a partition is missing.
CREATE TABLE usage_record_default PARTITION OF usage_record DEFAULT;

-- Makes the partition of a day, unless it stands or the default partition already holds rows of that day.
CREATE FUNCTION ensure_usage_partition(wanted date) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    partition_name text := 'usage_record_' || to_char(wanted, 'YYYYMMDD');
BEGIN
    IF to_regclass(partition_name) IS NOT NULL THEN
        RETURN;
    END IF;
    -- Two writers may meet the new day at once; the second waits here and then finds the partition.
    PERFORM pg_advisory_xact_lock(hashtext('usage_record'), hashtext(partition_name));
    IF to_regclass(partition_name) IS NOT NULL
        OR EXISTS (SELECT FROM usage_record_default WHERE day = wanted) THEN
        RETURN;
    END IF;
    EXECUTE format(
        'CREATE TABLE %I PARTITION OF usage_record FOR VALUES FROM (%L) TO (%L)',
        partition_name, wanted, wanted + 1
    );
END
$$;
