-- What a version changes in bodies and headers, and the payloads that was tried with, each a JSON array as text: the
-- order of members and the spelling of numbers count. Old code can run against it: what it does not name stays empty.

ALTER TABLE model_version ADD COLUMN transform_rules text NOT NULL DEFAULT '[]';
ALTER TABLE model_version ADD COLUMN header_rules text NOT NULL DEFAULT '[]';
ALTER TABLE model_version ADD COLUMN samples text NOT NULL DEFAULT '[]';
