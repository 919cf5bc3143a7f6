-- Where a credential that is exchanged for tokens may go for it, beside where the kind of its provider exchanges them.
-- Old code can run against it: what it does not know has a default.

-- Empty for nowhere else.
ALTER TABLE provider ADD COLUMN exchange_origins text[] NOT NULL DEFAULT '{}';
