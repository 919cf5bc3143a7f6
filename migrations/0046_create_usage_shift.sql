-- Sums of days that begin at other quarters of an hour than UTC's do, for organizations that ask for days of other time zones: a
-- month of those was made of its hours, twenty-four times as many rows. They stand in usage_sum: grain 100 and so many quarters.
-- Old code can run against it. What it folds does not come into these sums; so when it folds, they are forgotten, and made anew
-- by new code once it is asked for them again.

CREATE TABLE usage_shift (
    organization uuid NOT NULL,
    -- So many quarters of an hour after midnight in UTC, 1 to 95.
    quarters smallint NOT NULL,
    -- From which moment on they are whole, milliseconds since 1970; the highest number before any is, and zero when all are.
    since_ms bigint NOT NULL,
    CONSTRAINT usage_shift_pkey PRIMARY KEY (organization, quarters),
    CONSTRAINT usage_shift_quarters_known CHECK (quarters BETWEEN 1 AND 95)
);

CREATE FUNCTION forget_usage_shifts() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    -- Who folds into these sums says so.
    IF current_setting('sluice.folds_shifts', true) IS DISTINCT FROM 'on' THEN
        DELETE FROM usage_shift;
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER usage_delta_folded AFTER DELETE ON usage_delta
    FOR EACH STATEMENT EXECUTE FUNCTION forget_usage_shifts();
