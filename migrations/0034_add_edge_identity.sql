-- Edges prove who they are by certificates of an authority of the installation's own; an invitation is a join token that is
-- good for one certificate.
-- Old code can run against it: it adds tables, and columns with defaults. It would take an invitation for a join token.

CREATE TABLE edge_authority (
    generation integer NOT NULL,
    -- PEM.
    certificate text NOT NULL,
    -- Sealed by the control plane before it comes here.
    key bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT edge_authority_pkey PRIMARY KEY (generation),
    CONSTRAINT edge_authority_generation_range CHECK (generation > 0)
);

CREATE TABLE edge_identity (
    -- What its certificates name, through renewals: 32 hex digits.
    identity text COLLATE "C" NOT NULL,
    edge_id text COLLATE "C" NOT NULL,
    region text NOT NULL,
    -- The invitation.
    join_token text NOT NULL,
    -- The certificate that was issued last, and the one with which it was asked for: a third one is of a copy.
    serial bytea NOT NULL,
    previous_serial bytea,
    ends_at timestamptz NOT NULL,
    enrolled_at timestamptz NOT NULL DEFAULT now(),
    -- Null while it is not.
    revoked_at timestamptz,
    CONSTRAINT edge_identity_pkey PRIMARY KEY (identity)
);

-- One that stands for each edge.
CREATE UNIQUE INDEX edge_identity_edge ON edge_identity (edge_id) WHERE revoked_at IS NULL;

ALTER TABLE join_token ADD COLUMN single_use boolean NOT NULL DEFAULT false;
-- Null while it is not.
ALTER TABLE join_token ADD COLUMN used_at timestamptz;
