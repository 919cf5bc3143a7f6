-- What a replica of the control plane asks edges whose streams another replica holds, and what they answer.
-- Nothing here outlives a minute, and what a crash loses is asked again by whoever wants it: hence no log is kept of it.
-- Old code can run against it: it asks and answers nothing here.

CREATE UNLOGGED TABLE edge_question (
    id uuid NOT NULL,
    -- The replica that holds the stream.
    replica bytea NOT NULL,
    region text NOT NULL,
    -- The question, in the words of the policy stream.
    question bytea NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT now(),
    -- Whether that replica has begun to ask.
    taken boolean NOT NULL DEFAULT false,
    -- Which edge answered, and what; both absent before.
    edge_id text COLLATE "C",
    answer bytea,
    CONSTRAINT edge_question_pkey PRIMARY KEY (id),
    CONSTRAINT edge_question_question_bounded CHECK (octet_length(question) <= 16384),
    CONSTRAINT edge_question_answer_bounded CHECK (octet_length(answer) <= 1048576)
);
