-- Destroys the secret of a poll and the entries of its public log, takes the times of the ballots that were set aside, and
-- records when. The hashes and checkpoints of the log stay.
WITH destroyed AS (
    DELETE FROM poll_secrets WHERE poll_id = $1
), entries_deleted AS (
    DELETE FROM log_bundles WHERE poll_id = $1
), without_times AS (
    UPDATE set_aside SET partition = NULL, entry_ms = NULL, entry_seq = NULL WHERE poll_id = $1
)
UPDATE polls SET sealed_at_ms = $2, revision = revision + 1 WHERE id = $1
