-- A record says why its request went where it went: what chose the version, in which order its targets were to be asked, and which
-- rule kept one of them from its place.
-- Old code can run against it: what it writes has none of that.

ALTER TABLE usage_record
    -- A sluice.usage.v1.Decision; empty where none was told.
    ADD COLUMN decision bytea NOT NULL DEFAULT '';
