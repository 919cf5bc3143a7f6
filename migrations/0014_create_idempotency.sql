-- The first reply to each request id, so that a repeated call writes nothing. A reply may hold the text of a
-- key, so the control plane seals it. Ids belong to the operator who sent them.
-- Old code can run against it: it adds a table only.

CREATE TABLE idempotency (
    actor text NOT NULL,
    request_id uuid NOT NULL,
    method text NOT NULL,
    -- SHA-256 of the request.
    digest bytea NOT NULL,
    -- Empty only inside the transaction of the first call.
    reply bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT idempotency_pkey PRIMARY KEY (actor, request_id)
);

CREATE INDEX idempotency_at_idx ON idempotency (at);
