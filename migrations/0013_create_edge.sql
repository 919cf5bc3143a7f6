-- Who carries the traffic and how far each has come. Written by the replicas about the streams they hold,
-- and never inside a policy edit, so that heartbeats and edits do not wait for each other.
-- Old code can run against it: it adds tables only.

CREATE TABLE edge (
    edge_id text COLLATE "C" NOT NULL,
    region text NOT NULL,
    build text NOT NULL,
    -- 1 fresh, 2 disk, 3 the generation before.
    boot smallint NOT NULL,
    boot_id bytea NOT NULL,
    connected boolean NOT NULL,
    -- Whether it said goodbye and has not been heard since: then nobody waits for it.
    said_goodbye boolean NOT NULL,
    -- The replica that holds, or held, its stream.
    replica bytea NOT NULL,
    join_token text NOT NULL,
    last_rejection text NOT NULL,
    last_seen_at timestamptz NOT NULL,
    CONSTRAINT edge_pkey PRIMARY KEY (edge_id)
);

CREATE TABLE edge_lane (
    edge_id text COLLATE "C" NOT NULL,
    lane smallint NOT NULL,
    applied bigint NOT NULL,
    durable bigint NOT NULL,
    CONSTRAINT edge_lane_pkey PRIMARY KEY (edge_id, lane),
    CONSTRAINT edge_lane_edge_fkey FOREIGN KEY (edge_id)
        REFERENCES edge (edge_id) ON DELETE CASCADE
);
