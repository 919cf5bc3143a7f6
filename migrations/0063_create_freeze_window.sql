-- Freezes: when no rollout of an organization starts or goes on; and why a rollout goes on in spite of them.
-- Old code can run against it: it adds a table and a column. It heeds no freeze.

CREATE TABLE freeze_window (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    -- Of one that comes every week: bits, 1 for Monday to 64 for Sunday. Zero for one that comes once.
    days smallint NOT NULL,
    from_minute smallint NOT NULL,
    until_minute smallint NOT NULL,
    -- Empty for that of the organization.
    time_zone text NOT NULL,
    -- Of one that comes once.
    starts_at timestamptz,
    ends_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT freeze_window_pkey PRIMARY KEY (id),
    CONSTRAINT freeze_window_name_key UNIQUE (organization, name),
    CONSTRAINT freeze_window_kind_check CHECK ((days = 0) = (starts_at IS NOT NULL AND ends_at IS NOT NULL)),
    CONSTRAINT freeze_window_organization_fkey FOREIGN KEY (organization)
        REFERENCES organization (id) ON DELETE CASCADE
);

ALTER TABLE rollout
    -- Empty where it heeds freezes.
    ADD COLUMN forced_reason text NOT NULL DEFAULT '';
