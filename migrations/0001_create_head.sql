-- Where the history of policy stands. A revision is taken by the last statements of a transaction, under the
-- lock of this one row, so that whoever sees revision N sees everything below N; a sequence would lose edits
-- that commit late. The epoch tells two histories apart: rotate it after restoring a backup.
-- No code came before this.

CREATE TABLE head (
    one boolean NOT NULL DEFAULT true,
    epoch uuid NOT NULL,
    revision bigint NOT NULL,
    CONSTRAINT head_pkey PRIMARY KEY (one),
    CONSTRAINT head_is_one_row CHECK (one),
    CONSTRAINT head_revision_range CHECK (revision >= 0)
);

INSERT INTO head (epoch, revision) VALUES (gen_random_uuid(), 0);

-- The last of `count` revisions in a row.
CREATE FUNCTION take_revision(count bigint) RETURNS bigint
LANGUAGE sql VOLATILE
AS $$ UPDATE head SET revision = revision + count RETURNING revision $$;
