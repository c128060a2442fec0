-- Destroys the secret of a poll, and records when.
WITH destroyed AS (
    DELETE FROM poll_secrets WHERE poll_id = $1
)
UPDATE polls SET sealed_at_ms = $2, revision = revision + 1 WHERE id = $1
