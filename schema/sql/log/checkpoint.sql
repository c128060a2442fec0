-- The signed checkpoint of the log of poll $1 with size $2, or the newest one if $2 is NULL.
SELECT size, root, at_ms, note
FROM log_checkpoints
WHERE poll_id = $1 AND note IS NOT NULL AND ($2::int8 IS NULL OR size = $2)
ORDER BY size DESC
LIMIT 1
