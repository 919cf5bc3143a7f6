-- Rollouts: a model's traffic on its way to another version, in steps. At most one of a model is under way, and while it is,
-- neither of its two versions can be deleted: the database says so, whatever the code above it does at the same time.
-- How the requests of a rollout ended is kept apart from usage, one row each, until the rollout has been judged by it.
-- Old code can run against it: it adds tables only.

CREATE TABLE rollout (
    -- Also the salt by which edges assign.
    id uuid NOT NULL,
    model uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    candidate uuid NOT NULL,
    stable uuid NOT NULL,
    -- Their names, which outlive them.
    candidate_name text COLLATE "C" NOT NULL,
    stable_name text COLLATE "C" NOT NULL,
    -- The same two while it is under way, and null afterwards.
    holds_candidate uuid,
    holds_stable uuid,
    stickiness smallint NOT NULL,
    -- The steps, column by column.
    shares integer[] NOT NULL,
    bakes_ms bigint[] NOT NULL,
    samples bigint[] NOT NULL,
    approvals boolean[] NOT NULL,
    -- The gates, column by column.
    metrics integer[] NOT NULL,
    tolerances integer[] NOT NULL,
    margins integer[] NOT NULL,
    -- 1 running, 2 paused, 3 promoted, 4 rolled back, 5 aborted.
    state smallint NOT NULL DEFAULT 1,
    -- From 0.
    step integer NOT NULL DEFAULT 0,
    step_started_at timestamptz NOT NULL DEFAULT now(),
    -- The revision at which edges hear of the step: what came before says nothing of it.
    step_revision bigint NOT NULL DEFAULT 0,
    approved boolean NOT NULL DEFAULT false,
    reason text NOT NULL DEFAULT '',
    -- Requests of this step.
    candidate_requests bigint NOT NULL DEFAULT 0,
    stable_requests bigint NOT NULL DEFAULT 0,
    -- What is known of the gates in this step, as many numbers for each.
    evidence double precision[] NOT NULL DEFAULT '{}',
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    CONSTRAINT rollout_pkey PRIMARY KEY (id),
    CONSTRAINT rollout_name_key UNIQUE (model, name),
    CONSTRAINT rollout_state_known CHECK (state BETWEEN 1 AND 5),
    CONSTRAINT rollout_holds_while_under_way
        CHECK ((state < 3) = (holds_candidate IS NOT NULL) AND (state < 3) = (holds_stable IS NOT NULL)),
    CONSTRAINT rollout_model_fkey FOREIGN KEY (model) REFERENCES model (id) ON DELETE CASCADE,
    CONSTRAINT rollout_candidate_fkey FOREIGN KEY (model, holds_candidate)
        REFERENCES model_version (model, id) ON DELETE RESTRICT,
    CONSTRAINT rollout_stable_fkey FOREIGN KEY (model, holds_stable)
        REFERENCES model_version (model, id) ON DELETE RESTRICT
);

CREATE UNIQUE INDEX rollout_under_way_key ON rollout (model) WHERE state < 3;

CREATE TABLE rollout_outcome (
    rollout uuid NOT NULL,
    -- The request's.
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    model_version uuid NOT NULL,
    -- What its client is known by within the rollout; zero where it was assigned by itself.
    client bigint NOT NULL,
    revision bigint NOT NULL,
    -- As in usage_record.
    outcome smallint NOT NULL,
    -- Why the answer ended: 0 not known, 1 whole, 2 truncated, 3 refused.
    finish smallint NOT NULL,
    duration_us bigint NOT NULL,
    first_byte_us bigint NOT NULL,
    -- Null where it is not known.
    cost_nano bigint,
    -- Whether the rollout has been judged by it. The row stays, so that a report that comes twice counts once.
    judged boolean NOT NULL DEFAULT false,
    CONSTRAINT rollout_outcome_pkey PRIMARY KEY (rollout, id)
);

CREATE INDEX rollout_outcome_unjudged_idx ON rollout_outcome (rollout, at, id) WHERE NOT judged;
-- Of each client the first request of a step is looked for.
CREATE INDEX rollout_outcome_client_idx ON rollout_outcome (rollout, client, revision) WHERE client <> 0;
CREATE INDEX rollout_outcome_at_idx ON rollout_outcome (at);
