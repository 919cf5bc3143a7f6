-- Which tags of a project's requests policy says: from labels of keys or claims of tokens.
-- Old code can run against it: the column has a default, and it names the columns that it writes.

ALTER TABLE project ADD COLUMN tag_sources text[] NOT NULL DEFAULT '{}';
