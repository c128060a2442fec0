-- How far each partition's stream in Redis has come, as far as consumers have seen, and when one went back.
-- A stream only grows: its last ID and the number of entries ever added never become smaller, unless Redis lost
-- what it had acknowledged.

CREATE TABLE stream_positions (
    partition smallint PRIMARY KEY,
    last_ms   bigint NOT NULL,
    last_seq  bigint NOT NULL,
    added     bigint NOT NULL
);
COMMENT ON TABLE stream_positions IS 'The last entry ID (last_ms-last_seq) and the entries ever added, by partition.';

CREATE TABLE stream_regressions (
    partition          smallint NOT NULL,
    found_at_ms        bigint NOT NULL,
    from_ms            bigint NOT NULL,
    from_seq           bigint NOT NULL,
    from_added         bigint NOT NULL,
    to_ms              bigint NOT NULL,
    to_seq             bigint NOT NULL,
    to_added           bigint NOT NULL,
    acknowledged_at_ms bigint,
    PRIMARY KEY (partition, found_at_ms)
);
COMMENT ON TABLE stream_regressions IS 'A stream that went back from one position to an earlier one: ballots may be lost.';
COMMENT ON COLUMN stream_regressions.acknowledged_at_ms IS 'When an operator took note; until then the audit fails.';
