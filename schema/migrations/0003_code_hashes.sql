-- What is kept of a voting code no longer suffices to vote with it: a hash of the voter, not the voter.
-- And the rows that processes lock.

-- The hash of the voter of a code. It keeps the voter's last four bytes, from which the partition follows.
CREATE FUNCTION code_hash(voter uuid) RETURNS uuid LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT encode(
        substr(sha256('votestream code hash\000'::bytea || uuid_send(voter)), 1, 12) || substr(uuid_send(voter), 13),
        'hex'
    )::uuid
$$;

CREATE TABLE voting_codes (
    poll_id       integer NOT NULL REFERENCES polls,
    hash          uuid NOT NULL,
    revoked_at_ms bigint,
    PRIMARY KEY (poll_id, hash)
);
COMMENT ON TABLE voting_codes IS 'The codes of polls with voting codes. A ballot counts only if the hash of its voter is here.';
COMMENT ON COLUMN voting_codes.revoked_at_ms IS 'Ballots whose entry ID is later than this do not count.';
INSERT INTO voting_codes (poll_id, hash) SELECT poll_id, code_hash(voter) FROM codes;
COMMENT ON TABLE codes IS 'Replaced by voting_codes; services of the release before read it during an update.';

-- An advisory lock can be held by any role. These rows can be locked only by roles that may update them.
CREATE TABLE locks (
    name text PRIMARY KEY
);
INSERT INTO locks (name) VALUES ('audit'), ('copies');
COMMENT ON TABLE locks IS 'Rows that are locked and never changed. copies: changing what Redis copies from Postgres.';
