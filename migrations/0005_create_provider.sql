-- An upstream account. Its credential is sealed by the control plane before it comes here.
-- Old code can run against it: it adds a table only.

CREATE TABLE provider (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    display_name text NOT NULL,
    kind smallint NOT NULL,
    base_url text NOT NULL,
    stream_options boolean NOT NULL,
    -- Empty for every region.
    regions text[] NOT NULL,
    -- Null when there is none.
    credential bytea,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT provider_pkey PRIMARY KEY (id),
    CONSTRAINT provider_name_key UNIQUE (organization, name),
    CONSTRAINT provider_organization_fkey FOREIGN KEY (organization)
        REFERENCES organization (id) ON DELETE RESTRICT
);
