-- Sources of versions: a registry of somebody else that is asked again and again, and what of it has become versions of a model.
-- Old code can run against it: it adds tables only. It asks nobody, and cannot bring what is sealed here under another key.

CREATE TABLE version_source (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    model uuid NOT NULL,
    -- 1 MLflow, 2 KServe.
    kind smallint NOT NULL,
    url text NOT NULL,
    -- Whose certificates are believed there; empty for the public authorities.
    ca_pem text NOT NULL,
    -- The registered model, or the inference service.
    subject text NOT NULL,
    -- The alias, or the namespace.
    within text NOT NULL,
    username text NOT NULL,
    credential_sealed bytea,
    interval_ms bigint NOT NULL,
    provider uuid NOT NULL,
    provider_model text NOT NULL,
    label_names text[] NOT NULL,
    label_values text[] NOT NULL,
    -- The rollout of what is made, as of a rollout itself; no shares: none is started.
    stickiness smallint NOT NULL,
    shares integer[] NOT NULL,
    bakes_ms bigint[] NOT NULL,
    samples bigint[] NOT NULL,
    approvals boolean[] NOT NULL,
    metrics integer[] NOT NULL,
    tolerances integer[] NOT NULL,
    margins integer[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Who looks at it, and when it is looked at next.
    holder uuid,
    held_until timestamptz NOT NULL DEFAULT '-infinity',
    fence bigint NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    -- What came of it.
    looked_at timestamptz,
    answered_at timestamptz,
    problem text NOT NULL DEFAULT '',
    -- The version of the registry that was pointed at last; empty before there was one.
    seen_digest text COLLATE "C" NOT NULL DEFAULT '',
    seen_version text NOT NULL DEFAULT '',
    -- The version to which a rollout is still to be started, if any, and what keeps it.
    owed text COLLATE "C" NOT NULL DEFAULT '',
    owed_why text NOT NULL DEFAULT '',
    -- The rollout that was started last.
    rollout text COLLATE "C" NOT NULL DEFAULT '',
    CONSTRAINT version_source_pkey PRIMARY KEY (id),
    CONSTRAINT version_source_name_key UNIQUE (organization, name),
    CONSTRAINT version_source_kind_known CHECK (kind BETWEEN 1 AND 2),
    CONSTRAINT version_source_organization_fkey FOREIGN KEY (organization)
        REFERENCES organization (id) ON DELETE CASCADE,
    CONSTRAINT version_source_model_fkey FOREIGN KEY (model) REFERENCES model (id) ON DELETE RESTRICT,
    CONSTRAINT version_source_provider_fkey FOREIGN KEY (provider) REFERENCES provider (id) ON DELETE RESTRICT
);

CREATE INDEX version_source_model_idx ON version_source (model);
CREATE INDEX version_source_provider_idx ON version_source (provider);
CREATE INDEX version_source_due_idx ON version_source (due_at);

-- What has become a version: once for each version of the registry, also when that version is deleted.
CREATE TABLE version_source_made (
    source uuid NOT NULL,
    -- What tells a version of the registry from every other one.
    digest text COLLATE "C" NOT NULL,
    -- The version's own name.
    version text COLLATE "C" NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT version_source_made_pkey PRIMARY KEY (source, digest),
    CONSTRAINT version_source_made_source_fkey FOREIGN KEY (source)
        REFERENCES version_source (id) ON DELETE CASCADE
);
