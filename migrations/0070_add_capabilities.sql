-- What the model of a target can do, as far as its operator says. Old code can run against it, and sends it everything.

ALTER TABLE target
    -- The most tokens of a conversation, and of an answer; 0: that is not said.
    ADD COLUMN context_tokens bigint NOT NULL DEFAULT 0,
    ADD COLUMN output_tokens_max bigint NOT NULL DEFAULT 0,
    -- What it can do and what it cannot: bits, the lowest for the first ability.
    ADD COLUMN can integer NOT NULL DEFAULT 0,
    ADD COLUMN cannot integer NOT NULL DEFAULT 0;
