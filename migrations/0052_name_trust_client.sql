-- As whom an issuer knows people's logins, and what they ask it for.
-- Old code can run against it: it adds columns that have a default.

ALTER TABLE trust
    -- Empty where nobody logs in by it.
    ADD COLUMN client_id text NOT NULL DEFAULT '',
    ADD COLUMN scopes text[] NOT NULL DEFAULT '{}';
