-- Votes are stored under keys that are made with a secret of their poll, and polls can be sealed and erased.

-- Releases from before this migration cannot read the words that begin with keyed_, and leave such polls alone.
ALTER TABLE polls
    DROP CONSTRAINT polls_voter_policy_check,
    ADD CONSTRAINT polls_voter_policy_check
        CHECK (voter_policy IN ('open', 'code', 'keyed_open', 'keyed_code')),
    ADD COLUMN secret boolean NOT NULL DEFAULT false,
    ADD COLUMN keep_votes_days integer CHECK (keep_votes_days BETWEEN 0 AND 36500),
    ADD COLUMN sealed_at_ms bigint,
    ADD COLUMN erased_at_ms bigint;
COMMENT ON COLUMN polls.voter_policy IS 'Who may vote. keyed_: votes.voter is an HMAC of the voter under the poll''s secret.';
COMMENT ON COLUMN polls.secret IS 'Whether archiving the poll also seals it.';
COMMENT ON COLUMN polls.sealed_at_ms IS 'When the secret was destroyed, the votes were shuffled, and their times were removed.';
COMMENT ON COLUMN polls.erased_at_ms IS 'When the votes were deleted. The results stay.';

CREATE TABLE poll_secrets (
    poll_id integer PRIMARY KEY REFERENCES polls,
    secret  bytea NOT NULL CHECK (octet_length(secret) = 32)
);
COMMENT ON TABLE poll_secrets IS 'The secrets of polls that are not sealed. The dashboard has no right to read them.';

-- A sealed poll no longer knows its voters, so it could count the same ballot twice. Every batch of votes changes this
-- row of each of its polls, and sealing locks it first.
CREATE FUNCTION refuse_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM polls WHERE id = NEW.poll_id AND (sealed_at_ms IS NOT NULL OR erased_at_ms IS NOT NULL)) THEN
        RAISE EXCEPTION 'poll % is sealed and counts no more votes', NEW.poll_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse_sealed BEFORE UPDATE ON poll_tally
    FOR EACH ROW EXECUTE FUNCTION refuse_sealed();
