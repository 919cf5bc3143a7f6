-- Whose requests go first where a provider takes no more, and how much a project is due among others.
-- Old code can run against it: both columns have defaults, and it names the columns that it writes.

ALTER TABLE project
    ADD COLUMN traffic_class smallint NOT NULL DEFAULT 2
        CONSTRAINT project_traffic_class_check CHECK (traffic_class BETWEEN 1 AND 3),
    ADD COLUMN traffic_share smallint NOT NULL DEFAULT 1
        CONSTRAINT project_traffic_share_check CHECK (traffic_share BETWEEN 1 AND 1000);
