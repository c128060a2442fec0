-- The bundles of poll $1 that name the stream entry $3 (in bytes, with a blank before and behind it) and have entries of its time,
-- $2 in milliseconds. At most $4, from the start of the log.
SELECT index, entries
FROM log_bundles
WHERE poll_id = $1 AND first_ms <= $2 AND last_ms >= $2 AND position($3::bytea IN entries) > 0
ORDER BY index
LIMIT $4
