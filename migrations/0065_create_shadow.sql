-- Shadows: a sample of a model's requests that is copied to another of its versions. At most one of a model is under way, and while it
-- is, its version cannot be deleted. Records of copies stand apart from those of clients, so that no sum, budget, export or sink of
-- usage can hold one by mistake; beside each stands what it is compared with.
-- Old code can run against it: it adds tables only.

CREATE TABLE shadow (
    -- Also the salt by which edges sample.
    id uuid NOT NULL,
    model uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    model_version uuid NOT NULL,
    -- Its name, which outlives it.
    version_name text COLLATE "C" NOT NULL,
    -- The same version while it is under way, and null afterwards.
    holds uuid,
    -- Hundredths of a percent.
    share integer NOT NULL,
    -- How many copies an edge may have under way.
    concurrent_max integer NOT NULL,
    -- When it ends by itself; null: it does not.
    ends_at timestamptz,
    -- How much its copies may cost until it ends by itself; null: any amount.
    cost_max_nano bigint,
    -- 1 running, 2 stopped, 3 over, 4 spent.
    state smallint NOT NULL DEFAULT 1,
    reason text NOT NULL DEFAULT '',
    -- Copies whose records have come, what those cost whose cost is known, and how many there are whose cost is not.
    copies bigint NOT NULL DEFAULT 0,
    cost_nano bigint NOT NULL DEFAULT 0,
    unpriced bigint NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    CONSTRAINT shadow_pkey PRIMARY KEY (id),
    CONSTRAINT shadow_name_key UNIQUE (model, name),
    CONSTRAINT shadow_state_known CHECK (state BETWEEN 1 AND 4),
    CONSTRAINT shadow_model_fkey FOREIGN KEY (model) REFERENCES model (id) ON DELETE CASCADE,
    CONSTRAINT shadow_holds_fkey FOREIGN KEY (model, holds)
        REFERENCES model_version (model, id) ON DELETE RESTRICT
);

CREATE UNIQUE INDEX shadow_under_way_key ON shadow (model) WHERE state = 1;

-- What became of a request that was copied, and of its copy.
CREATE TABLE shadow_record (
    shadow uuid NOT NULL,
    -- The client's request, of both. Its first bytes are a time.
    request uuid NOT NULL,
    -- 1 the client's own, 2 the copy.
    side smallint NOT NULL,
    -- Its own id.
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    model_version uuid NOT NULL,
    -- Null when none was reached.
    provider uuid,
    provider_model text NOT NULL,
    -- Numbers of the usage contract.
    outcome smallint NOT NULL,
    finish smallint NOT NULL,
    status integer NOT NULL,
    streamed boolean NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    -- Null where it is not known.
    cost_nano bigint,
    duration_us bigint NOT NULL,
    -- Zero when none came.
    first_byte_us bigint NOT NULL,
    CONSTRAINT shadow_record_pkey PRIMARY KEY (shadow, request, side),
    CONSTRAINT shadow_record_shadow_fkey FOREIGN KEY (shadow) REFERENCES shadow (id) ON DELETE CASCADE
);

CREATE INDEX shadow_record_at_idx ON shadow_record (at);
