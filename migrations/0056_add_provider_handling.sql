-- What a provider does with what it is sent, as its operators say: false and empty mean that nobody says, which is the worst.
-- Old code can run against it: the columns have defaults, and it names the columns that it writes.

ALTER TABLE provider
    ADD COLUMN collects_nothing boolean NOT NULL DEFAULT false,
    ADD COLUMN retains_nothing boolean NOT NULL DEFAULT false,
    ADD COLUMN residency text NOT NULL DEFAULT '',
    ADD COLUMN quantization text NOT NULL DEFAULT '';
