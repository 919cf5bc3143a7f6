-- Alerts to people: where notices go, what is watched, what was found, and which notices are owed. What was found stands once
-- while it lasts, however many replicas look, and so does each notice of it: the database says so. Notices wait here until they
-- are delivered.
-- Old code can run against it: it adds tables only. It cannot delete a budget or model that a rule names, and does not say why.

CREATE TABLE alert_channel (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    display_name text NOT NULL,
    -- 1 webhook, 2 Slack, 3 e-mail.
    kind smallint NOT NULL,
    -- What may be shown of a URL; of e-mail, the server.
    address text NOT NULL,
    -- Of e-mail: 1 STARTTLS, 2 TLS, 3 none.
    security smallint NOT NULL,
    username text NOT NULL,
    sender text NOT NULL,
    recipients text[] NOT NULL,
    -- Null where there is none.
    credential_sealed bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT alert_channel_pkey PRIMARY KEY (id),
    CONSTRAINT alert_channel_name_key UNIQUE (organization, name),
    CONSTRAINT alert_channel_kind_known CHECK (kind BETWEEN 1 AND 3),
    CONSTRAINT alert_channel_organization_fkey FOREIGN KEY (organization)
        REFERENCES organization (id) ON DELETE CASCADE
);

CREATE TABLE alert_rule (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    display_name text NOT NULL,
    -- 1 budget threshold, 2 error spike, 3 key, 4 edge.
    kind smallint NOT NULL,
    -- Null for never.
    remind_after_ms bigint,
    -- Null for each.
    budget uuid,
    thresholds integer[] NOT NULL,
    -- Null for each.
    model uuid,
    -- Of an error spike, the window; of an edge, for how long it is silent.
    span_ms bigint NOT NULL,
    requests_min bigint NOT NULL,
    error_percent integer NOT NULL,
    times_percent integer NOT NULL,
    -- Null for any age.
    age_ms bigint,
    unused_ms bigint,
    rotation_due boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT alert_rule_pkey PRIMARY KEY (id),
    CONSTRAINT alert_rule_name_key UNIQUE (organization, name),
    CONSTRAINT alert_rule_kind_known CHECK (kind BETWEEN 1 AND 4),
    CONSTRAINT alert_rule_organization_fkey FOREIGN KEY (organization)
        REFERENCES organization (id) ON DELETE CASCADE,
    CONSTRAINT alert_rule_budget_fkey FOREIGN KEY (budget) REFERENCES rate_limit (id),
    CONSTRAINT alert_rule_model_fkey FOREIGN KEY (model) REFERENCES model (id)
);

CREATE INDEX alert_rule_budget_idx ON alert_rule (budget);
CREATE INDEX alert_rule_model_idx ON alert_rule (model);

CREATE TABLE alert_rule_channel (
    rule uuid NOT NULL,
    channel uuid NOT NULL,
    CONSTRAINT alert_rule_channel_pkey PRIMARY KEY (rule, channel),
    CONSTRAINT alert_rule_channel_rule_fkey FOREIGN KEY (rule)
        REFERENCES alert_rule (id) ON DELETE CASCADE,
    CONSTRAINT alert_rule_channel_channel_fkey FOREIGN KEY (channel) REFERENCES alert_channel (id)
);

CREATE INDEX alert_rule_channel_channel_idx ON alert_rule_channel (channel);

CREATE TABLE alert (
    id uuid NOT NULL,
    organization uuid NOT NULL,
    rule uuid NOT NULL,
    -- What it is about; the same as long as it is the same.
    subject text COLLATE "C" NOT NULL,
    summary text NOT NULL,
    fired_at timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    -- When people were told last, and how often since it began that it still is.
    told_at timestamptz NOT NULL DEFAULT now(),
    reminders integer NOT NULL DEFAULT 0,
    CONSTRAINT alert_pkey PRIMARY KEY (id),
    CONSTRAINT alert_rule_fkey FOREIGN KEY (rule) REFERENCES alert_rule (id) ON DELETE CASCADE
);

-- Nothing fires twice at once.
CREATE UNIQUE INDEX alert_firing_key ON alert (rule, subject) WHERE resolved_at IS NULL;
CREATE INDEX alert_rule_idx ON alert (rule);
CREATE INDEX alert_organization_idx ON alert (organization, id);
CREATE INDEX alert_resolved_idx ON alert (resolved_at) WHERE resolved_at IS NOT NULL;

CREATE TABLE alert_notice (
    -- By which receivers know it again.
    id uuid NOT NULL,
    -- In which order notices of one alert go to one channel.
    number bigint GENERATED ALWAYS AS IDENTITY,
    alert uuid NOT NULL,
    channel uuid NOT NULL,
    -- 1 it began, 2 it still is, 3 it is over.
    event smallint NOT NULL,
    -- Which reminder; zero for others.
    reminder integer NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- When it is tried next; while it is tried, when somebody else may.
    due_at timestamptz NOT NULL DEFAULT now(),
    tries integer NOT NULL DEFAULT 0,
    -- 1 owed, 2 delivered, 3 given up.
    state smallint NOT NULL DEFAULT 1,
    ended_at timestamptz,
    error text NOT NULL DEFAULT '',
    CONSTRAINT alert_notice_pkey PRIMARY KEY (id),
    -- Nothing is told twice.
    CONSTRAINT alert_notice_once_key UNIQUE (alert, channel, event, reminder),
    CONSTRAINT alert_notice_state_known CHECK (state BETWEEN 1 AND 3),
    CONSTRAINT alert_notice_alert_fkey FOREIGN KEY (alert) REFERENCES alert (id) ON DELETE CASCADE,
    CONSTRAINT alert_notice_channel_fkey FOREIGN KEY (channel)
        REFERENCES alert_channel (id) ON DELETE CASCADE
);

CREATE INDEX alert_notice_owed_idx ON alert_notice (due_at) WHERE state = 1;
CREATE INDEX alert_notice_channel_idx ON alert_notice (channel);

-- Which replica looks, until when, and how often another one took over.
CREATE TABLE alert_turn (
    one boolean NOT NULL DEFAULT true,
    holder uuid NOT NULL,
    held_until timestamptz NOT NULL,
    fence bigint NOT NULL DEFAULT 1,
    -- When it is to be looked again.
    due_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT alert_turn_pkey PRIMARY KEY (one),
    CONSTRAINT alert_turn_alone CHECK (one)
);
