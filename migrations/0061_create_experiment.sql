-- Experiments: versions of a model beside each other. At most one of a model is under way, and while it is, none of its versions can be
-- deleted. That no rollout is under way meanwhile is held by the lock on the model. Outcomes wait where those of rollouts do.
-- Old code can run against it: it adds tables only.

CREATE TABLE experiment (
    -- Also the salt by which edges assign.
    id uuid NOT NULL,
    model uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    stickiness smallint NOT NULL,
    -- The guards, column by column.
    metrics integer[] NOT NULL,
    tolerances integer[] NOT NULL,
    -- 1 running, 2 stopped, 3 concluded, 4 guarded.
    state smallint NOT NULL DEFAULT 1,
    reason text NOT NULL DEFAULT '',
    -- The revision at which edges hear of it: what came before says nothing of it. Zero until somebody has looked.
    start_revision bigint NOT NULL DEFAULT 0,
    -- What is known of its arms.
    tally double precision[] NOT NULL DEFAULT '{}',
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    CONSTRAINT experiment_pkey PRIMARY KEY (id),
    CONSTRAINT experiment_name_key UNIQUE (model, name),
    CONSTRAINT experiment_state_known CHECK (state BETWEEN 1 AND 4),
    CONSTRAINT experiment_model_fkey FOREIGN KEY (model) REFERENCES model (id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX experiment_under_way_key ON experiment (model) WHERE state = 1;

CREATE TABLE experiment_arm (
    experiment uuid NOT NULL,
    -- From 0; that is the version that was stable when it was started.
    place integer NOT NULL,
    model uuid NOT NULL,
    model_version uuid NOT NULL,
    -- Its name, which outlives it.
    version_name text COLLATE "C" NOT NULL,
    -- The same version while it is under way, and null afterwards.
    holds uuid,
    share integer NOT NULL,
    CONSTRAINT experiment_arm_pkey PRIMARY KEY (experiment, place),
    CONSTRAINT experiment_arm_experiment_fkey FOREIGN KEY (experiment) REFERENCES experiment (id) ON DELETE CASCADE,
    CONSTRAINT experiment_arm_holds_fkey FOREIGN KEY (model, holds)
        REFERENCES model_version (model, id) ON DELETE RESTRICT
);

-- Whose first request has been judged, and whose first feedback. Gone when the experiment has ended.
CREATE TABLE experiment_client (
    experiment uuid NOT NULL,
    -- 1 a request, 2 feedback.
    kind smallint NOT NULL,
    client bigint NOT NULL,
    CONSTRAINT experiment_client_pkey PRIMARY KEY (experiment, kind, client),
    CONSTRAINT experiment_client_experiment_fkey FOREIGN KEY (experiment) REFERENCES experiment (id) ON DELETE CASCADE
);
