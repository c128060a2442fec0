-- The public log of each poll's ballots (docs/adr/0013-receipts-and-log.md).

-- In the order in which consumers lock them: in another one, the two could wait for each other.
LOCK TABLE votes, polls IN ACCESS EXCLUSIVE MODE;

-- Polls that are there already have votes that are in no log.
ALTER TABLE polls ADD COLUMN receipts boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN polls.receipts IS 'Whether voters get receipts, and every ballot is in the poll''s public log.';

-- A row for each batch and poll, written in the transaction that counts. The sealer appends the ballots to the log and deletes the
-- row in one transaction. A transaction that replaces a ballot has seen the one that counted it, so it has the higher id.
CREATE TABLE log_queue (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    poll_id integer NOT NULL,
    ballots bytea NOT NULL,
    queued  timestamptz NOT NULL DEFAULT now()
);
-- Ids do not compress.
ALTER TABLE log_queue ALTER COLUMN ballots SET STORAGE EXTERNAL;
COMMENT ON COLUMN log_queue.ballots IS '43 or 59 bytes for each ballot: consumer/src/pipeline/log_record.rs';

CREATE TABLE logs (
    poll_id integer PRIMARY KEY REFERENCES polls,
    size    bigint NOT NULL,
    root    bytea NOT NULL CHECK (octet_length(root) = 32)
) WITH (fillfactor = 50);
COMMENT ON TABLE logs IS 'How long each log is, and the root hash of its Merkle tree (RFC 6962).';

CREATE TABLE log_tiles (
    poll_id integer NOT NULL,
    level   smallint NOT NULL,
    index   bigint NOT NULL,
    hashes  bytea NOT NULL,
    PRIMARY KEY (poll_id, level, index)
);
ALTER TABLE log_tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;
COMMENT ON COLUMN log_tiles.hashes IS '32 bytes for each hash, at most 256 of them (C2SP tlog-tiles). The last tile of a level grows.';

CREATE TABLE log_bundles (
    poll_id  integer NOT NULL,
    index    bigint NOT NULL,
    first_ms bigint NOT NULL,
    last_ms  bigint NOT NULL,
    entries  bytea NOT NULL,
    PRIMARY KEY (poll_id, index)
);
COMMENT ON COLUMN log_bundles.entries IS 'At most 256 entries, each behind its length in two bytes (C2SP tlog-tiles). The last bundle grows.';
COMMENT ON COLUMN log_bundles.first_ms IS 'The lowest time of a stream entry in it, in Unix milliseconds; last_ms is the highest.';

CREATE TABLE log_checkpoints (
    poll_id integer NOT NULL,
    size    bigint NOT NULL,
    root    bytea NOT NULL,
    at_ms   bigint NOT NULL,
    note    text,
    PRIMARY KEY (poll_id, size)
);
CREATE INDEX log_checkpoints_at ON log_checkpoints (at_ms);
COMMENT ON COLUMN log_checkpoints.note IS 'The signed checkpoint (C2SP tlog-checkpoint); NULL while consumers have no signing key.';

CREATE TABLE log_keys (
    public_key text PRIMARY KEY,
    signs      boolean NOT NULL,
    first_ms   bigint NOT NULL,
    last_ms    bigint NOT NULL
);
COMMENT ON TABLE log_keys IS 'Public keys under the deployment''s name, in the form of C2SP signed-note.';
COMMENT ON COLUMN log_keys.last_ms IS 'When a consumer last had the key, in Unix milliseconds.';

INSERT INTO locks (name) VALUES ('log');
