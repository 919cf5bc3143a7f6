-- Aliases: other names of models, each of which stands for what the model serves, for its newest version, or for one version alone.
-- Old code can run against it: it adds a table only. It publishes models without their aliases, may give a model the name of an alias,
-- and tells nobody of a newer version.

CREATE TABLE model_alias (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    -- What clients ask for. No model of the organization has it: whoever makes either looks, behind a lock on the organization.
    name text COLLATE "C" NOT NULL,
    model uuid NOT NULL,
    -- 1 what the model serves, 2 its newest version, 3 one version.
    follows smallint NOT NULL,
    pinned uuid,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT model_alias_pkey PRIMARY KEY (id),
    CONSTRAINT model_alias_name_key UNIQUE (organization, name),
    CONSTRAINT model_alias_follows_known CHECK (follows BETWEEN 1 AND 3),
    CONSTRAINT model_alias_pinned_check CHECK ((follows = 3) = (pinned IS NOT NULL)),
    CONSTRAINT model_alias_organization_fkey FOREIGN KEY (organization)
        REFERENCES organization (id) ON DELETE CASCADE,
    CONSTRAINT model_alias_model_fkey FOREIGN KEY (model) REFERENCES model (id) ON DELETE RESTRICT,
    CONSTRAINT model_alias_pinned_fkey FOREIGN KEY (model, pinned)
        REFERENCES model_version (model, id) ON DELETE RESTRICT
);

CREATE INDEX model_alias_model_idx ON model_alias (model, pinned);
