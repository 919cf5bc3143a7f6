-- An immutable revision of a model, and its targets in order. A stable version cannot be deleted, nor a
-- provider that a version targets: the database says so, whatever the code above it does at the same time.
-- Old code can run against it: it adds tables and a constraint on a column that nothing has written yet.

CREATE TABLE model_version (
    id uuid NOT NULL,
    model uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    -- Two arrays of one length: the names of where it came from, and their values.
    provenance_names text[] NOT NULL,
    provenance_values text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT model_version_pkey PRIMARY KEY (id),
    CONSTRAINT model_version_name_key UNIQUE (model, name),
    CONSTRAINT model_version_of_model_key UNIQUE (model, id),
    CONSTRAINT model_version_provenance_pairs
        CHECK (cardinality(provenance_names) = cardinality(provenance_values)),
    CONSTRAINT model_version_model_fkey FOREIGN KEY (model)
        REFERENCES model (id) ON DELETE RESTRICT
);

CREATE TABLE target (
    model_version uuid NOT NULL,
    -- From 0, in order of preference.
    place smallint NOT NULL,
    provider uuid NOT NULL,
    provider_model text NOT NULL,
    CONSTRAINT target_pkey PRIMARY KEY (model_version, place),
    CONSTRAINT target_model_version_fkey FOREIGN KEY (model_version)
        REFERENCES model_version (id) ON DELETE CASCADE,
    CONSTRAINT target_provider_fkey FOREIGN KEY (provider)
        REFERENCES provider (id) ON DELETE RESTRICT
);

CREATE INDEX target_provider_idx ON target (provider);

ALTER TABLE model ADD CONSTRAINT model_stable_fkey FOREIGN KEY (id, stable)
    REFERENCES model_version (model, id) ON DELETE RESTRICT;
