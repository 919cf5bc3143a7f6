-- What edges decide about requests is told in the audit trail, in a chain of each edge, where an organization asks for that.
-- Old code can run against it: it tells edges of no such wish, and writes entries without a decision's id. Bring all control planes
-- up to date before an organization asks.

ALTER TABLE organization
    -- Which decisions are told: 1 none, 2 those that denied, 3 all.
    ADD COLUMN audit_access smallint NOT NULL DEFAULT 1,
    ADD CONSTRAINT organization_audit_access_check CHECK (audit_access BETWEEN 1 AND 3);

ALTER TABLE audit_entry
    -- Of a decision of an edge, the id that the edge drew for it, by which one that is sent again is known; null of all else.
    ADD COLUMN decision uuid;

CREATE UNIQUE INDEX audit_entry_decision_key ON audit_entry (chain, decision) WHERE decision IS NOT NULL;
