-- Signatures of witnesses below the checkpoints of public logs (docs/adr/0015-witnesses.md).

CREATE TABLE log_witnesses (
    witness text NOT NULL,
    poll_id integer NOT NULL,
    signed  bigint NOT NULL,
    free_at timestamptz NOT NULL,
    PRIMARY KEY (witness, poll_id)
) WITH (fillfactor = 50);
COMMENT ON TABLE log_witnesses IS 'The witnesses that consumers ask, by public key, and how far each has signed the log of a poll.';
COMMENT ON COLUMN log_witnesses.signed IS 'The number of entries of the checkpoint that it signed last.';
COMMENT ON COLUMN log_witnesses.free_at IS 'Until then a consumer asks it, or it is left alone because it did not sign.';

CREATE TABLE log_cosignatures (
    poll_id integer NOT NULL,
    size    bigint NOT NULL,
    witness text NOT NULL,
    line    text NOT NULL,
    PRIMARY KEY (poll_id, size, witness)
);
COMMENT ON COLUMN log_cosignatures.line IS 'A line of a signed note (C2SP tlog-cosignature), without its line break.';
