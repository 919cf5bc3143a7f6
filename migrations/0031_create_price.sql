-- An organization's own prices, and what is off prices for it. Neither ever changes: a newer one begins later.
-- Old code can run against it: it adds tables only.

CREATE TABLE price (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    display_name text NOT NULL,
    -- Null: for every provider of the kind.
    provider uuid,
    -- The number of the kind; zero: for every kind.
    provider_kind integer NOT NULL,
    provider_model text NOT NULL,
    -- Empty: for every region.
    region text NOT NULL,
    -- 1 standard, 2 priority, 3 flex, 4 batch; zero: for every tier.
    tier integer NOT NULL,
    above_input_tokens bigint NOT NULL,
    valid_from timestamptz NOT NULL,
    -- The numbers of the counters that have a rate, and beside each its nano-dollars a million.
    counters smallint[] NOT NULL,
    rates bigint[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT price_pkey PRIMARY KEY (id),
    CONSTRAINT price_name_key UNIQUE (organization, name),
    CONSTRAINT price_organization_fkey FOREIGN KEY (organization)
        REFERENCES organization (id) ON DELETE RESTRICT,
    CONSTRAINT price_provider_fkey FOREIGN KEY (provider)
        REFERENCES provider (id) ON DELETE RESTRICT
);

CREATE INDEX price_provider_idx ON price (provider);

CREATE TABLE discount (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    display_name text NOT NULL,
    -- As in price.
    provider uuid,
    provider_kind integer NOT NULL,
    provider_model text NOT NULL,
    -- Hundredths of a percent.
    basis_points integer NOT NULL,
    valid_from timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT discount_pkey PRIMARY KEY (id),
    CONSTRAINT discount_name_key UNIQUE (organization, name),
    CONSTRAINT discount_organization_fkey FOREIGN KEY (organization)
        REFERENCES organization (id) ON DELETE RESTRICT,
    CONSTRAINT discount_provider_fkey FOREIGN KEY (provider)
        REFERENCES provider (id) ON DELETE RESTRICT
);

CREATE INDEX discount_provider_idx ON discount (provider);
