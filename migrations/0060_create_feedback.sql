-- Feedback: what clients say of answers, as scores from 0 to 1, bound to the request that was answered. The first one of a name stands.
-- It is summed as it comes, and waits beside the outcomes of a rollout until that has been judged by it.
-- Old code can run against it: it adds tables only.

CREATE TABLE feedback (
    -- The request's.
    record uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    -- When the request came: feedback goes when its record does.
    at timestamptz NOT NULL,
    given_at timestamptz NOT NULL DEFAULT now(),
    score double precision NOT NULL,
    CONSTRAINT feedback_pkey PRIMARY KEY (record, name),
    CONSTRAINT feedback_score_range CHECK (score BETWEEN 0 AND 1)
);

CREATE INDEX feedback_at_idx ON feedback (at);

CREATE TABLE feedback_sum (
    organization uuid NOT NULL,
    -- Zeroes where the request was passed through.
    model uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    model_version uuid NOT NULL,
    -- The request's, in UTC.
    day date NOT NULL,
    count bigint NOT NULL,
    total double precision NOT NULL,
    CONSTRAINT feedback_sum_pkey PRIMARY KEY (organization, model, name, model_version, day)
);

CREATE TABLE rollout_feedback (
    rollout uuid NOT NULL,
    -- The request's.
    id uuid NOT NULL,
    given_at timestamptz NOT NULL DEFAULT now(),
    score double precision NOT NULL,
    -- Whether the rollout has been judged by it.
    judged boolean NOT NULL DEFAULT false,
    CONSTRAINT rollout_feedback_pkey PRIMARY KEY (rollout, id)
);

CREATE INDEX rollout_feedback_unjudged_idx ON rollout_feedback (rollout, given_at, id) WHERE NOT judged;
CREATE INDEX rollout_feedback_given_at_idx ON rollout_feedback (given_at);
