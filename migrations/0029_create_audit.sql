-- Who did what. Each entry's hash is over the hash before it and the exact text of the entry, so that none can be changed,
-- taken out or moved without all that follow telling. Changes are one chain, written with what they change; what was
-- denied is a chain of each replica, so that a flood of denials holds up no change.
-- Old code can run against it, and what it writes is not told here.

CREATE TABLE audit_chain (
    chain text COLLATE "C" NOT NULL,
    -- Of the newest entry; 0 when there is none.
    sequence bigint NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT audit_chain_pkey PRIMARY KEY (chain),
    CONSTRAINT audit_chain_hash_length CHECK (octet_length(hash) = 32)
);

CREATE TABLE audit_entry (
    chain text COLLATE "C" NOT NULL,
    sequence bigint NOT NULL,
    -- The text that is hashed; what follows repeats parts of it, to be found by.
    entry text NOT NULL,
    hash bytea NOT NULL,
    at timestamptz NOT NULL,
    -- The last segment of its name; null for what stands above all.
    organization text COLLATE "C",
    actor text COLLATE "C" NOT NULL,
    object text COLLATE "C" NOT NULL,
    CONSTRAINT audit_entry_pkey PRIMARY KEY (chain, sequence)
);

CREATE INDEX audit_entry_at_idx ON audit_entry (at, chain, sequence);
CREATE INDEX audit_entry_organization_idx ON audit_entry (organization, at, chain, sequence);

CREATE FUNCTION refuse_audit_edit() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION 'entries of the audit trail are never changed';
END
$$;

CREATE TRIGGER audit_entry_stays BEFORE UPDATE OR DELETE ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_edit();
CREATE TRIGGER audit_entry_stays_whole BEFORE TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_edit();
