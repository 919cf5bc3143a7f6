-- The second line behind the question whether an operator may: what is asked of one organization runs in a role that sees
-- the rows of that one alone, whatever a statement says. The control plane's own work goes on as the owner of the tables.
-- Old code can run against it: it never takes the role, and owners are bound by no policy.

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sluice_organization') THEN
        CREATE ROLE sluice_organization NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        NULL; -- Another database of this server was quicker.
    WHEN insufficient_privilege THEN
        RAISE EXCEPTION 'the role sluice_organization is missing, and % may not make it: have an administrator of the database run `CREATE ROLE sluice_organization NOLOGIN; GRANT sluice_organization TO %;`, and migrate again',
            current_user, quote_ident(current_user);
END
$$;

DO $$
BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        EXECUTE format('GRANT sluice_organization TO %I', current_user);
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN
        IF NOT pg_has_role(current_user, 'sluice_organization', 'MEMBER') THEN
            RAISE EXCEPTION '% may not take the role sluice_organization: have an administrator of the database run `GRANT sluice_organization TO %;`, and migrate again',
                current_user, quote_ident(current_user);
        END IF;
END
$$;

DO $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO sluice_organization', current_schema());
END
$$;

-- The organization to which this transaction is kept; null, and so none, where that was not said.
CREATE FUNCTION kept_organization() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
AS $$ SELECT nullif(current_setting('sluice.organization', true), '')::uuid $$;

-- From now on only those rows of a table are there for the role for which this holds.
CREATE FUNCTION keep_rows(of_table regclass, holds text) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', of_table);
    EXECUTE format('CREATE POLICY of_organization ON %s TO sluice_organization USING (%s)', of_table, holds);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO sluice_organization', of_table);
END
$$;

-- The same for a table whose column `organization` says whose a row is.
CREATE FUNCTION keep_to_organization(of_table regclass) RETURNS void
LANGUAGE sql
AS $$ SELECT keep_rows(of_table, 'organization = (SELECT kept_organization())') $$;

-- The same for a table whose rows are whose what they belong to is. `key` is what `link` refers to.
CREATE FUNCTION keep_as(of_table regclass, link text, above regclass, key text DEFAULT 'id') RETURNS void
LANGUAGE sql
AS $$
    SELECT keep_rows(
        of_table,
        format('EXISTS (SELECT FROM %s above WHERE above.%I = %s.%I)', above, key, of_table, link)
    )
$$;

SELECT keep_rows('organization', 'id = (SELECT kept_organization())');
-- By its name: the last entry about an organization is written when it is gone.
SELECT keep_rows('audit_entry', 'organization = current_setting(''sluice.organization_name'', true)');

SELECT keep_to_organization(it::regclass) FROM unnest(ARRAY[
    'project', 'provider', 'model', 'model_alias', 'rate_limit', 'issuer', 'price', 'discount', 'role', 'freeze_window',
    'operator_key', 'trust', 'local_user', 'alert_channel', 'alert_rule', 'alert', 'version_source',
    'usage_record', 'usage_batch', 'usage_delta', 'usage_sum', 'usage_label', 'usage_shift', 'usage_pair',
    'usage_content', 'feedback_sum'
]) AS it;

SELECT keep_as(of_table::regclass, link, above::regclass) FROM (VALUES
    ('service_account', 'project', 'project'),
    ('key', 'project', 'project'),
    ('key_model', 'key', 'key'),
    ('key_provider', 'key', 'key'),
    ('model_version', 'model', 'model'),
    ('model_rule', 'model', 'model'),
    ('target', 'model_version', 'model_version'),
    ('rollout', 'model', 'model'),
    ('rollout_outcome', 'rollout', 'rollout'),
    ('rollout_feedback', 'rollout', 'rollout'),
    ('experiment', 'model', 'model'),
    ('experiment_arm', 'experiment', 'experiment'),
    ('experiment_client', 'experiment', 'experiment'),
    ('experiment_weight', 'experiment', 'experiment'),
    ('shadow', 'model', 'model'),
    ('shadow_record', 'shadow', 'shadow'),
    ('version_source_made', 'source', 'version_source'),
    ('limit_override', 'rate_limit', 'rate_limit'),
    ('limit_share', 'rate_limit', 'rate_limit'),
    ('limit_want', 'rate_limit', 'rate_limit'),
    ('issuer_audience', 'issuer', 'issuer'),
    ('issuer_provider', 'issuer', 'issuer'),
    ('trust_token', 'trust', 'trust'),
    ('alert_rule_channel', 'rule', 'alert_rule'),
    ('alert_notice', 'alert', 'alert')
) AS it (of_table, link, above);
SELECT keep_as('key_use', 'key_id', 'key', 'key_id');

-- Who stands above all organizations may hold a role in one, and that one may see it.
SELECT keep_rows(
    it::regclass,
    format(
        'organization = (SELECT kept_organization()) OR EXISTS (SELECT FROM %s above WHERE above.%I = %s.%I)',
        above, key, it, above
    )
) FROM (VALUES
    ('role_binding', 'operator_key', 'key_id'),
    ('trust_grant', 'trust', 'id'),
    ('local_user_binding', 'local_user', 'id')
) AS it (it, above, key);

-- What is no organization's, as far as a change or a question needs it: of objects, when they changed and not what they say.
-- The logs are written when the role is left again.
GRANT SELECT, INSERT, UPDATE, DELETE ON idempotency TO sluice_organization;
GRANT SELECT (kind, key, lane, revision, operation) ON object TO sluice_organization;
GRANT SELECT ON pepper, usage_region, usage_horizon, feedback TO sluice_organization;
