-- How far the audit trail was handed on to where others keep it.
-- Old code can run against it: it adds tables only.

CREATE TABLE audit_sink (
    -- As the settings call it.
    name text COLLATE "C" NOT NULL,
    -- How many of the keys that sign are there.
    keys integer NOT NULL DEFAULT 0,
    -- The replica that sends, until when, and how often another one took over.
    holder uuid NOT NULL,
    held_until timestamptz NOT NULL,
    fence bigint NOT NULL DEFAULT 1,
    -- When everything that was signed was there for the last time.
    caught_up_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT audit_sink_pkey PRIMARY KEY (name)
);

CREATE TABLE audit_sink_chain (
    sink text COLLATE "C" NOT NULL,
    chain text COLLATE "C" NOT NULL,
    -- The place of the last entry of which it is known that it is there.
    sequence bigint NOT NULL DEFAULT 0,
    -- The place of the last entry of those that are being sent; null where none are.
    planned bigint,
    CONSTRAINT audit_sink_chain_pkey PRIMARY KEY (sink, chain),
    CONSTRAINT audit_sink_chain_sink_fkey FOREIGN KEY (sink) REFERENCES audit_sink (name) ON DELETE CASCADE
);
