-- Results may be shown to everybody who has voted.

-- Releases from before this migration cannot read the new word, and leave such polls alone.
ALTER TABLE polls
    DROP CONSTRAINT polls_visibility_check,
    ADD CONSTRAINT polls_visibility_check
        CHECK (visibility IN ('always', 'after_close', 'after_vote', 'admin')),
    -- Two random UUIDs are 244 random bits. Each poll gets a key of its own, also those that are there already.
    ADD COLUMN results_key bytea NOT NULL CHECK (octet_length(results_key) = 32)
        DEFAULT sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'));
COMMENT ON COLUMN polls.results_key IS 'The key with which the producer proves to the dashboard that somebody has voted.';
