-- Sums of usage, so that no question scans records: by quarter of an hour, hour and day in UTC. What a batch adds is written
-- beside its records, in one transaction, and folded into the sums later by one writer at a time; a question reads both.
-- Old code can run against it: it adds tables only.

CREATE TABLE usage_delta (
    id bigint GENERATED ALWAYS AS IDENTITY,
    organization uuid NOT NULL,
    -- Empty: of all requests. `user`: by end user. `tag:KEY`: by the value of a tag.
    facet text COLLATE "C" NOT NULL,
    -- The quarter of an hour.
    start timestamptz NOT NULL,
    -- The end user or the value of the tag; null: those beyond the first ones of their month.
    label text COLLATE "C",
    project uuid NOT NULL,
    -- Empty: tokens beyond the first ones of their month.
    key_id text COLLATE "C" NOT NULL,
    model uuid NOT NULL,
    model_version uuid NOT NULL,
    -- Null when none was reached.
    provider uuid,
    status integer NOT NULL,
    requests bigint NOT NULL,
    -- Of those, whose counts are ours.
    estimated bigint NOT NULL,
    -- Of those, whose cost is not known.
    unpriced bigint NOT NULL,
    cost_nano bigint NOT NULL,
    -- The counters of policy::usage, in their order.
    input bigint NOT NULL,
    cached_input bigint NOT NULL,
    cache_write bigint NOT NULL,
    cache_write_hour bigint NOT NULL,
    audio_input bigint NOT NULL,
    output bigint NOT NULL,
    reasoning bigint NOT NULL,
    audio_output bigint NOT NULL,
    images bigint NOT NULL,
    served bigint NOT NULL,
    units bigint NOT NULL,
    -- Sketches, see domain::sketch: from arrival to end, and to the first byte.
    duration bytea NOT NULL,
    first_byte bytea NOT NULL,
    CONSTRAINT usage_delta_pkey PRIMARY KEY (id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

CREATE INDEX usage_delta_start_idx ON usage_delta (organization, facet, start);

CREATE TABLE usage_sum (
    organization uuid NOT NULL,
    facet text COLLATE "C" NOT NULL,
    -- 1 a quarter of an hour, 2 an hour, 3 a day.
    grain smallint NOT NULL,
    start timestamptz NOT NULL,
    -- Half of a SHA-256 over what follows as far as `status`.
    cell uuid NOT NULL,
    label text COLLATE "C",
    project uuid NOT NULL,
    key_id text COLLATE "C" NOT NULL,
    model uuid NOT NULL,
    model_version uuid NOT NULL,
    provider uuid,
    status integer NOT NULL,
    requests bigint NOT NULL,
    estimated bigint NOT NULL,
    unpriced bigint NOT NULL,
    cost_nano bigint NOT NULL,
    input bigint NOT NULL,
    cached_input bigint NOT NULL,
    cache_write bigint NOT NULL,
    cache_write_hour bigint NOT NULL,
    audio_input bigint NOT NULL,
    output bigint NOT NULL,
    reasoning bigint NOT NULL,
    audio_output bigint NOT NULL,
    images bigint NOT NULL,
    served bigint NOT NULL,
    units bigint NOT NULL,
    duration bytea NOT NULL,
    first_byte bytea NOT NULL,
    CONSTRAINT usage_sum_pkey PRIMARY KEY (organization, facet, grain, start, cell)
) WITH (fillfactor = 70);

-- The end users, values of tags, keys of tags and tokens that are summed by themselves: the first ones of each month. All
-- others are summed together.
CREATE TABLE usage_label (
    organization uuid NOT NULL,
    month date NOT NULL,
    -- As in usage_sum; or `tags`, of keys of tags; or `token`, of keys that are tokens.
    facet text COLLATE "C" NOT NULL,
    label text COLLATE "C" NOT NULL,
    CONSTRAINT usage_label_pkey PRIMARY KEY (organization, month, facet, label)
);
