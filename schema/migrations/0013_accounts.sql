-- What became of each poll's ballots, at one moment.

-- The entry of a ballot that was set aside. NULL in rows of the release before.
ALTER TABLE set_aside ADD COLUMN partition smallint, ADD COLUMN entry_ms bigint, ADD COLUMN entry_seq bigint;
ALTER TABLE votes ADD COLUMN prev_entry_seq bigint;

-- The partition of a voter, as `VoterKey::partition` has it.
CREATE FUNCTION partition_of(voter uuid, partitions smallint) RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (('x' || right(voter::text, 8))::bit(32)::bigint % partitions)::smallint;

CREATE TABLE accounts (
    poll_id      integer PRIMARY KEY REFERENCES polls,
    taken_at_ms  bigint NOT NULL,
    accepted     bigint,
    counted      bigint NOT NULL,
    replaced     bigint NOT NULL,
    out_of_time  bigint NOT NULL,
    no_such_code bigint NOT NULL,
    dead         bigint NOT NULL,
    dropped      bigint NOT NULL,
    waiting      bigint NOT NULL,
    unexplained  bigint GENERATED ALWAYS AS
        (accepted - counted - replaced - out_of_time - no_such_code - dead - dropped - waiting) STORED,
    differs_since_ms bigint
) WITH (fillfactor = 50);
COMMENT ON TABLE accounts IS 'The ballots of each poll that came in until taken_at_ms, by what became of them.';
COMMENT ON COLUMN accounts.accepted IS 'Ballots that Redis has accepted; NULL once Redis went back to an earlier state and lost the count.';
COMMENT ON COLUMN accounts.differs_since_ms IS 'When unexplained was first not 0, and has not been 0 since.';
