-- Rules of models: conditions on requests, and the version, of any model of the organization, that serves when one is true.
-- A version that a rule names cannot be deleted.
-- Old code can run against it: it adds a table only. It publishes models without their rules, as it would any that it does not know.

CREATE TABLE model_rule (
    model uuid NOT NULL,
    -- From 0: the first rule whose condition is true decides.
    place smallint NOT NULL,
    condition text NOT NULL,
    version uuid NOT NULL,
    CONSTRAINT model_rule_pkey PRIMARY KEY (model, place),
    CONSTRAINT model_rule_place_range CHECK (place BETWEEN 0 AND 15),
    CONSTRAINT model_rule_model_fkey FOREIGN KEY (model) REFERENCES model (id) ON DELETE CASCADE,
    CONSTRAINT model_rule_version_fkey FOREIGN KEY (version) REFERENCES model_version (id) ON DELETE RESTRICT
);

CREATE INDEX model_rule_version_key ON model_rule (version);
