-- A public model name, and the version that serves it.
-- Old code can run against it: it adds a table only.

CREATE TABLE model (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    display_name text NOT NULL,
    -- Null when the model is not offered. 0007 ties it to a version of this same model.
    stable uuid,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT model_pkey PRIMARY KEY (id),
    CONSTRAINT model_name_key UNIQUE (organization, name),
    CONSTRAINT model_organization_fkey FOREIGN KEY (organization)
        REFERENCES organization (id) ON DELETE RESTRICT
);
