-- A record says which limits that warn or only watch had no room for its request.
-- Old code can run against it: it leaves the column empty.

ALTER TABLE usage_record
    -- Ids of limits, sixteen bytes each, one behind the other.
    ADD COLUMN over_limits bytea NOT NULL DEFAULT '';
