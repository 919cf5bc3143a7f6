-- People who prove themselves by a password and a code that changes, where no issuer does it for them; and how often somebody was
-- wrong about a name. A key that was given to one says to whom.
-- Old code can run against it: it adds tables, and a column that may be null. It must not delete a role that one of these people holds
-- meanwhile: it is refused there with an error of ours in place of a sentence.

CREATE TABLE local_user (
    id uuid NOT NULL,
    -- The organization that keeps them; null for one above all.
    organization uuid,
    name text COLLATE "C" NOT NULL,
    display_name text NOT NULL,
    lifetime_ms bigint NOT NULL,
    disabled boolean NOT NULL,
    -- SHA-256 of what lets its bearer choose a password, once; null where it was taken.
    activation_sha256 bytea,
    activation_ends_at timestamptz,
    -- What their codes are computed from, sealed for this id.
    code_secret bytea NOT NULL,
    -- The step of the code that was taken last: no earlier one is taken again.
    code_step bigint NOT NULL DEFAULT 0,
    -- In the text form of Argon2; null until one was chosen.
    password text,
    password_changed_at timestamptz,
    logged_in_at timestamptz,
    version bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT local_user_pkey PRIMARY KEY (id),
    CONSTRAINT local_user_activation CHECK ((activation_sha256 IS NULL) = (activation_ends_at IS NULL)),
    CONSTRAINT local_user_activation_length CHECK (octet_length(activation_sha256) = 32),
    CONSTRAINT local_user_organization_fkey FOREIGN KEY (organization)
        REFERENCES organization (id) ON DELETE CASCADE
);

-- Two, because nulls are all different to one.
CREATE UNIQUE INDEX local_user_name_key ON local_user (organization, name) WHERE organization IS NOT NULL;
CREATE UNIQUE INDEX local_user_name_above_key ON local_user (name) WHERE organization IS NULL;

CREATE TABLE local_user_binding (
    local_user uuid NOT NULL,
    place smallint NOT NULL,
    role text NOT NULL,
    -- Both null for everywhere; a project stands with its organization.
    organization uuid,
    project uuid,
    -- Null for a role that is built in; `role` is empty where it is not.
    own_role uuid,
    CONSTRAINT local_user_binding_pkey PRIMARY KEY (local_user, place),
    CONSTRAINT local_user_binding_place CHECK (project IS NULL OR organization IS NOT NULL),
    CONSTRAINT local_user_binding_own_role CHECK (own_role IS NULL OR (organization IS NOT NULL AND role = '')),
    CONSTRAINT local_user_binding_local_user_fkey FOREIGN KEY (local_user)
        REFERENCES local_user (id) ON DELETE CASCADE,
    CONSTRAINT local_user_binding_organization_fkey FOREIGN KEY (organization)
        REFERENCES organization (id) ON DELETE CASCADE,
    CONSTRAINT local_user_binding_project_fkey FOREIGN KEY (project) REFERENCES project (id) ON DELETE CASCADE,
    CONSTRAINT local_user_binding_own_role_fkey FOREIGN KEY (own_role, organization)
        REFERENCES role (id, organization)
);

CREATE INDEX local_user_binding_organization_idx ON local_user_binding (organization);
CREATE INDEX local_user_binding_project_idx ON local_user_binding (project);
CREATE INDEX local_user_binding_own_role_idx ON local_user_binding (own_role) WHERE own_role IS NOT NULL;

-- Who tried to prove themselves and was not right, by the hash of the name that was said, whether there is one of that name or not.
CREATE TABLE local_login (
    name_sha256 bytea NOT NULL,
    -- In a row, the try that is under way among them.
    tries integer NOT NULL,
    tried_at timestamptz NOT NULL,
    CONSTRAINT local_login_pkey PRIMARY KEY (name_sha256),
    CONSTRAINT local_login_name_length CHECK (octet_length(name_sha256) = 32)
);

CREATE INDEX local_login_tried_at_idx ON local_login (tried_at);

ALTER TABLE operator_key
    -- Null for a key that was not given to a local user, and for one whose user is gone. Their name is then in `trust_name`, their id
    -- in `subject`.
    ADD COLUMN local_user uuid,
    ADD CONSTRAINT operator_key_local_user_fkey FOREIGN KEY (local_user)
        REFERENCES local_user (id) ON DELETE SET NULL;

CREATE INDEX operator_key_local_user_idx ON operator_key (local_user, expires_at) WHERE local_user IS NOT NULL;
