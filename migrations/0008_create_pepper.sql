-- The keys under which key tags are made, sealed by the control plane before they come here.
-- Old code can run against it: it adds a table only.

CREATE TABLE pepper (
    version integer NOT NULL,
    secret bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pepper_pkey PRIMARY KEY (version),
    CONSTRAINT pepper_version_range CHECK (version > 0)
);
