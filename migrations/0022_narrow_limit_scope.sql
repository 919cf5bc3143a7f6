-- A limit may count the requests for one model, one end user or what one provider serves only, and each member of its
-- scope by itself.
-- Old code can run against it: what it writes counts everything together, as before. It shows narrower limits as if they
-- were not.

ALTER TABLE rate_limit
    ADD COLUMN scope_model uuid,
    ADD COLUMN scope_provider uuid,
    -- Empty: of all.
    ADD COLUMN scope_end_user text NOT NULL DEFAULT '',
    -- Bits: 1 projects, 2 keys, 4 end users, 8 models, 16 providers.
    ADD COLUMN scope_each integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT rate_limit_scope_model_fkey FOREIGN KEY (scope_model)
        REFERENCES model (id) ON DELETE RESTRICT,
    ADD CONSTRAINT rate_limit_scope_provider_fkey FOREIGN KEY (scope_provider)
        REFERENCES provider (id) ON DELETE RESTRICT;

CREATE INDEX rate_limit_scope_model_idx ON rate_limit (scope_model);
CREATE INDEX rate_limit_scope_provider_idx ON rate_limit (scope_provider);
