-- Deletes all that a poll still has of its voters, beside the votes, and records when.
WITH destroyed AS (
    DELETE FROM poll_secrets WHERE poll_id = $1
), codes_deleted AS (
    DELETE FROM voting_codes WHERE poll_id = $1
), older_codes_deleted AS (
    DELETE FROM codes WHERE poll_id = $1
), entries_deleted AS (
    DELETE FROM log_bundles WHERE poll_id = $1
), without_times AS (
    UPDATE set_aside SET partition = NULL, entry_ms = NULL, entry_seq = NULL WHERE poll_id = $1
)
UPDATE polls SET erased_at_ms = $2, revision = revision + 1 WHERE id = $1
