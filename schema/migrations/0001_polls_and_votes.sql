-- Polls, votes, and the tallies that move with them.
-- Times are milliseconds since the Unix epoch, so that they compare directly with stream entry IDs.

CREATE TABLE deployment (
    singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    partitions smallint NOT NULL CHECK (partitions BETWEEN 1 AND 1024)
);
COMMENT ON TABLE deployment IS 'What is fixed when first deployed; every service checks it at start-up.';

CREATE TABLE polls (
    id             integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    slug           text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    title          text NOT NULL CHECK (char_length(title) BETWEEN 1 AND 200),
    choices_min    smallint NOT NULL DEFAULT 1 CHECK (choices_min >= 1),
    choices_max    smallint NOT NULL DEFAULT 1 CHECK (choices_max BETWEEN choices_min AND 63),
    vote_policy    text NOT NULL DEFAULT 'keep_first' CHECK (vote_policy IN ('keep_first', 'replace')),
    voter_policy   text NOT NULL DEFAULT 'open' CHECK (voter_policy IN ('open', 'code')),
    visibility     text NOT NULL DEFAULT 'always' CHECK (visibility IN ('always', 'after_close', 'admin')),
    opens_at_ms    bigint,
    closes_at_ms   bigint CHECK (closes_at_ms > opens_at_ms),
    archived_at_ms bigint,
    revision       integer NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE polls IS 'State is never stored: it follows from opens_at_ms, closes_at_ms and archived_at_ms.';
COMMENT ON COLUMN polls.revision IS 'Grows with every change, so that an older copy never overwrites a newer one in Redis.';

CREATE TABLE options (
    poll_id     integer NOT NULL REFERENCES polls,
    position    smallint NOT NULL CHECK (position BETWEEN 0 AND 62),
    slug        text NOT NULL,
    label       text NOT NULL CHECK (char_length(label) BETWEEN 1 AND 200),
    description text CHECK (char_length(description) BETWEEN 1 AND 1000),
    colour      text CHECK (colour ~ '^#[0-9a-fA-F]{6}$'),
    PRIMARY KEY (poll_id, position),
    UNIQUE (poll_id, slug)
);

-- A voter's current choice. The prev_ columns hold what the last upsert replaced, so that the upsert
-- itself returns it: read beforehand, two transactions that meet on one voter would count twice.
CREATE TABLE votes (
    poll_id       integer NOT NULL,
    voter         uuid NOT NULL,
    choices       bigint NOT NULL CHECK (choices > 0),
    entry_ms      bigint NOT NULL,
    entry_seq     bigint NOT NULL,
    ballot        uuid NOT NULL,
    prev_choices  bigint,
    prev_entry_ms bigint,
    prev_ballot   uuid,
    PRIMARY KEY (poll_id, voter)
);
COMMENT ON COLUMN votes.choices IS 'Bit mask by option position: bit 0 is the first option.';
COMMENT ON COLUMN votes.entry_ms IS 'First part of the stream entry ID under which the standing ballot came in.';

CREATE TABLE tally (
    poll_id  integer NOT NULL,
    position smallint NOT NULL,
    votes    bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (poll_id, position),
    FOREIGN KEY (poll_id, position) REFERENCES options
) WITH (fillfactor = 50);

CREATE TABLE poll_tally (
    poll_id integer PRIMARY KEY REFERENCES polls,
    version bigint NOT NULL DEFAULT 0,
    voters  bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- People counted, by the second in which their standing ballot came in.
CREATE TABLE series (
    poll_id integer NOT NULL,
    second  bigint NOT NULL,
    votes   bigint NOT NULL,
    PRIMARY KEY (poll_id, second)
) WITH (fillfactor = 50);
COMMENT ON COLUMN series.second IS 'Seconds since the Unix epoch.';

-- Ballots that were accepted and do not stand: replaced by another of the same voter, or out of time.
CREATE TABLE set_aside (
    ballot    uuid PRIMARY KEY,
    poll_id   integer NOT NULL,
    reason    text NOT NULL CHECK (reason IN ('superseded', 'out_of_time')),
    counted_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX set_aside_poll ON set_aside (poll_id);

-- Who may vote in a poll with voting codes: only hashes are kept.
CREATE TABLE codes (
    poll_id integer NOT NULL REFERENCES polls,
    voter   uuid NOT NULL,
    PRIMARY KEY (poll_id, voter)
);

-- Options are frozen at the first vote: a stored mask must mean for ever what its voter chose.
CREATE FUNCTION options_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM votes WHERE poll_id = coalesce(OLD.poll_id, NEW.poll_id)) THEN
        RAISE EXCEPTION 'options of poll % cannot change: it has votes', coalesce(OLD.poll_id, NEW.poll_id)
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN coalesce(NEW, OLD);
END $$;
CREATE TRIGGER options_frozen BEFORE INSERT OR UPDATE OR DELETE ON options
    FOR EACH ROW EXECUTE FUNCTION options_frozen();
