-- The tenant that pays. `name` sorts by its bytes, because pages are cut by it.
-- Old code can run against it: it adds a table only.

CREATE TABLE organization (
    id uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    display_name text NOT NULL,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT organization_pkey PRIMARY KEY (id),
    CONSTRAINT organization_name_key UNIQUE (name)
);
