-- What a key is held to beside the models that it names, labels, a switch, and whether its text was minted elsewhere.
-- Old code can run against it, and tells edges of a key that it writes without any of this: give keys none of it
-- before every replica is new.

ALTER TABLE key
    ADD COLUMN model_patterns text[] NOT NULL DEFAULT '{}',
    ADD COLUMN endpoints text[] NOT NULL DEFAULT '{}',
    ADD COLUMN regions text[] NOT NULL DEFAULT '{}',
    ADD COLUMN ip_ranges text[] NOT NULL DEFAULT '{}',
    -- Null for any number.
    ADD COLUMN request_tokens_max bigint,
    -- Two arrays of one length.
    ADD COLUMN label_names text[] NOT NULL DEFAULT '{}',
    ADD COLUMN label_values text[] NOT NULL DEFAULT '{}',
    ADD COLUMN disabled boolean NOT NULL DEFAULT false,
    ADD COLUMN imported boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT key_label_pairs CHECK (cardinality(label_names) = cardinality(label_values));

CREATE TABLE key_provider (
    key uuid NOT NULL,
    provider uuid NOT NULL,
    CONSTRAINT key_provider_pkey PRIMARY KEY (key, provider),
    CONSTRAINT key_provider_key_fkey FOREIGN KEY (key)
        REFERENCES key (id) ON DELETE CASCADE,
    CONSTRAINT key_provider_provider_fkey FOREIGN KEY (provider)
        REFERENCES provider (id) ON DELETE RESTRICT
);

CREATE INDEX key_provider_provider_idx ON key_provider (provider);
