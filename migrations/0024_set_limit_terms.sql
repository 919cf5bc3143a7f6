-- A limit may warn instead of refusing, say what happens while Redis is away, and have other numbers for some members of
-- its scope or for a time.
-- Old code can run against it: what it writes refuses and falls back to shares, as before. It shows overrides nowhere and
-- publishes a limit that it changes without them.

ALTER TABLE rate_limit
    -- 1 hard, 2 soft, 3 shadow.
    ADD COLUMN mode integer NOT NULL DEFAULT 1,
    -- 1 local share, 2 deny, 3 allow.
    ADD COLUMN on_store_loss integer NOT NULL DEFAULT 1;

CREATE TABLE limit_override (
    rate_limit uuid NOT NULL,
    position integer NOT NULL,
    -- Null: for every key.
    key uuid,
    -- Empty: for every end user.
    end_user text NOT NULL,
    amount bigint NOT NULL,
    burst bigint NOT NULL,
    -- Null: for good.
    until timestamptz,
    CONSTRAINT limit_override_pkey PRIMARY KEY (rate_limit, position),
    CONSTRAINT limit_override_rate_limit_fkey FOREIGN KEY (rate_limit)
        REFERENCES rate_limit (id) ON DELETE CASCADE,
    CONSTRAINT limit_override_key_fkey FOREIGN KEY (key)
        REFERENCES key (id) ON DELETE CASCADE
);

CREATE INDEX limit_override_key_idx ON limit_override (key);
