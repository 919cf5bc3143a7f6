-- What Sluice does not model can be passed through: a provider says whether its whole API may be reached, which none
-- does until an operator decides so, and the record of what was passed through counts the bytes of both directions,
-- because often nothing else can be counted.
-- Old code can run against it: it adds columns with defaults only.

ALTER TABLE provider ADD COLUMN passthrough boolean NOT NULL DEFAULT false;

ALTER TABLE usage_record
    ADD COLUMN request_bytes bigint NOT NULL DEFAULT 0,
    ADD COLUMN answer_bytes bigint NOT NULL DEFAULT 0;
