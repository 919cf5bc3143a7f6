-- Shares of experiments that follow what is known, and the shares that their arms have had.
-- Old code can run against it as long as no such experiment is under way: it would read its shares as fixed and lay them out anew.

ALTER TABLE experiment
    -- How shares follow: the metric, a floor and a step in hundredths of a percent, and how long they stay. Null where they are fixed.
    ADD COLUMN goal integer,
    ADD COLUMN floor integer NOT NULL DEFAULT 0,
    ADD COLUMN step integer NOT NULL DEFAULT 0,
    ADD COLUMN period_s integer NOT NULL DEFAULT 0,
    -- When the period began in which it is.
    ADD COLUMN weighed_at timestamptz NOT NULL DEFAULT now(),
    -- Which numbers from 0 upwards belong to which arm: places of arms, and how many numbers. Empty means: all arms in their order, the first
    -- one last.
    ADD COLUMN slice_arms integer[] NOT NULL DEFAULT '{}',
    ADD COLUMN slice_shares integer[] NOT NULL DEFAULT '{}';

ALTER TABLE experiment_arm
    -- Why a guard has taken it out; empty while none has.
    ADD COLUMN out_reason text NOT NULL DEFAULT '';

-- The shares that arms have had. None of an experiment whose shares are fixed.
CREATE TABLE experiment_weight (
    experiment uuid NOT NULL,
    -- Counted from 0, which is what it was started with.
    turn integer NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    -- From which revision on edges shared so; zero of what it was started with.
    revision bigint NOT NULL DEFAULT 0,
    -- Of each arm in its place; chances are none where nobody asked for them.
    shares integer[] NOT NULL,
    chances double precision[] NOT NULL DEFAULT '{}',
    reason text NOT NULL,
    CONSTRAINT experiment_weight_pkey PRIMARY KEY (experiment, turn),
    CONSTRAINT experiment_weight_experiment_fkey FOREIGN KEY (experiment) REFERENCES experiment (id) ON DELETE CASCADE
);
