-- What a project's clients may not prefer, as bits of policy::preference, and what it demands of providers.
-- Old code can run against it: the columns have defaults, and it names the columns that it writes.

ALTER TABLE project
    ADD COLUMN forbidden_preferences smallint NOT NULL DEFAULT 0
        CONSTRAINT project_forbidden_preferences_check CHECK (forbidden_preferences BETWEEN 0 AND 8191),
    ADD COLUMN demands_no_collection boolean NOT NULL DEFAULT false,
    ADD COLUMN demands_no_retention boolean NOT NULL DEFAULT false,
    ADD COLUMN residencies text[] NOT NULL DEFAULT '{}';
