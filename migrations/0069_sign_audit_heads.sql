-- Where a chain of the audit trail stood at a moment is signed, and edges keep what was signed, so that whoever owns the database
-- cannot write a chain anew unseen.
-- Old code can run against it: it adds tables that old code neither reads nor writes.

-- The keys that sign. The newest signs; the public ones stay, so that what they signed can be checked.
CREATE TABLE audit_key (
    number bigint NOT NULL,
    public bytea NOT NULL,
    -- The key before it, which answers for it; itself where it is the first.
    endorsed_by bytea NOT NULL,
    endorsement bytea NOT NULL,
    -- The private key, sealed.
    secret bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT audit_key_pkey PRIMARY KEY (number),
    CONSTRAINT audit_key_public_key UNIQUE (public),
    CONSTRAINT audit_key_lengths CHECK (octet_length(public) = 32 AND octet_length(endorsed_by) = 32 AND octet_length(endorsement) = 64)
);

CREATE TABLE audit_checkpoint (
    chain text COLLATE "C" NOT NULL,
    length bigint NOT NULL,
    -- The order in which they were made, over all chains.
    number bigint GENERATED ALWAYS AS IDENTITY,
    -- The text that is signed.
    said text NOT NULL,
    -- The SHA-256 of that text.
    hash bytea NOT NULL,
    key bytea NOT NULL,
    signature bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT audit_checkpoint_pkey PRIMARY KEY (chain, length),
    CONSTRAINT audit_checkpoint_number_key UNIQUE (number),
    CONSTRAINT audit_checkpoint_hash_key UNIQUE (hash),
    CONSTRAINT audit_checkpoint_key_fkey FOREIGN KEY (key) REFERENCES audit_key (public)
);

CREATE TRIGGER audit_checkpoint_stays BEFORE UPDATE OR DELETE ON audit_checkpoint
    FOR EACH ROW EXECUTE FUNCTION refuse_audit_edit();
CREATE TRIGGER audit_checkpoint_stays_whole BEFORE TRUNCATE ON audit_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_edit();

-- Of each chain and edge, the newest checkpoint that the edge keeps.
CREATE TABLE audit_witness (
    chain text COLLATE "C" NOT NULL,
    edge text COLLATE "C" NOT NULL,
    length bigint NOT NULL,
    hash bytea NOT NULL,
    identity text COLLATE "C" NOT NULL,
    certified boolean NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT audit_witness_pkey PRIMARY KEY (chain, edge)
);
