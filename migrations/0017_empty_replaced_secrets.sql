-- The log is cut from its old end, and a secret that was replaced or deleted leaves it at once: a row of the
-- secrets lane (3) keeps its value only while it is the newest of its object. The index finds the row to empty.
-- Old code can run against it: it leaves values in the log, and the next write of new code empties them.

UPDATE change SET value = ''
WHERE lane = 3 AND value <> '' AND EXISTS (
    SELECT FROM change AS newer
    WHERE newer.lane = 3 AND newer.kind = change.kind AND newer.key = change.key
        AND newer.revision > change.revision
);

CREATE INDEX change_secret_idx ON change (kind, key) WHERE lane = 3 AND value <> '';
