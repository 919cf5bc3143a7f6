-- Whose every object is, so that an edge may be given one organization alone; and which edges those are.
-- Old code can run against it: it leaves the columns empty, and who reads them asks `organization_of`. It would give an edge of
-- one organization everything, so make such edges once no old code runs any more.

-- Whose an object is by what it belongs to; null where that is nobody's, or not known.
CREATE FUNCTION organization_of(of_kind smallint, of_key bytea) RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT CASE of_kind
        WHEN 1 THEN encode(of_key, 'hex')::uuid
        WHEN 2 THEN (SELECT organization FROM project WHERE id = encode(of_key, 'hex')::uuid)
        WHEN 3 THEN (SELECT organization FROM provider WHERE id = encode(of_key, 'hex')::uuid)
        WHEN 4 THEN (SELECT organization FROM model WHERE id = encode(of_key, 'hex')::uuid)
        WHEN 5 THEN (
            SELECT model.organization FROM model_version it JOIN model ON model.id = it.model
            WHERE it.id = encode(of_key, 'hex')::uuid
        )
        WHEN 6 THEN (SELECT organization FROM rate_limit WHERE id = encode(of_key, 'hex')::uuid)
        WHEN 7 THEN (
            SELECT project.organization FROM key it JOIN project ON project.id = it.project
            WHERE it.key_id = convert_from(of_key, 'UTF8')
        )
        -- A provider's credential is known by its provider.
        WHEN 8 THEN (SELECT organization FROM provider WHERE id = encode(of_key, 'hex')::uuid)
        WHEN 10 THEN (SELECT organization FROM price WHERE id = encode(of_key, 'hex')::uuid)
        WHEN 11 THEN (SELECT organization FROM discount WHERE id = encode(of_key, 'hex')::uuid)
        WHEN 12 THEN (SELECT organization FROM issuer WHERE id = encode(of_key, 'hex')::uuid)
    END
$$;

-- Null for what is the installation's.
ALTER TABLE object ADD COLUMN organization uuid;
ALTER TABLE change ADD COLUMN organization uuid;

-- The one organization that is served; null for every one. They go with it.
ALTER TABLE join_token ADD COLUMN organization uuid
    CONSTRAINT join_token_organization_fkey REFERENCES organization (id) ON DELETE CASCADE;
ALTER TABLE edge_identity ADD COLUMN organization uuid
    CONSTRAINT edge_identity_organization_fkey REFERENCES organization (id) ON DELETE CASCADE;
ALTER TABLE edge ADD COLUMN organization uuid;
ALTER TABLE edge_question ADD COLUMN organization uuid;
