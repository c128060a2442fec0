-- Organisers change polls through the host's service, and every step of anybody is kept.

CREATE TABLE organisers (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE CHECK (name ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    role       text NOT NULL CHECK (role IN ('admin', 'host')),
    polls      text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
COMMENT ON TABLE organisers IS 'Who may change polls through the host''s service. Rows stay, so that the log can name everybody.';
COMMENT ON COLUMN organisers.token_hash IS 'SHA-256 of the random token of 32 bytes, which nobody stores.';
COMMENT ON COLUMN organisers.polls IS 'For the role host: the slugs of the polls that it may see and change. The role admin may use all.';

CREATE TABLE host_links (
    hash         bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    organiser_id integer NOT NULL REFERENCES organisers,
    expires_at   timestamptz NOT NULL
);
COMMENT ON TABLE host_links IS 'Links that sign an organiser in once; a row leaves when its link is used.';

CREATE TABLE host_sessions (
    hash         bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    organiser_id integer NOT NULL REFERENCES organisers,
    expires_at   timestamptz NOT NULL,
    confirmed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE host_sessions IS 'Browsers that are signed in, by the SHA-256 of their cookie.';
COMMENT ON COLUMN host_sessions.confirmed_at IS 'When the organiser last showed the token or a link: tasks that cannot be undone need a recent time.';

CREATE TABLE audit_trail (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor   text NOT NULL,
    db_role text NOT NULL DEFAULT session_user,
    action  text NOT NULL,
    poll_id integer REFERENCES polls,
    before  jsonb,
    after   jsonb
);
CREATE INDEX audit_trail_poll ON audit_trail (poll_id, id);
COMMENT ON TABLE audit_trail IS 'Every step of operators and organisers, written in the transaction of the step where it has one. Rows stay.';
COMMENT ON COLUMN audit_trail.actor IS 'The name of an organiser, or votectl.';
COMMENT ON COLUMN audit_trail.db_role IS 'The role of the database session, which no client can choose.';
COMMENT ON COLUMN audit_trail.before IS 'The values that the step changed, before it; null where there were none.';
